"""A layer for integers: its bias makes good mean errors, its sums fit, its figures are honest."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Array, Grid
from octet.errors import OctetError
from octet.layers import Conv2d, Linear, Weighted
from octet.parameters import Int32, Quantized, values
from octet.quantizer import Config
from octet.quantizer.hessian import Moments
from octet.quantizer.layer import RoundingReport, for_integers
from tests.octet.quantizer.cases import NAME, ROUNDINGS, config, random_conv, random_layer

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

SHARING = [
    ("per_tensor", "asymmetric"),
    ("per_tensor", "symmetric"),
    ("per_channel", "symmetric"),
]


@dataclass
class Case:
    """A layer, the codes that it sees less their zero point, and what it should give for them."""

    layer: Weighted
    steps: Array
    given: Array
    entering: Grid

    @property
    def x(self) -> Array:
        return self.steps * float(self.entering.scale)

    def moments(self) -> Moments:
        seen = Moments(len(self.steps), len(self.given))
        seen.add(self.steps, self.given)
        return seen

    def quantized(self, how: Config) -> tuple[Weighted, RoundingReport]:
        """The layer in codes, which are checked to be what integers can run."""
        found, figures = for_integers(self.layer, [self.moments()], self.entering, how, NAME)
        assert isinstance(found.weight, Quantized)
        assert found.weight.codes.shape == self.layer.weight.shape
        assert found.weight.codes.dtype == np.uint8
        assert np.all(found.weight.codes <= found.weight.grid.top)
        assert isinstance(found.bias, Int32)
        assert (found.bias.codes.dtype, found.bias.codes.shape) == (np.int32, (len(self.given),))
        step = float(self.entering.scale) * found.weight.grid.scale.astype(np.float64).reshape(-1)
        assert np.array_equal(found.bias.scale, np.broadcast_to(step, found.bias.codes.shape))
        return found, figures

    def outputs(self, layer: Weighted) -> Array:
        """What a layer gives for what it sees; ``(outputs, number)``."""
        weight = values(layer.weight)
        return weight.reshape(len(weight), -1) @ self.x + values(layer.bias)[:, None]

    def lost(self, layer: Weighted) -> float:
        return float(np.sum(np.mean((self.outputs(layer) - self.given) ** 2, axis=1)))


def case(
    rng: np.random.Generator,
    layer: Weighted | None = None,
    *,
    count: int = 120,
    own: float = 0.5,
    noise: float = 0.0,
) -> Case:
    """Inputs that share all but ``own``, ``noise`` apart from those of the float network."""
    layer = layer or random_layer(rng, 3, 6)
    weight = values(layer.weight).reshape(len(layer.bias), -1)
    inputs = weight.shape[1]
    x = rng.normal(size=(1, count)) + own * rng.normal(size=(inputs, count))
    x += rng.normal(size=(inputs, 1))
    given = weight @ x + layer.bias[:, None]
    x += noise * rng.normal(size=(inputs, 1)) * rng.normal(size=(1, count))
    entering = affine.asymmetric(x.min(), x.max(), 8)
    steps = affine.quantize(x, entering).astype(float) - float(entering.zero_point)
    if not noise:
        given = weight @ (steps * float(entering.scale)) + layer.bias[:, None]
    return Case(layer, steps, given, entering)


@settings(fixed, max_examples=40)
@given(
    seed=seeds,
    sharing=st.sampled_from(SHARING),
    rounding=st.sampled_from(ROUNDINGS),
    bits=st.integers(2, 8),
    range_=st.sampled_from(["minmax", (-0.7, 0.9)]),
)
def test_the_bias_makes_good_the_mean_of_every_error(
    seed: int, sharing: tuple[str, str], rounding: str, bits: int, range_: object
) -> None:
    made = case(np.random.default_rng(seed))
    granularity, scheme = sharing
    how = config(granularity=granularity, scheme=scheme, rounding=rounding, bits=bits, range=range_)
    found, _ = made.quantized(how)
    mean = np.mean(made.outputs(found) - made.given, axis=1)
    # The bias is on the grid of the sums, and what is given is known to 20 bits.
    allowed = found.bias.scale / 2 + 2.0**-20 * np.max(np.abs(made.given))
    assert np.all(np.abs(mean) <= allowed)
    assert np.all(found.bias.scale < 0.1)


@settings(fixed, max_examples=30)
@given(seed=seeds, noise=st.sampled_from([0.1, 0.5]), rounding=st.sampled_from(ROUNDINGS[1:]))
def test_the_mean_of_what_earlier_layers_lost_is_made_good_too(
    seed: int, noise: float, rounding: str
) -> None:
    made = case(np.random.default_rng(seed), noise=noise)
    found, _ = made.quantized(config(rounding=rounding, bits=4))
    mean = np.mean(made.outputs(found) - made.given, axis=1)
    allowed = found.bias.scale / 2 + 2.0**-20 * np.max(np.abs(made.given))
    assert np.all(np.abs(mean) <= allowed)


@settings(fixed, max_examples=40)
@given(seed=seeds, sharing=st.sampled_from(SHARING), bits=st.integers(2, 8))
def test_the_output_error_is_what_the_codes_do_at_the_outputs(
    seed: int, sharing: tuple[str, str], bits: int
) -> None:
    made = case(np.random.default_rng(seed))
    granularity, scheme = sharing
    for rounding in ROUNDINGS:
        how = config(granularity=granularity, scheme=scheme, rounding=rounding, bits=bits)
        found, figures = made.quantized(how)
        # The bias adds its own rounding; regression finds W again but for what 20 bits lose.
        allowed = np.sum(found.bias.scale**2) / 4
        shift = 2.0**-19 * np.max(np.abs(made.given))
        allowed += 2 * shift * np.sqrt(3 * made.lost(found)) + 3 * shift**2
        assert abs(figures["output_error"] - made.lost(found)) <= allowed
        assert figures["rows"] == 3


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_each_bit_more_takes_at_least_half_of_the_error_away(
    granularity: str, scheme: str, rounding: str
) -> None:
    total = np.zeros(7)
    for seed in range(24):
        made = case(np.random.default_rng(seed))
        for i, bits in enumerate(range(2, 9)):
            how = config(granularity=granularity, scheme=scheme, rounding=rounding, bits=bits)
            total[i] += made.quantized(how)[1]["output_error"]
    assert np.all(total[1:] < total[:-1] / 2)


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
@pytest.mark.parametrize("range_", ["minmax", "mse"])
@pytest.mark.parametrize("columns", [6, 30])
def test_exact_is_never_worse_than_gptq_and_where_proven_than_nearest(
    granularity: str, scheme: str, range_: str, columns: int
) -> None:
    for seed in range(3 if range_ == "minmax" else 1):
        rng = np.random.default_rng(seed)
        made = case(rng, random_layer(rng, 2, columns), own=0.3)
        how = {"granularity": granularity, "scheme": scheme, "range": range_, "bits": 4}
        exact, gptq = (
            made.quantized(config(rounding=rounding, **how))[1] for rounding in ("exact", "gptq")
        )
        if range_ == "minmax":  # on the same grid
            assert exact["nearest_error"] == gptq["nearest_error"]
            assert exact["output_error"] <= gptq["output_error"] * (1 + 1e-9)
        if columns == 6:
            assert exact["rows_proven"] == exact["rows"] == 2
            assert exact["output_error"] <= exact["nearest_error"] * (1 + 1e-9)
            assert exact["lower_bound"] == pytest.approx(exact["output_error"], rel=1e-9)
        else:
            assert (exact["rows_proven"], exact["lower_bound"]) == (0, 0)
        assert (gptq["rows_proven"], gptq["lower_bound"]) == (0, 0)


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
def test_rounding_to_nearest_is_rounding_of_the_float_weights(
    granularity: str, scheme: str
) -> None:
    made = case(np.random.default_rng(0), noise=0.5)
    weight = values(made.layer.weight)
    axis = 1 if granularity == "per_channel" else None
    ends = weight.min(axis=axis, keepdims=axis == 1), weight.max(axis=axis, keepdims=axis == 1)
    grid = getattr(affine, scheme)(*ends, 6)
    found, figures = made.quantized(config(granularity=granularity, scheme=scheme, bits=6))
    assert found.weight.codes.tolist() == affine.quantize(weight, grid).tolist()
    assert found.weight.grid.scale.tolist() == grid.scale.tolist()
    assert found.weight.grid.zero_point.tolist() == grid.zero_point.tolist()
    assert figures["output_error"] == figures["nearest_error"]


@pytest.mark.parametrize("rounding", ROUNDINGS[1:])
def test_what_earlier_layers_lost_is_made_good_in_the_weights(rounding: str) -> None:
    nearest, mended = 0.0, 0.0
    for seed in range(10):
        made = case(np.random.default_rng(seed), noise=0.3)
        nearest += made.lost(made.quantized(config())[0])
        mended += made.lost(made.quantized(config(rounding=rounding))[0])
    assert mended < 0.8 * nearest


@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel"])
def test_a_convolution_is_quantized_as_the_linear_layer_of_what_its_kernel_sees(
    granularity: str,
) -> None:
    rng = np.random.default_rng(1)
    conv = random_conv(rng, 3, 2, side=2)
    made = case(rng, conv)
    flat = Linear(values(conv.weight).reshape(3, 8), conv.bias)
    how = config(granularity=granularity, rounding="exact", range="mse", bits=5)
    found, figures = made.quantized(how)
    expected, same_figures = Case(flat, made.steps, made.given, made.entering).quantized(how)
    assert isinstance(found, Conv2d)
    assert found.padding == conv.padding
    assert found.weight.codes.reshape(3, 8).tolist() == expected.weight.codes.tolist()
    assert found.bias.codes.tolist() == expected.bias.codes.tolist()
    assert figures == same_figures
    shape = (3, 1, 1, 1) if granularity == "per_channel" else ()
    assert found.weight.grid.scale.shape == found.weight.grid.zero_point.shape == shape


@settings(fixed, max_examples=40)
@given(seed=seeds, sharing=st.sampled_from(SHARING), bits=st.integers(2, 8))
def test_no_input_makes_a_larger_sum_than_is_said(
    seed: int, sharing: tuple[str, str], bits: int
) -> None:
    made = case(np.random.default_rng(seed))
    granularity, scheme = sharing
    found, figures = made.quantized(config(granularity=granularity, scheme=scheme, bits=bits))
    zero = int(made.entering.zero_point)
    weight = found.weight.codes.astype(np.int64) - found.weight.grid.zero_point.astype(np.int64)
    bias = found.bias.codes.astype(np.int64)
    low, high = -zero * weight, (255 - zero) * weight
    largest = np.maximum(low, high).sum(axis=1) + bias
    smallest = np.minimum(low, high).sum(axis=1) + bias
    assert max(largest.max(), -smallest.min()) <= figures["largest_sum"] < 2**31
    assert figures["largest_sum"] == found.largest_sum(made.entering)


def test_an_output_whose_weights_are_nothing_beside_its_bias_is_its_bias() -> None:
    made = case(np.random.default_rng(2))
    made.layer.bias[1] = -1e9
    found, _ = for_integers(made.layer, [made.moments()], made.entering, config(), NAME)
    assert values(found.bias)[1] == pytest.approx(-1e9, rel=1e-6)
    assert np.all(np.abs(found.bias.codes.astype(np.int64)) < 2**31)
    assert np.all(values(found.weight)[1] == 0)


@pytest.mark.parametrize("value", [0.0, 0.7])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_layer_that_was_never_trained_is_refused_by_name(value: float, rounding: str) -> None:
    made = case(np.random.default_rng(4))
    made.layer.weight[:] = value
    with pytest.raises(
        OctetError, match=rf"^layer {NAME}: weight: got {value:g} for every one of 18"
    ):
        for_integers(made.layer, [made.moments()], made.entering, config(rounding=rounding), NAME)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_what_is_not_finite_is_refused_by_the_name_of_the_layer(part: str, bad: float) -> None:
    made = case(np.random.default_rng(5))
    seen = made.moments()
    getattr(made.layer, part).flat[-1] = bad
    with pytest.raises(OctetError, match=rf"^layer {NAME}: {part}: got {bad} at index"):
        for_integers(made.layer, [seen], made.entering, config(), NAME)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("constant", [[1], [0, 2], [0, 1, 2, 3, 4, 5]], ids=str)
@pytest.mark.parametrize("value", [0.0, 9.0])
def test_inputs_that_carry_no_news_are_no_obstacle(
    rounding: str, constant: list[int], value: float
) -> None:
    made = case(np.random.default_rng(6), count=40)
    made.steps[constant] = value
    made.given[:] = made.outputs(made.layer)
    found, figures = made.quantized(config(rounding=rounding))
    assert 0 <= figures["lower_bound"] <= figures["output_error"] < np.inf
    assert made.lost(found) < 1e-3


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_the_same_is_found_twice_and_the_float_layer_stays_as_it_was(rounding: str) -> None:
    made = case(np.random.default_rng(7), noise=0.2)
    before = values(made.layer.weight).copy(), values(made.layer.bias).copy()
    how = config(granularity="per_channel", rounding=rounding, range="mse", bits=4)
    (first, figures), (again, same_figures) = made.quantized(how), made.quantized(how)
    assert first.weight.codes.tobytes() == again.weight.codes.tobytes()
    assert first.bias.codes.tobytes() == again.bias.codes.tobytes()
    assert figures == same_figures
    assert np.array_equal(made.layer.weight, before[0])
    assert np.array_equal(made.layer.bias, before[1])
