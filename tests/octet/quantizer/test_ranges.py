"""The grids of a layer: those that were asked for, and the range that loses least."""

from collections.abc import Callable

import numpy as np
import pytest

from octet import affine
from octet.affine import Array, Grid
from octet.layers import Linear
from octet.parameters import values
from octet.quantizer import Bias, Config
from octet.quantizer.hessian import Hessians, second_moments
from octet.quantizer.proof.exact import exact
from octet.quantizer.rounding import Lattice, descend, gptq, lattice, nearest
from octet.quantizer.search import best_shrink, round_rows
from tests.octet.quantizer.cases import (
    ROUNDINGS,
    SHARING,
    config,
    quantized,
    random_inputs,
    random_layer,
)

PROVABLE = 26  # columns, of which the bias may be one
COARSE = [0.05 * i for i in range(2, 25)]


def as_lists(grid: Grid) -> tuple[int, object, object]:
    return grid.bits, grid.scale.tolist(), grid.zero_point.tolist()


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
@pytest.mark.parametrize("range_", ["minmax", (-0.5, 0.75)])
def test_a_grid_spans_what_shares_its_scale_or_what_was_asked_for(
    granularity: str, scheme: str, range_: str | tuple[float, float]
) -> None:
    rng = np.random.default_rng(1)
    layer = random_layer(rng)
    weight, bias = values(layer.weight), values(layer.bias)
    how = {"granularity": granularity, "scheme": scheme, "range": range_, "bits": 5}
    both = np.append(weight.reshape(-1), bias)
    lo, hi, bias_lo, bias_hi = {
        "per_tensor": (weight.min(), weight.max(), bias.min(), bias.max()),
        "per_channel": (
            *(weight.min(axis=1)[:, None], weight.max(axis=1)[:, None]),
            *(bias.min(), bias.max()),
        ),
        "per_parameter": (weight, weight, bias, bias),
        "unified": (both.min(), both.max(), both.min(), both.max()),
    }[granularity]
    if range_ != "minmax":
        lo, hi = np.full(np.shape(lo), range_[0]), np.full(np.shape(hi), range_[1])
    make = getattr(affine, scheme)
    weights, biases, _ = quantized(layer, random_inputs(rng), config(**how, bias=Bias(11)))
    assert as_lists(weights.grid) == as_lists(make(lo, hi, 5))
    if granularity == "unified":
        assert biases.grid is weights.grid
        return
    assert as_lists(biases.grid) == as_lists(make(bias_lo, bias_hi, 11))
    asked = config(**how, bias=Bias(4, (-0.25, 1.0)))
    _, biases, _ = quantized(layer, random_inputs(rng), asked)
    assert as_lists(biases.grid) == as_lists(make(-0.25, 1.0, 4))


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_the_range_of_least_error_keeps_the_shape_of_the_grid_and_its_zero(
    granularity: str, scheme: str, rounding: str
) -> None:
    rng = np.random.default_rng(0)
    how = config(granularity=granularity, scheme=scheme, rounding=rounding, range="mse", bits=5)
    weight, _, _ = quantized(random_layer(rng), random_inputs(rng), how)
    shape = {"per_channel": (3, 1), "per_parameter": (3, 4)}.get(granularity, ())
    assert weight.grid.scale.shape == weight.grid.zero_point.shape == shape
    assert scheme == "asymmetric" or np.all(weight.grid.zero_point == 16)


def test_a_margin_widens_minmax_by_shares_of_its_extent() -> None:
    layer = Linear(np.array([[-1.0, 0.5], [2.0, 3.0]]), np.array([0.5, 7.0]))
    inputs = random_inputs(np.random.default_rng(0), 2)
    rows = affine.symmetric([[-1.75], [-1.5]], [[0.875], [3.75]], 8)  # [-1, 0.5] and [0, 3]
    each = affine.asymmetric([[-1.5, -0.25], [-1, -1.5]], [[0.25, 0.625], [2.5, 3.75]], 8)
    expected = {
        "per_tensor": affine.asymmetric(-1 - 0.5 * 4, 3 + 0.25 * 4, 8),
        "per_channel": rows,
        "per_parameter": each,
        "unified": affine.asymmetric(-1 - 0.5 * 8, 7 + 0.25 * 8, 8),
    }
    for granularity, grid in expected.items():
        how = config(granularity=granularity, margin=(0.5, 0.25))
        assert as_lists(quantized(layer, inputs, how)[0].grid) == as_lists(grid)


