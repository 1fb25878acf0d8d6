"""The grids of a layer: those that were asked for, and the range that loses least."""

import numpy as np
import pytest

from octet import affine
from octet.affine import Grid
from octet.layers import Linear
from octet.parameters import values
from octet.quantizer import Bias
from tests.octet.quantizer.cases import (
    GRANULARITIES,
    ROUNDINGS,
    SHARING,
    config,
    quantized,
    random_inputs,
    random_layer,
)


def assert_grid(grid: Grid, expected: Grid) -> None:
    assert grid.bits == expected.bits
    assert grid.scale.shape == expected.scale.shape
    assert grid.scale.tolist() == expected.scale.tolist()
    assert grid.zero_point.tolist() == expected.zero_point.tolist()


@pytest.mark.parametrize("range_", ["minmax", "mse", (-1.5, 2.0)])
@pytest.mark.parametrize(
    ("granularity", "weight_shape", "bias_shape"),
    [
        ("per_tensor", (), ()),
        ("per_channel", (3, 1), ()),
        ("per_parameter", (3, 4), (3,)),
        ("unified", (), ()),
    ],
)
def test_a_scale_belongs_to_what_the_granularity_says(
    granularity: str, range_: object, weight_shape: tuple[int, ...], bias_shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    how = config(granularity=granularity, range=range_, bits=5)
    weight, bias, _ = quantized(random_layer(rng), random_inputs(rng), how)
    assert weight.grid.scale.shape == weight.grid.zero_point.shape == weight_shape
    assert bias.grid.scale.shape == bias.grid.zero_point.shape == bias_shape
    assert weight.grid.bits == 5
    assert bias.grid.bits == (5 if granularity == "unified" else 8)
    assert (weight.grid is bias.grid) == (granularity == "unified")


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
def test_minmax_spans_what_shares_the_scale(granularity: str, scheme: str) -> None:
    rng = np.random.default_rng(1)
    layer = random_layer(rng)
    weight, bias = values(layer.weight), values(layer.bias)
    how = config(granularity=granularity, scheme=scheme, bias=Bias(11, "minmax"))
    make = getattr(affine, scheme)
    both = np.append(weight.reshape(-1), bias)
    lo, hi = {
        "per_tensor": (weight.min(), weight.max()),
        "per_channel": (weight.min(axis=1)[:, None], weight.max(axis=1)[:, None]),
        "per_parameter": (weight, weight),
        "unified": (both.min(), both.max()),
    }[granularity]
    found, found_bias, _ = quantized(layer, random_inputs(rng), how)
    assert_grid(found.grid, make(lo, hi, 8))
    if granularity == "per_parameter":
        assert_grid(found_bias.grid, make(bias, bias, 11))
    elif granularity != "unified":
        assert_grid(found_bias.grid, make(bias.min(), bias.max(), 11))


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_an_explicit_range_is_used_as_given(granularity: str, scheme: str, rounding: str) -> None:
    rng = np.random.default_rng(2)
    how = config(
        granularity=granularity,
        scheme=scheme,
        range=(-0.5, 0.75),
        rounding=rounding,
        bias=Bias(4, (-0.25, 1.0)),
    )
    weight, bias, _ = quantized(random_layer(rng), random_inputs(rng), how)
    make = getattr(affine, scheme)
    shape = weight.grid.scale.shape
    assert_grid(weight.grid, make(np.full(shape, -0.5), np.full(shape, 0.75), 8))
    if granularity != "unified":
        assert_grid(bias.grid, make(-0.25, 1.0, 4))


def test_a_margin_widens_minmax_by_shares_of_its_extent() -> None:
    layer = Linear(np.array([[-1.0, 0.5], [2.0, 3.0]]), np.array([0.5, 7.0]))
    inputs = random_inputs(np.random.default_rng(0), 2)

    def grid(granularity: str) -> Grid:
        how = config(granularity=granularity, margin=(0.5, 0.25))
        return quantized(layer, inputs, how)[0].grid

    assert_grid(grid("per_tensor"), affine.asymmetric(-1 - 0.5 * 4, 3 + 0.25 * 4, 8))
    assert_grid(grid("unified"), affine.asymmetric(-1 - 0.5 * 8, 7 + 0.25 * 8, 8))
    rows = affine.symmetric([[-1.75], [-1.5]], [[0.875], [3.75]], 8)  # [-1, 0.5] and [0, 3]
    assert_grid(grid("per_channel"), rows)
    each = affine.asymmetric([[-1.5, -0.25], [-1, -1.5]], [[0.25, 0.625], [2.5, 3.75]], 8)
    assert_grid(grid("per_parameter"), each)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("range_", ["minmax", "mse"])
def test_symmetric_has_its_zero_in_the_middle(granularity: str, range_: str) -> None:
    rng = np.random.default_rng(3)
    how = config(scheme="symmetric", granularity=granularity, range=range_, bits=6)
    weight, bias, _ = quantized(random_layer(rng), random_inputs(rng), how)
    assert np.all(weight.grid.zero_point == 32)
    assert np.all(bias.grid.zero_point == (32 if granularity == "unified" else 128))


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
            bias=Bias(bits, "minmax"),
        )
        found = quantized(Linear(weight, bias), random_inputs(rng, 3), how)
        # Its own scale, rounded to float32, is all that is lost.
        for before, after in zip((weight, bias), found, strict=False):
            lost = np.abs(values(after) - before)
            assert np.all(lost <= 2.0**-24 * (1 + 2.0**-20) * np.abs(before))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(
    ("granularity", "scheme"),
    [
        ("per_tensor", "asymmetric"),
        ("per_tensor", "symmetric"),
        ("per_channel", "symmetric"),
        ("unified", "symmetric"),
    ],
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
def test_exact_codes_on_the_range_of_least_error_are_never_worse_than_on_minmax(seed: int) -> None:
    # The range that is best for exact is none of the best for gptq here: it is minmax.
    rng = np.random.default_rng(seed)
    layer, inputs = random_layer(rng, rows=1), random_inputs(rng, own=0.1)
    how = {"scheme": "symmetric", "rounding": "exact", "bits": 4}
    *_, minmax = quantized(layer, inputs, config(range="minmax", **how))
    *_, mse = quantized(layer, inputs, config(range="mse", **how))
    assert mse["output_error"] <= minmax["output_error"]


def test_per_channel_each_row_has_the_range_that_it_would_have_alone() -> None:
    rng = np.random.default_rng(5)
    layer, inputs = random_layer(rng, rows=3), random_inputs(rng)
    bias_range = (-3.0, 3.0)
    how = config(
        granularity="per_channel",
        range="mse",
        rounding="gptq",
        bits=3,
        bias=Bias(8, bias_range),
    )
    weight, bias, _ = quantized(layer, inputs, how)
    for i in range(3):
        alone = Linear(layer.weight[i : i + 1], layer.bias[i : i + 1])
        own_weight, own_bias, _ = quantized(alone, inputs, how)
        assert own_weight.grid.scale[0, 0] == weight.grid.scale[i, 0]
        assert own_weight.codes[0].tolist() == weight.codes[i].tolist()
        assert own_bias.codes[0] == bias.codes[i]
