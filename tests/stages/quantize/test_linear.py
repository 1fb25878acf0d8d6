"""A layer in codes: the grids that were asked for, the range that loses least, honest figures."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine, floating
from octet.affine import Grid
from octet.errors import OctetError
from octet.network import Array, Linear, Network, Quantized, Signature, Standardize, values
from stages.params import Quant
from stages.quantize import linear
from stages.quantize.network import quantize_network

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

GRANULARITIES = ["per_tensor", "per_channel", "per_parameter", "unified"]
# A scale per channel is symmetric, all others are either.
SHARING = [(each, "symmetric") for each in GRANULARITIES] + [
    (each, "asymmetric") for each in GRANULARITIES if each != "per_channel"
]
ROUNDINGS = ["nearest", "gptq", "exact"]
NAME = "layer 7 (linear)"


def quant(**changes: Any) -> Quant:
    """Plain 8-bit rounding to nearest, but for the changes; per channel it is symmetric."""
    keys: dict[str, Any] = {
        "bits": 8,
        "scheme": "symmetric" if changes.get("granularity") == "per_channel" else "asymmetric",
        "granularity": "per_tensor",
        "range": "minmax",
        "margin": (0.0, 0.0),
        "rounding": "nearest",
        "bias": {"bits": 8, "range": "minmax"},
    }
    return Quant.model_validate(keys | changes)


def random_layer(rng: np.random.Generator, rows: int = 3, columns: int = 4) -> Linear:
    return Linear(rng.normal(size=(rows, columns)), rng.normal(size=rows))


def random_inputs(rng: np.random.Generator, columns: int = 4, own: float = 0.5) -> Array:
    """Samples of inputs that share all but ``own``, each in its own unit."""
    x = rng.normal(size=(80, 1)) + own * rng.normal(size=(80, columns))
    return (x + rng.normal(size=columns)) * rng.uniform(0.5, 2, columns)


def quantized(
    layer: Linear, inputs: Array, how: Quant
) -> tuple[Quantized, Quantized, dict[str, float]]:
    """Weight and bias in codes, which are checked to be of the right shape and width."""
    found, figures = linear.quantize(layer, inputs, how, NAME)
    for before, after in ((layer.weight, found.weight), (layer.bias, found.bias)):
        assert isinstance(after, Quantized)
        assert after.codes.shape == before.shape
        assert after.codes.dtype == after.grid.zero_point.dtype
        assert after.codes.dtype == (np.uint8 if after.grid.bits <= 8 else np.uint16)
        assert np.all(after.codes <= after.grid.top)
    return found.weight, found.bias, figures


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
    how = quant(granularity=granularity, range=range_, bits=5)
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
    how = quant(granularity=granularity, scheme=scheme, bias={"bits": 11, "range": "minmax"})
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
    how = quant(
        granularity=granularity,
        scheme=scheme,
        range=(-0.5, 0.75),
        rounding=rounding,
        bias={"bits": 4, "range": (-0.25, 1.0)},
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
        how = quant(granularity=granularity, margin=(0.5, 0.25))
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
    how = quant(scheme="symmetric", granularity=granularity, range=range_, bits=6)
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
        how = quant(
            granularity="per_parameter",
            scheme=scheme,
            rounding=rounding,
            range=range_,
            bits=bits,
            bias={"bits": bits, "range": "minmax"},
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
        *_, minmax = quantized(layer, inputs, quant(range="minmax", **how))
        *_, mse = quantized(layer, inputs, quant(range="mse", **how))
        assert mse["output_error"] <= minmax["output_error"]
        assert mse["output_error"] < 0.9 * minmax["output_error"] or bits > 2


@pytest.mark.parametrize("seed", [698, 1490, 5001])
def test_exact_codes_on_the_range_of_least_error_are_never_worse_than_on_minmax(seed: int) -> None:
    # The range that is best for exact is none of the best for gptq here: it is minmax.
    rng = np.random.default_rng(seed)
    layer, inputs = random_layer(rng, rows=1), random_inputs(rng, own=0.1)
    how = {"scheme": "symmetric", "rounding": "exact", "bits": 4}
    *_, minmax = quantized(layer, inputs, quant(range="minmax", **how))
    *_, mse = quantized(layer, inputs, quant(range="mse", **how))
    assert mse["output_error"] <= minmax["output_error"]


def test_per_channel_each_row_has_the_range_that_it_would_have_alone() -> None:
    rng = np.random.default_rng(5)
    layer, inputs = random_layer(rng, rows=3), random_inputs(rng)
    bias_range = (-3.0, 3.0)
    how = quant(
        granularity="per_channel",
        range="mse",
        rounding="gptq",
        bits=3,
        bias={"bits": 8, "range": bias_range},
    )
    weight, bias, _ = quantized(layer, inputs, how)
    for i in range(3):
        alone = Linear(layer.weight[i : i + 1], layer.bias[i : i + 1])
        own_weight, own_bias, _ = quantized(alone, inputs, how)
        assert own_weight.grid.scale[0, 0] == weight.grid.scale[i, 0]
        assert own_weight.codes[0].tolist() == weight.codes[i].tolist()
        assert own_bias.codes[0] == bias.codes[i]


@settings(fixed, max_examples=50)
@given(
    seed=seeds,
    granularity=st.sampled_from(GRANULARITIES),
    rounding=st.sampled_from(ROUNDINGS),
    bits=st.integers(2, 16),
)
def test_the_figures_are_what_the_codes_do_at_the_outputs(
    seed: int, granularity: str, rounding: str, bits: int
) -> None:
    rng = np.random.default_rng(seed)
    layer, inputs = random_layer(rng), random_inputs(rng)
    how = quant(granularity=granularity, rounding=rounding, bits=bits)
    weight, bias, figures = quantized(layer, inputs, how)
    signature = Signature(tuple("abcd"), "", "")
    before = floating.run(Network((layer,), signature), inputs)
    after = floating.run(Network((Linear(weight, bias),), signature), inputs)
    lost = float(np.sum(np.mean((after - before) ** 2, axis=0)))
    # The outputs are rounded at 2⁻⁵³ of their size; H is raised by 1e-12 of its diagonal.
    size = float(np.sum(np.mean((np.abs(inputs) @ np.abs(layer.weight).T + 3) ** 2, axis=0)))
    errors = np.abs(values(weight) - layer.weight)
    ridge = 1e-12 * float(np.sum(np.mean(inputs**2, axis=0) * errors**2) + np.sum(errors**2))
    allowed = 40 * 2.0**-53 * np.sqrt(lost * size) + (40 * 2.0**-53) ** 2 * size + 2 * ridge
    assert abs(figures["output_error"] - lost) <= allowed + 1e-12 * lost
    assert figures["rows"] == 3
    *_, nearest = quantized(layer, inputs, how.model_copy(update={"rounding": "nearest"}))
    assert figures["nearest_error"] == nearest["output_error"] == nearest["nearest_error"]
    if rounding == "exact":
        assert figures["rows_proven"] == 3
        assert figures["lower_bound"] <= figures["output_error"] <= figures["nearest_error"]
    else:
        assert (figures["lower_bound"], figures["rows_proven"]) == (0, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["weight", "bias", "inputs"])
def test_what_is_not_finite_is_refused_by_the_name_of_the_layer(part: str, bad: float) -> None:
    rng = np.random.default_rng(6)
    layer, inputs = random_layer(rng), random_inputs(rng)
    array = {"weight": layer.weight, "bias": layer.bias, "inputs": inputs}[part]
    array.flat[-1] = bad
    with pytest.raises(OctetError, match=rf"^layer 7 \(linear\): {part}: got {bad} at index"):
        linear.quantize(layer, inputs, quant(), NAME)


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_a_weight_too_large_for_a_float32_scale_is_refused(granularity: str) -> None:
    layer = Linear(np.array([[1e45, 1.0]]), np.zeros(1))
    with pytest.raises(OctetError, match="too wide for a float32 scale"):
        linear.quantize(layer, np.ones((5, 2)), quant(granularity=granularity), NAME)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("range_", ["minmax", "mse"])
def test_a_layer_of_zeros_is_its_zero_points_and_loses_nothing(
    granularity: str, rounding: str, range_: str
) -> None:
    layer = Linear(np.zeros((2, 3)), np.zeros(2))
    how = quant(granularity=granularity, rounding=rounding, range=range_)
    weight, bias, figures = quantized(layer, random_inputs(np.random.default_rng(7), 3), how)
    for found in (weight, bias):
        assert np.all(found.codes == found.grid.zero_point)
        assert np.all(found.grid.scale == 1)
    assert figures["output_error"] == figures["nearest_error"] == figures["lower_bound"] == 0
    assert figures["rows_proven"] == (2 if rounding == "exact" else 0)


@pytest.mark.parametrize("value", [0.7, -3.0])
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_layer_of_equal_weights_loses_the_rounding_of_a_scale(
    value: float, granularity: str, rounding: str
) -> None:
    layer = Linear(np.full((2, 3), value), np.full(2, value))
    how = quant(granularity=granularity, rounding=rounding)
    weight, bias, figures = quantized(layer, random_inputs(np.random.default_rng(8), 3), how)
    for found in (weight, bias):
        assert values(found) == pytest.approx(value, rel=2.0**-24 * (1 + 2.0**-20), abs=0)
    assert figures["output_error"] < 1e-12


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("bits", [2, 8])
def test_inputs_that_carry_no_news_are_no_obstacle(
    granularity: str, rounding: str, bits: int
) -> None:
    rng = np.random.default_rng(9)
    alive = rng.normal(size=(50, 1))
    dead, constant = np.zeros((50, 1)), np.full((50, 1), 3.0)
    inputs = np.hstack([alive, dead, constant, alive, -2 * alive])
    how = quant(granularity=granularity, rounding=rounding, bits=bits)
    layer = random_layer(rng, rows=2, columns=5)
    *_, figures = quantized(layer, inputs, how)
    assert np.isfinite(figures["output_error"])
    if rounding == "exact":
        assert figures["output_error"] <= figures["nearest_error"]
        assert figures["lower_bound"] <= figures["output_error"]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("units", [(1e-10, 1.0, 1.0, 1e10), (1e15, 1.0, 1.0, 1e-15)])
def test_inputs_may_have_units_that_are_decades_apart(
    units: tuple[float, ...], rounding: str
) -> None:
    rng = np.random.default_rng(14)
    inputs = random_inputs(rng) * units
    *_, figures = quantized(random_layer(rng), inputs, quant(rounding=rounding))
    assert 0 < figures["output_error"] < np.inf
    if rounding == "exact":
        assert figures["lower_bound"] <= figures["output_error"] <= figures["nearest_error"]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_inputs_whose_squares_overflow_are_refused_by_name(rounding: str) -> None:
    rng = np.random.default_rng(15)
    inputs = random_inputs(rng) * [1.0, 1e200, 1.0, 1.0]
    with pytest.raises(OctetError, match=rf"^{re.escape(NAME)}: inputs: "):
        linear.quantize(random_layer(rng), inputs, quant(rounding=rounding), NAME)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_one_weight_is_a_layer(rounding: str, granularity: str) -> None:
    layer = Linear(np.array([[0.3]]), np.array([-0.2]))
    how = quant(granularity=granularity, rounding=rounding, bits=2)
    *_, figures = quantized(layer, np.array([[1.0], [2.0], [-4.0]]), how)
    assert figures["rows"] == 1


def test_quantizing_leaves_the_float_layer_as_it_was() -> None:
    rng = np.random.default_rng(10)
    layer, inputs = random_layer(rng), random_inputs(rng)
    before = [values(layer.weight).copy(), values(layer.bias).copy(), inputs.copy()]
    quantized(layer, inputs, quant(rounding="exact"))
    for old, new in zip(before, (layer.weight, layer.bias, inputs), strict=True):
        assert np.array_equal(old, new)


def network(rng: np.random.Generator) -> Network:
    """Two linear layers behind a scaler that makes inputs 1,000 times smaller."""
    scaler = Standardize(np.full(4, 5.0), np.full(4, 1000.0))
    layers = scaler, random_layer(rng), random_layer(rng, 2, 3)
    return Network(layers, Signature(tuple("abcd"), "price", "$"))


def test_each_layer_is_quantized_on_what_it_sees() -> None:
    rng = np.random.default_rng(11)
    model, x = network(rng), random_inputs(rng) * 1000
    how = quant(rounding="exact", bits=3)
    found = quantize_network(model, x, how)
    assert found.signature == model.signature
    assert found.layers[0] is model.layers[0]
    seen = [
        floating.run(replace(model, layers=model.layers[:i]), x) for i in range(len(model.layers))
    ]
    figures: dict[str, float] = {}
    for i in (1, 2):
        layer, own = linear.quantize(model.layers[i], seen[i], how, NAME)
        assert found.layers[i].weight.codes.tolist() == layer.weight.codes.tolist()
        assert found.layers[i].bias.codes.tolist() == layer.bias.codes.tolist()
        figures = {key: figures.get(key, 0) + value for key, value in own.items()}
    assert found.rounding == figures


def test_a_network_is_not_quantized_twice() -> None:
    rng = np.random.default_rng(12)
    once = quantize_network(network(rng), random_inputs(rng), quant())
    with pytest.raises(OctetError, match="quantized already"):
        quantize_network(once, random_inputs(rng), quant())


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_a_layer_that_was_never_trained_is_refused_by_name(value: float) -> None:
    rng = np.random.default_rng(16)
    model = network(rng)
    model.layers[2].weight[:] = value
    with pytest.raises(OctetError, match=rf"^layer 2 \(linear\): weight: got {value:g} for every"):
        quantize_network(model, random_inputs(rng), quant())


def test_an_error_in_a_network_names_the_layer() -> None:
    rng = np.random.default_rng(13)
    model = network(rng)
    model.layers[2].bias[1] = np.nan
    with pytest.raises(OctetError, match=r"^layer 2 \(linear\): bias: got nan at index \[1\]"):
        quantize_network(model, random_inputs(rng), quant())