@pytest.mark.parametrize("scheme", ["asymmetric", "symmetric"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("range_", ["minmax", "mse"])
def test_per_parameter_reproduces_every_weight(scheme: str, rounding: str, range_: str) -> None:
    rng = np.random.default_rng(4)
    weight, bias = (rng.choice([-1, 1], n) * rng.uniform(1, 9, n) for n in ((2, 3), 2))
    weight[0, 0] = 0.0
    # gptq and exact would spend a tiny weight on what a huge one loses: that is their work.
    weight *= 10.0 ** rng.integers(-9, 9, (2, 3)) if rounding == "nearest" else 1.0
    for bits in range(2, 17):
        how = config(
            granularity="per_parameter",
            scheme=scheme,
            rounding=rounding,
            range=range_,
            bits=bits,
            bias=Bias(bits),
        )
        codes = quantized(Linear(weight, bias), random_inputs(rng, 3), how)
        # Its own scale, rounded to float32, is all that is lost.
        for before, after in zip((weight, bias), codes, strict=False):
            off = np.abs(values(after) - before)
            assert np.all(off <= 2.0**-24 * (1 + 2.0**-20) * np.abs(before))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(
    ("granularity", "scheme"),
    [each for each in SHARING if each[0] in ("per_tensor", "per_channel")],
)
def test_the_range_of_least_error_is_never_worse_than_minmax(
    granularity: str, scheme: str, rounding: str
) -> None:
    for seed, bits in enumerate((2, 3, 4) if scheme == "symmetric" else (3,)):
        rng = np.random.default_rng(seed)
        layer, inputs = random_layer(rng, rows=2), random_inputs(rng)
        how = {"granularity": granularity, "scheme": scheme, "rounding": rounding, "bits": bits}
        *_, minmax = quantized(layer, inputs, config(range="minmax", **how))
        *_, mse = quantized(layer, inputs, config(range="mse", **how))
        assert mse["output_error"] <= minmax["output_error"]
        assert mse["output_error"] < 0.9 * minmax["output_error"] or bits > 2


@pytest.mark.parametrize("seed", [698, 1490, 5001])
def test_where_minmax_is_best_for_exact_and_not_for_gptq_it_is_kept(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layer, inputs = random_layer(rng, rows=1), random_inputs(rng, own=0.1)
    how = {"scheme": "symmetric", "rounding": "exact", "bits": 4}
    *_, minmax = quantized(layer, inputs, config(range="minmax", **how))
    *_, mse = quantized(layer, inputs, config(range="mse", **how))
    assert mse["output_error"] <= minmax["output_error"]


def problem(columns: int, rows: int = 2) -> tuple[Lattice, Array]:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(rows, columns))
    grid = affine.symmetric(weight.min(axis=1)[:, None], weight.max(axis=1)[:, None], 4)
    return lattice(weight, grid), second_moments(random_inputs(rng, columns))[:-1, :-1]


@pytest.mark.parametrize("columns", [1, 8, PROVABLE, PROVABLE + 1, 40])
def test_each_rounding_is_itself_and_exact_is_mended_gptq_where_rows_are_long(columns: int) -> None:
    rows, hessian = problem(columns, rows=1)
    for how, rounded in (("nearest", nearest(rows)), ("gptq", gptq(rows, Hessians([hessian])))):
        codes, certificates = round_rows(rows, Hessians([hessian]), how)
        assert np.array_equal(codes, rounded)
        assert certificates == ()
    codes, certificates = round_rows(rows, Hessians([hessian]), "exact")
    if columns <= PROVABLE:
        expected, known = exact(rows, hessian)
    else:
        expected, known = descend(rows, gptq(rows, Hessians([hessian])), hessian), ()
    assert np.array_equal(codes, expected)
    assert certificates == known


@pytest.mark.parametrize("how", ROUNDINGS)
def test_groups_are_rounded_by_their_own_h(how: str) -> None:
    (rows, first), (_, second) = problem(6, rows=4), problem(6)
    second = second[::-1, ::-1]
    codes, certificates = round_rows(rows, Hessians([first, second]), how)
    alone = [
        round_rows(part, Hessians([h]), how)
        for part, h in zip(rows.shared_out(2), (first, second), strict=True)
    ]
    assert np.array_equal(codes, np.concatenate([codes for codes, _ in alone]))
    assert certificates == (*alone[0][1], *alone[1][1])
    each = [
        Hessians([h]).lost(part.errors(codes))
        for part, h, (codes, _) in zip(rows.shared_out(2), (first, second), alone, strict=True)
    ]
    both = Hessians([first, second]).lost(rows.errors(codes))
    assert np.array_equal(both, np.concatenate(each))


def placed(weight: Array, how: Config) -> Callable[[Array | None], Lattice]:
    """The lattice of weights for factors on the ends of their range: each row's, or all rows'."""
    make = affine.symmetric if how.scheme == "symmetric" else affine.asymmetric
    axis = 1 if how.granularity == "per_channel" else None
    lo, hi = weight.min(axis=axis, keepdims=True), weight.max(axis=axis, keepdims=True)

    def place(shrink: Array | None) -> Lattice:
        factors = np.ones((len(weight), 2)) if shrink is None else shrink
        if axis is None:
            factors = factors[..., :1, :]
        return lattice(weight, make(lo * factors[..., :1], hi * factors[..., 1:], how.bits))

    return place


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("rounding", ["nearest", "gptq"])
@pytest.mark.parametrize(
    ("granularity", "scheme"),
    [("per_tensor", "asymmetric"), ("per_tensor", "symmetric"), ("per_channel", "symmetric")],
)
def test_no_factors_of_the_coarse_grid_or_around_its_best_are_better_than_those_found(
    granularity: str, scheme: str, rounding: str, groups: int
) -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_t(3, size=(3, 6))
    each = [second_moments(random_inputs(rng, 6))[:-1, :-1] for _ in range(groups)]
    hessians = Hessians(each)
    how = config(granularity=granularity, scheme=scheme, rounding=rounding, range="mse", bits=3)
    place = placed(weight, how)
    shrink, known = best_shrink(place, hessians, how)
    assert known is None
    assert shrink.shape == (3, 2)
    assert (len(np.unique(shrink, axis=0)) == 1) == (granularity == "per_tensor")
    assert scheme == "asymmetric" or np.array_equal(shrink[:, 0], shrink[:, 1])

    def errors(shrink: Array) -> Array:
        """Of each row, or of all rows that share a scale."""
        rows = place(shrink)
        each = hessians.lost(rows.errors(round_rows(rows, hessians, rounding)[0]))
        return each if granularity == "per_channel" else np.sum(each, keepdims=True)

    def both(ends: list[float]) -> list[tuple[float, float]]:
        return [(low, high) for low in ends for high in ([low] if scheme == "symmetric" else ends)]

    coarse, least = both(COARSE), errors(shrink)
    every = np.stack([errors(np.tile(pair, (3, 1))) for pair in coarse])
    for i, k in enumerate(np.argmin(every, axis=0)):
        low, high = coarse[k]
        near = [
            errors(np.tile([low + a, high + b], (3, 1)))[i]
            for a, b in both([0.01 * j for j in range(-5, 6)])
        ]
        assert least[i] <= min(near) * (1 + 1e-9) <= np.min(every[:, i]) * (1 + 2e-9)


@pytest.mark.parametrize("columns", [6, 30])
def test_exact_is_never_worse_with_the_range_that_is_found_than_with_the_range_as_it_is(
    columns: int,
) -> None:
    how = config(granularity="per_channel", rounding="exact", range="mse", bits=3)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        hessians = Hessians([second_moments(random_inputs(rng, columns, own=0.2))[:-1, :-1]])
        place = placed(rng.normal(size=(2, columns)), how)
        shrink, known = best_shrink(place, hessians, how)
        lattices = place(shrink), place(None)
        chosen, as_it_is = (round_rows(rows, hessians, "exact") for rows in lattices)
        after, before = (
            hessians.lost(rows.errors(codes))
            for rows, (codes, _) in zip(lattices, (chosen, as_it_is), strict=True)
        )
        assert np.all(after <= before)
        # What comes with the range is what rounding with it would give once more.
        assert known is not None
        assert np.array_equal(known.codes, chosen.codes)
        assert [each.error for each in known.certificates] == [
            each.error for each in chosen.certificates
        ]


def test_per_channel_each_row_has_the_range_that_it_would_have_alone() -> None:
    rng = np.random.default_rng(5)
    layer, inputs = random_layer(rng, rows=3), random_inputs(rng)
    how = config(
        granularity="per_channel", range="mse", rounding="gptq", bits=3, bias=Bias(8, (-3.0, 3.0))
    )
    weight, bias, _ = quantized(layer, inputs, how)
    for i in range(3):
        alone = Linear(layer.weight[i : i + 1], layer.bias[i : i + 1])
        own_weight, own_bias, _ = quantized(alone, inputs, how)
        assert own_weight.grid.scale[0, 0] == weight.grid.scale[i, 0]
        assert own_weight.codes[0].tolist() == weight.codes[i].tolist()
        assert own_bias.codes[0] == bias.codes[i]
