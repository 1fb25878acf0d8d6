"""A layer with its weights in codes, for floats and for integers: honest reports, no obstacles."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Conv2d, Linear
from octet.parameters import values
from octet.quantizer import Bias, Config
from octet.quantizer.hessian import Hessians, second_moments
from octet.quantizer.layer import for_integers, weights_only
from tests.octet.quantizer.cases import (
    GRANULARITIES,
    NAME,
    ROUNDINGS,
    SHARING,
    case,
    config,
    quantized,
    random_conv,
    random_inputs,
    random_layer,
)

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

# What of SHARING integer layers take.
INTEGERS = [each for each in SHARING if each[0] in ("per_tensor", "per_channel")]


@st.composite
def for_integers_somehow(draw: st.DrawFn) -> Config:
    granularity, scheme = draw(st.sampled_from(INTEGERS))
    return config(
        granularity=granularity,
        scheme=scheme,
        rounding=draw(st.sampled_from(ROUNDINGS)),
        bits=draw(st.integers(2, 8)),
        range=draw(st.sampled_from(["minmax", (-0.7, 0.9)])),
    )


@settings(fixed, max_examples=50)
@given(
    seed=seeds,
    granularity=st.sampled_from(GRANULARITIES),
    rounding=st.sampled_from(ROUNDINGS),
    bits=st.integers(2, 16),
)
def test_weights_only_the_report_is_what_the_codes_do_at_the_outputs(
    seed: int, granularity: str, rounding: str, bits: int
) -> None:
    rng = np.random.default_rng(seed)
    layer, inputs = random_layer(rng), random_inputs(rng)
    how = config(granularity=granularity, rounding=rounding, bits=bits)
    weight, bias, report = quantized(layer, inputs, how)
    before, after = layer.reals(inputs), Linear(weight, bias).reals(inputs)
    lost = float(np.sum(np.mean((after - before) ** 2, axis=0)))
    # The outputs are rounded at 2⁻⁵³ of their size; H is raised by 1e-12 of its diagonal.
    size = float(np.sum(np.mean((np.abs(inputs) @ np.abs(layer.weight).T + 3) ** 2, axis=0)))
    errors = np.abs(values(weight) - layer.weight)
    ridge = 1e-12 * float(np.sum(np.mean(inputs**2, axis=0) * errors**2) + np.sum(errors**2))
    allowed = 40 * 2.0**-53 * np.sqrt(lost * size) + (40 * 2.0**-53) ** 2 * size + 2 * ridge
    assert abs(report["output_error"] - lost) <= allowed + 1e-12 * lost
    *_, nearest = quantized(layer, inputs, replace(how, rounding="nearest"))
    assert report["nearest_error"] == nearest["output_error"] == nearest["nearest_error"]
    proven = 3 if rounding == "exact" else 0
    assert (report["rows"], report["rows_searched"], report["rows_proven"]) == (3, proven, proven)
    assert report["lower_bound"] <= report["output_error"]
    assert (report["lower_bound"] > 0) == (rounding == "exact" and report["output_error"] > 0)


@settings(fixed, max_examples=60)
@given(seed=seeds, how=for_integers_somehow(), noise=st.sampled_from([0.0, 0.1, 0.5]))
def test_for_integers_the_bias_makes_good_every_mean_error_and_sums_and_report_are_right(
    seed: int, how: Config, noise: float
) -> None:
    # Rounding to nearest takes weights as they are, whatever those before have lost.
    noise = 0.0 if how.rounding == "nearest" else noise
    problem = case(seed, noise=noise)
    layer, report = problem.quantized(how)
    mean = np.mean(problem.outputs(layer) - problem.wanted, axis=1)
    # The bias is on the grid of the sums.
    assert np.all(np.abs(mean) <= layer.bias.scale / 2 + problem.known())
    if not noise:
        # The bias adds its own rounding; regression finds W again but for what 20 bits lose.
        shift = 2 * problem.known()
        allowed = np.sum(layer.bias.scale**2) / 4
        allowed += 2 * shift * np.sqrt(3 * problem.lost(layer)) + 3 * shift**2
        assert abs(report["output_error"] - problem.lost(layer)) <= allowed
    zero = int(problem.entering.zero_point)
    steps = layer.weight.codes.astype(np.int64) - layer.weight.grid.zero_point.astype(np.int64)
    low, high = -zero * steps, (255 - zero) * steps
    bias = layer.bias.codes.astype(np.int64)
    largest = np.maximum(low, high).sum(axis=1) + bias
    smallest = np.minimum(low, high).sum(axis=1) + bias
    assert max(largest.max(), -smallest.min()) <= report["largest_sum"] < 2**31


@pytest.mark.parametrize(("granularity", "scheme"), INTEGERS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_each_bit_more_takes_at_least_half_of_the_error_away(
    granularity: str, scheme: str, rounding: str
) -> None:
    total = np.zeros(7)
    for seed in range(24):
        problem = case(seed)
        for i, bits in enumerate(range(2, 9)):
            how = config(granularity=granularity, scheme=scheme, rounding=rounding, bits=bits)
            total[i] += problem.quantized(how)[1]["output_error"]
    assert np.all(total[1:] < total[:-1] / 2)


@pytest.mark.parametrize(("granularity", "scheme"), INTEGERS)
@pytest.mark.parametrize("columns", [6, 30])
def test_exact_is_never_worse_than_gptq_and_where_proven_than_nearest(
    granularity: str, scheme: str, columns: int
) -> None:
    for seed in range(3):
        problem = case(seed, random_layer(np.random.default_rng(seed), 2, columns), own=0.3)
        how = config(granularity=granularity, scheme=scheme, bits=4)
        exact, gptq = (
            problem.quantized(replace(how, rounding=rounding))[1] for rounding in ("exact", "gptq")
        )
        assert exact["nearest_error"] == gptq["nearest_error"]
        assert exact["output_error"] <= gptq["output_error"] * (1 + 1e-9)
        if columns == 6:
            assert exact["rows_proven"] == exact["rows"] == 2
            assert exact["output_error"] <= exact["nearest_error"] * (1 + 1e-9)
            assert exact["lower_bound"] == pytest.approx(exact["output_error"], rel=1e-9)
        else:  # too long to be searched: nothing is claimed
            assert (exact["rows_searched"], exact["rows_proven"], exact["lower_bound"]) == (0, 0, 0)


@pytest.mark.parametrize(("granularity", "scheme"), INTEGERS)
def test_rounding_to_nearest_is_rounding_of_the_float_weights(
    granularity: str, scheme: str
) -> None:
    problem = case(0, noise=0.5)
    weight = values(problem.layer.weight)
    axis = 1 if granularity == "per_channel" else None
    lo, hi = (f(weight, axis=axis, keepdims=axis == 1) for f in (np.min, np.max))
    grid = getattr(affine, scheme)(lo, hi, 6)
    layer, report = problem.quantized(config(granularity=granularity, scheme=scheme, bits=6))
    assert layer.weight.codes.tolist() == affine.quantize(weight, grid).tolist()
    assert report["output_error"] == report["nearest_error"]


@pytest.mark.parametrize("rounding", ROUNDINGS[1:])
def test_what_earlier_layers_lost_is_made_good_in_the_weights(rounding: str) -> None:
    nearest, mended = 0.0, 0.0
    for seed in range(10):
        problem = case(seed, noise=0.3)
        nearest += problem.lost(problem.quantized(config())[0])
        mended += problem.lost(problem.quantized(config(rounding=rounding))[0])
    assert mended < 0.8 * nearest


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_convolution_is_quantized_as_the_linear_layer_of_what_its_kernel_sees(
    granularity: str, scheme: str, rounding: str
) -> None:
    rng = np.random.default_rng(16)
    conv = random_conv(rng, 3, 2, side=2)
    flat = Linear(values(conv.weight).reshape(3, 8), conv.bias)
    range_ = "mse" if granularity == "per_channel" else "minmax"
    how = config(granularity=granularity, scheme=scheme, rounding=rounding, range=range_, bits=4)
    hessian = Hessians([second_moments(random_inputs(rng, 8))])
    pairs = [tuple(weights_only(layer, hessian, how, NAME) for layer in (conv, flat))]
    if (granularity, scheme) in INTEGERS:
        problem = case(1, conv)
        pairs.append(tuple(replace(problem, layer=each).quantized(how) for each in (conv, flat)))
    shape = {"per_channel": (3, 1, 1, 1), "per_parameter": (3, 2, 2, 2)}.get(granularity, ())
    for (layer, report), (expected, same_report) in pairs:
        assert isinstance(layer, Conv2d)
        assert layer.padding == conv.padding
        assert layer.weight.codes.reshape(3, 8).tolist() == expected.weight.codes.tolist()
        assert np.array_equal(values(layer.weight).reshape(3, 8), values(expected.weight))
        assert layer.bias.codes.tolist() == expected.bias.codes.tolist()
        assert report == same_report
        assert layer.weight.grid.scale.shape == layer.weight.grid.zero_point.shape == shape


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel"])
def test_a_group_of_a_convolution_is_quantized_as_a_layer_of_its_own(
    granularity: str, rounding: str, integers: bool
) -> None:
    rng = np.random.default_rng(3)
    weight, bias = rng.normal(size=(4, 1, 3, 3)), rng.normal(size=4)
    # Shared by all, a range must be the same for each alone.
    ends = "minmax" if granularity == "per_channel" else (-2.0, 2.0)
    how = config(
        granularity=granularity, rounding=rounding, range=ends, bits=4, bias=Bias(8, (-3.0, 3.0))
    )
    conv = Conv2d(weight, bias, groups=2)
    parts = [case(i, Linear(weight.reshape(4, 9)[i : i + 2], bias[i : i + 2])) for i in (0, 2)]
    entering = parts[0].entering
    if integers:
        sums = [part.moments() for part in parts]
        layer, report = for_integers(conv, sums, entering, how, NAME)
        alone = [
            for_integers(part.layer, [each], entering, how, NAME)
            for part, each in zip(parts, sums, strict=True)
        ]
    else:
        hessians = [second_moments(part.steps.T) for part in parts]
        layer, report = weights_only(conv, Hessians(hessians), how, NAME)
        alone = [
            weights_only(part.layer, Hessians([each]), how, NAME)
            for part, each in zip(parts, hessians, strict=True)
        ]
    codes = np.concatenate([each.weight.codes for each, _ in alone])
    assert np.array_equal(layer.weight.codes.reshape(4, 9), codes)
    assert np.array_equal(layer.bias.codes, np.concatenate([each.bias.codes for each, _ in alone]))
    for name in ("output_error", "nearest_error", "lower_bound", "rows", "rows_proven"):
        assert report[name] == pytest.approx(sum(each[name] for _, each in alone), rel=1e-12)
    assert report["rows_proven"] == (4 if rounding == "exact" else 0)


def refused(layer: Linear, how: Config) -> list[str]:
    """What both ways to quantize say of a layer of which they can make nothing."""
    problem = case(0)
    messages = []
    with pytest.raises(OctetError) as caught:
        weights_only(layer, Hessians([np.eye(7)]), how, NAME)
    messages.append(str(caught.value))
    if how.granularity in ("per_tensor", "per_channel"):
        with pytest.raises(OctetError) as caught:
            for_integers(layer, [problem.moments()], problem.entering, how, NAME)
        messages.append(str(caught.value))
    return messages


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_weights_that_cannot_be_quantized_are_refused_by_the_name_of_the_layer(
    granularity: str,
) -> None:
    how = config(granularity=granularity)
    for bad in (np.nan, np.inf, -np.inf):
        for part in ("weight", "bias"):
            layer = random_layer(np.random.default_rng(6), 3, 6)
            getattr(layer, part).flat[-1] = bad
            for message in refused(layer, how):
                assert message.startswith(f"layer {NAME}: {part}: got {bad} at index")
    for value in (0.0, 0.7, -3.0):  # nothing was learnt
        layer = Linear(np.full((3, 6), value), np.array([1.0, 2.0, 3.0]))
        for message in refused(layer, how):
            assert message.startswith(f"layer {NAME}: weight: got {value:g} for every one of 18")
    layer = random_layer(np.random.default_rng(6), 3, 6)
    layer.weight[0, 0] = 1e45
    assert "too wide for a float32 scale" in refused(layer, how)[0]


def test_a_range_too_narrow_for_the_bias_is_said_to_be_that() -> None:
    problem = case(0)
    for granularity in ("per_tensor", "per_channel"):
        how = config(granularity=granularity, range=(-1e-12, 1e-12))
        with pytest.raises(
            OctetError,
            match=rf"^layer {NAME}: bias: got .* allowed are 2\^31: quant\.range: got \[-1e-12, ",
        ):
            problem.quantized(how)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_rows_of_zeros_or_of_equal_weights_lose_no_more_than_the_rounding_of_a_scale(
    granularity: str, rounding: str
) -> None:
    how = config(
        granularity=granularity, rounding=rounding, scheme="symmetric", bias=Bias(8, (-127, 127))
    )
    inputs = random_inputs(np.random.default_rng(7), 3)
    # Scales are 1, and the other row loses nothing either.
    zeros = Linear(np.array([[0.0, 0, 0], [127, -127, 0]]), np.array([0.0, 127]))
    for range_ in ("minmax", "mse"):
        weight, bias, report = quantized(zeros, inputs, replace(how, range=range_))
        assert np.all(weight.codes[0] == 128)
        assert bias.codes[0] == 128
        assert report["output_error"] == report["nearest_error"] == report["lower_bound"] == 0
        assert report["rows_proven"] == (2 if rounding == "exact" else 0)
    for value in (0.7, -3.0):
        equal = Linear(np.array([[value] * 3, [0.0] * 3]), np.array([value, 0.0]))
        how = config(granularity=granularity, rounding=rounding)
        *parts, report = quantized(equal, inputs, how)
        for part in parts:
            assert values(part)[0] == pytest.approx(value, rel=2.0**-24 * (1 + 2.0**-20), abs=0)
            assert np.all(values(part)[1] == 0)
        assert report["output_error"] < 1e-12


def no_news(rng: np.random.Generator) -> Array:
    alive = rng.normal(size=(50, 1))
    return np.hstack([alive, np.zeros((50, 1)), np.full((50, 1), 3.0), alive, -2 * alive])


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(
    "inputs",
    [
        no_news,
        lambda rng: random_inputs(rng) * (1e-10, 1.0, 1.0, 1e10),
        lambda rng: random_inputs(rng) * (1e15, 1.0, 1.0, 1e-15),
        lambda _: np.array([[1.0], [2.0], [-4.0]]),
    ],
    ids=["no news", "20 decades", "30 decades", "one weight"],
)
def test_no_inputs_are_an_obstacle(granularity: str, rounding: str, inputs: object) -> None:
    rng = np.random.default_rng(9)
    x = inputs(rng)
    layer = random_layer(rng, 1, x.shape[1])
    for bits in (2, 8):
        how = config(granularity=granularity, rounding=rounding, bits=bits)
        *_, report = quantized(layer, x, how)
        assert 0 <= report["lower_bound"] <= report["output_error"] < np.inf
        if rounding == "exact":
            assert report["output_error"] <= report["nearest_error"]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("constant", [[1], [0, 2], [0, 1, 2, 3, 4, 5]], ids=str)
@pytest.mark.parametrize("value", [0.0, 9.0])
def test_inputs_that_never_vary_are_no_obstacle_to_integers(
    rounding: str, constant: list[int], value: float
) -> None:
    problem = case(6, count=40)
    problem.steps[constant] = value
    problem.wanted[:] = problem.outputs(problem.layer)
    layer, report = problem.quantized(config(rounding=rounding))
    assert 0 <= report["lower_bound"] <= report["output_error"] < np.inf
    assert problem.lost(layer) < 1e-3


def test_an_output_whose_weights_are_nothing_beside_its_bias_is_its_bias() -> None:
    problem = case(2)
    problem.layer.bias[1] = -1e9
    layer, _ = for_integers(problem.layer, [problem.moments()], problem.entering, config(), NAME)
    assert values(layer.bias)[1] == pytest.approx(-1e9, rel=1e-6)
    assert np.all(values(layer.weight)[1] == 0)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_the_same_codes_come_out_twice_and_the_float_layer_stays_as_it_was(rounding: str) -> None:
    problem = case(7, noise=0.2)
    before = values(problem.layer.weight).copy(), values(problem.layer.bias).copy()
    how = config(granularity="per_channel", rounding=rounding, range="mse", bits=4)
    (first, report), (again, same_report) = problem.quantized(how), problem.quantized(how)
    assert first.weight.codes.tobytes() == again.weight.codes.tobytes()
    assert first.bias.codes.tobytes() == again.bias.codes.tobytes()
    assert report == same_report
    weights_only(problem.layer, Hessians([second_moments(problem.steps.T)]), how, NAME)
    assert np.array_equal(problem.layer.weight, before[0])
    assert np.array_equal(problem.layer.bias, before[1])
