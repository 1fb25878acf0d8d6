"""A layer with its weights in codes: honest figures, and no layer that is an obstacle."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from octet.layers import Conv2d, Linear
from octet.network import Network
from octet.parameters import values
from octet.quantizer import Bias
from octet.quantizer.hessian import second_moments
from octet.quantizer.layer import weights_only
from octet.runtime import floating
from octet.signature import Columns, Numbers, Signature
from tests.octet.quantizer.cases import (
    GRANULARITIES,
    NAME,
    ROUNDINGS,
    SHARING,
    config,
    quantized,
    random_conv,
    random_inputs,
    random_layer,
)

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


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
    how = config(granularity=granularity, rounding=rounding, bits=bits)
    weight, bias, figures = quantized(layer, inputs, how)
    signature = Signature(Columns(tuple("abcd")), Numbers("", ""))
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
    *_, nearest = quantized(layer, inputs, replace(how, rounding="nearest"))
    assert figures["nearest_error"] == nearest["output_error"] == nearest["nearest_error"]
    if rounding == "exact":
        assert figures["rows_proven"] == 3
        assert figures["lower_bound"] <= figures["output_error"] <= figures["nearest_error"]
    else:
        assert (figures["lower_bound"], figures["rows_proven"]) == (0, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_what_is_not_finite_is_refused_by_the_name_of_the_layer(part: str, bad: float) -> None:
    layer = random_layer(np.random.default_rng(6))
    getattr(layer, part).flat[-1] = bad
    with pytest.raises(OctetError, match=rf"^layer {NAME}: {part}: got {bad} at index"):
        weights_only(layer, [np.eye(5)], config(), NAME)


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_a_weight_too_large_for_a_float32_scale_is_refused(granularity: str) -> None:
    layer = Linear(np.array([[1e45, 1.0]]), np.zeros(1))
    with pytest.raises(OctetError, match="too wide for a float32 scale"):
        weights_only(layer, [np.eye(3)], config(granularity=granularity), NAME)


@pytest.mark.parametrize("value", [0.0, 0.7, -3.0])
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_a_layer_that_was_never_trained_is_refused_by_name(value: float, granularity: str) -> None:
    layer = Linear(np.full((2, 3), value), np.array([1.0, 2.0]))
    with pytest.raises(OctetError, match=rf"^layer {NAME}: weight: got {value:g} for every one of"):
        weights_only(layer, [np.eye(4)], config(granularity=granularity), NAME)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("range_", ["minmax", "mse"])
def test_a_row_of_zeros_is_its_zero_points_and_loses_nothing(
    granularity: str, rounding: str, range_: str
) -> None:
    # On the range as it is, scales are 1 and the other row loses nothing either.
    layer = Linear(np.array([[0.0, 0, 0], [127, -127, 0]]), np.array([0.0, 127]))
    how = config(
        granularity=granularity,
        rounding=rounding,
        range=range_,
        scheme="symmetric",
        bias=Bias(8, (-127.0, 127.0)),
    )
    weight, bias, figures = quantized(layer, random_inputs(np.random.default_rng(7), 3), how)
    assert np.all(values(weight)[0] == 0)
    assert np.all(weight.codes[0] == 128)
    assert bias.codes[0] == 128
    if granularity == "per_channel":
        assert weight.grid.scale[0] == 1
    assert figures["output_error"] == figures["nearest_error"] == figures["lower_bound"] == 0
    assert figures["rows_proven"] == (2 if rounding == "exact" else 0)


@pytest.mark.parametrize("value", [0.7, -3.0])
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_row_of_equal_weights_loses_the_rounding_of_a_scale(
    value: float, granularity: str, rounding: str
) -> None:
    layer = Linear(np.array([[value] * 3, [0.0] * 3]), np.array([value, 0.0]))
    how = config(granularity=granularity, rounding=rounding)
    weight, bias, figures = quantized(layer, random_inputs(np.random.default_rng(8), 3), how)
    for found in (weight, bias):
        assert values(found)[0] == pytest.approx(value, rel=2.0**-24 * (1 + 2.0**-20), abs=0)
        assert np.all(values(found)[1] == 0)
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
    how = config(granularity=granularity, rounding=rounding, bits=bits)
    layer = random_layer(rng, rows=1, columns=5)
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
    *_, figures = quantized(random_layer(rng, rows=1), inputs, config(rounding=rounding))
    assert 0 < figures["output_error"] < np.inf
    if rounding == "exact":
        assert figures["lower_bound"] <= figures["output_error"] <= figures["nearest_error"]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_one_weight_is_a_layer(rounding: str, granularity: str) -> None:
    layer = Linear(np.array([[0.3]]), np.array([-0.2]))
    how = config(granularity=granularity, rounding=rounding, bits=2)
    *_, figures = quantized(layer, np.array([[1.0], [2.0], [-4.0]]), how)
    assert figures["rows"] == 1


def test_quantizing_leaves_the_float_layer_as_it_was() -> None:
    rng = np.random.default_rng(10)
    layer, inputs = random_layer(rng), random_inputs(rng)
    before = [values(layer.weight).copy(), values(layer.bias).copy(), inputs.copy()]
    quantized(layer, inputs, config(rounding="exact"))
    for old, new in zip(before, (layer.weight, layer.bias, inputs), strict=True):
        assert np.array_equal(old, new)


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_convolution_is_quantized_as_the_linear_layer_of_what_its_kernel_sees(
    granularity: str, scheme: str, rounding: str
) -> None:
    rng = np.random.default_rng(16)
    conv = random_conv(rng, 3, 2, side=2)
    flat = Linear(values(conv.weight).reshape(3, 8), conv.bias)
    hessian = second_moments(random_inputs(rng, 8))
    range_ = "mse" if granularity == "per_channel" else "minmax"
    how = config(granularity=granularity, scheme=scheme, rounding=rounding, range=range_, bits=4)
    found, figures = weights_only(conv, [hessian], how, NAME)
    expected, same_figures = weights_only(flat, [hessian], how, NAME)
    assert isinstance(found, Conv2d)
    assert found.padding == conv.padding
    assert found.weight.codes.shape == (3, 2, 2, 2)
    assert found.weight.codes.reshape(3, 8).tolist() == expected.weight.codes.tolist()
    assert np.array_equal(values(found.weight).reshape(3, 8), values(expected.weight))
    assert found.bias.codes.tolist() == expected.bias.codes.tolist()
    assert figures == same_figures
    assert (found.weight.grid is found.bias.grid) == (granularity == "unified")
    shape = {"per_channel": (3, 1, 1, 1), "per_parameter": (3, 2, 2, 2)}.get(granularity, ())
    assert found.weight.grid.scale.shape == found.weight.grid.zero_point.shape == shape


def test_rows_that_are_too_long_to_be_proven_claim_nothing() -> None:
    rng = np.random.default_rng(17)
    layer, inputs = random_layer(rng, 2, 40), random_inputs(rng, 40)
    *_, figures = quantized(layer, inputs, config(rounding="exact", bits=4))
    *_, gptq = quantized(layer, inputs, config(rounding="gptq", bits=4))
    assert (figures["lower_bound"], figures["rows_proven"], figures["rows"]) == (0, 0, 2)
    assert figures["output_error"] <= gptq["output_error"]
