"""The integer runtime: sums that are exact and bounded, and codes that nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import dequantize
from octet.errors import OctetError
from octet.layers import Conv2d, GlobalAveragePool, Layer, Linear, Quantize, Standardize, integers
from octet.network import Network
from octet.runtime import floating, inference, integer
from octet.signature import Columns, Numbers, Signature
from tests.octet.networks import (
    KINDS,
    activation,
    anything,
    images,
    in_float,
    last_codes,
    one_output,
    output_grid,
    rows,
    table,
    unit,
    weighted,
)

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def largest_sum(network: Network) -> int:
    """The bound for the linear layer of `one_output`."""
    start, layer = network.layers
    assert isinstance(start, Quantize)
    assert isinstance(layer, Linear)
    return layer.largest_sum(start.grid)


@fixed
@given(seed=seeds, bits=st.integers(2, 8), per_channel=st.booleans())
def test_the_trace_ends_with_what_is_decoded(seed: int, bits: int, per_channel: bool) -> None:
    network = anything(seed, bits, per_channel)
    x = rows(network, 3, seed)
    trace = list(integer.trace(network, x))
    start = next(i for i, layer in enumerate(network.layers) if isinstance(layer, Quantize))
    assert [i for i, _, _ in trace] == list(range(start, len(network.layers)))
    assert [layer for _, layer, _ in trace] == list(network.layers[start:])
    assert {codes.dtype for _, _, codes in trace} == {np.dtype(np.uint8)}
    decoded = dequantize(trace[-1][2], output_grid(network))
    assert np.array_equal(integer.run(network, x), decoded)


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_do_not_depend_on_the_batch(kind: str) -> None:
    network = KINDS[kind](4)
    x = rows(network, 65)
    whole = integer.run(network, x)
    for batch in (1, 2, 31, 32, 33, 64):
        parts = [integer.run(network, x[i : i + batch]) for i in range(0, len(x), batch)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert integer.run(network, x[:0]).shape == whole[:0].shape


@pytest.mark.parametrize("kind", KINDS)
def test_input_codes_are_the_rounded_grid_of_what_stands_before(kind: str) -> None:
    network = KINDS[kind](0)
    x = rows(network, 20)
    reals = floating.through(network.layers[:1], x.astype(np.float64)).astype(np.float32)
    grid = network.layers[1].grid
    expected = np.clip(np.rint(reals / grid.scale) + np.float32(grid.zero_point), 0, grid.top)
    _, _, codes = next(integer.trace(network, x))
    assert codes.dtype == np.uint8
    assert np.array_equal(codes, expected)


@fixed
@given(
    seed=seeds,
    bits=st.integers(2, 8),
    per_channel=st.booleans(),
    padding=st.integers(0, 2),
    stride=st.integers(1, 2),
)
def test_no_sum_of_a_convolution_exceeds_its_bound(
    seed: int, bits: int, per_channel: bool, padding: int, stride: int
) -> None:
    rng = np.random.default_rng(seed)
    entering = activation(rng)
    weight, bias = weighted(rng, (3, 2, 3, 3), entering, bits, per_channel)
    layer = Conv2d(weight, bias, padding, stride, output=activation(rng))
    zero = int(entering.zero_point)
    codes = rng.choice([0, zero, 255], (2, 4, 5))
    padded = np.pad(codes, ((0, 0), (padding,) * 2, (padding,) * 2), constant_values=zero) - zero
    seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    steps = weight.codes.astype(int) - weight.grid.zero_point.astype(int)
    sums = np.einsum("ockl,cijkl->oij", steps, seen) + bias.codes[:, None, None]
    assert np.max(np.abs(sums)) <= layer.largest_sum(entering)


@fixed
@given(seed=seeds, zero=st.integers(0, 255), negative=st.booleans())
def test_an_input_that_pulls_all_one_way_reaches_the_bound(
    seed: int, zero: int, negative: bool
) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 129, 7) if negative else rng.integers(128, 256, 7)
    far_end = 255 if 255 - zero >= zero else 0
    sign = (-1 if negative else 1) * (1 if far_end else -1)
    bias = sign * int(rng.integers(0, 2**20))
    acc = sum((far_end - zero) * (int(w) - 128) for w in weight) + bias
    assert largest_sum(one_output(weight, unit(zero), unit(0), bias)) == abs(acc)


def test_the_largest_sums_of_int32_are_exact() -> None:
    inputs = 66_000  # the bias fills up what is left to 2³¹ - 1
    bias = 2**31 - 1 - inputs * 255 * 127
    network = one_output(np.full(inputs, 255), unit(0), unit(3, 2.0**24), bias)
    assert largest_sum(network) == 2**31 - 1
    assert last_codes(network, np.full((1, inputs), 255, np.uint8)).tolist() == [[128 + 3]]
    lowest = one_output(np.full(inputs, 1), unit(0), unit(200, 2.0**24), -bias - 1)
    assert last_codes(lowest, np.full((1, inputs), 255, np.uint8)).tolist() == [[200 - 128]]


@pytest.mark.parametrize("run", [1, 8, 16, 64, 29_952])
def test_of_large_sums_that_cancel_the_rest_is_exact(run: int) -> None:
    # As many weights of 127 as of -127, so many in a row: whichever sums a kernel of BLAS keeps
    # side by side, for one of these some exceed 2²⁴ by far before they cancel.
    rng = np.random.default_rng(0)
    negative = np.arange(59_904) // run % 2 == 1
    weight = np.append(np.where(negative, 1, 255), np.full(100, 129))
    network = one_output(weight, unit(0), unit(128))
    assert largest_sum(network) > 2**24
    large = rng.integers(100, 256, (5, np.count_nonzero(negative)))
    rest = rng.integers(0, 101, 5)
    codes = np.zeros((5, 60_004), np.uint8)
    codes[:, :59_904][:, negative] = large
    codes[:, :59_904][:, ~negative] = rng.permuted(large, axis=1)
    codes[:, 59_904:] = np.arange(100) < rest[:, None]
    assert last_codes(network, codes).ravel().tolist() == (128 + rest).tolist()


@pytest.mark.parametrize(
    ("acc", "code"),
    [(2**24 - 1, 126), (2**24, 126), (2**24 + 1, 126), (2**24 + 2, 127), (2**24 + 3, 127)],
)
def test_a_sum_is_rounded_to_float32_before_it_is_scaled(acc: int, code: int) -> None:
    # m is 126.5 / 2²⁴, and no float32 lies between 2²⁴ and 2²⁴ + 2.
    bias = acc - 500 * 255 * 127
    network = one_output(np.full(500, 255), unit(0, 253.0), unit(0, 2.0**25), bias)
    assert largest_sum(network) == acc
    assert last_codes(network, np.full((1, 500), 255, np.uint8)).tolist() == [[code]]


@fixed
@given(seed=seeds)
def test_the_multiplier_is_rounded_to_float32_twice_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    entering, output = activation(rng), activation(rng)
    scales = rng.uniform(0, 1, 8).astype(np.float32)
    expected = [np.float32(np.float32(entering.scale * s) / output.scale) for s in scales]
    assert integers.multiplier(entering, scales, output).tolist() == expected


def test_half_a_step_goes_to_the_even_code_before_the_zero_point_is_added() -> None:
    network = one_output(np.array([129]), unit(10), unit(3, 2.0))
    codes = np.arange(5, 16, dtype=np.uint8)[:, None]
    # -5 … 5 halves: to the even of both neighbours, then 3 more.
    expected = [1, 1, 1, 2, 3, 3, 3, 4, 5, 5, 5]
    assert last_codes(network, codes).ravel().tolist() == expected


def test_products_beyond_float32_are_clipped_like_any_that_is_large() -> None:
    network = one_output(np.array([255, 1]), unit(0), unit(7, 1e-36))
    codes = np.array([[255, 0], [0, 255], [9, 9]], np.uint8)
    assert last_codes(network, codes).tolist() == [[255], [0], [7]]


def test_a_network_that_only_encodes_gives_back_its_input_rounded() -> None:
    network = Network((Quantize(unit(2, 0.5)),), Signature(Columns(("a",)), Numbers("y", "")))
    assert integer.run(network, np.array([[0.3], [-9.0], [1.0]])).tolist() == [[0.5], [-1.0], [1.0]]


def behind_table(layer: Layer) -> Network:
    """A layer too many at the end."""
    return replace(table(0), layers=(*table(0).layers, layer))


def last_without(**fields: object) -> Network:
    *layers, last = table(0).layers
    return replace(table(0), layers=(*layers, replace(last, **fields)))


def mean_without_grid() -> Network:
    return replace(images(0), layers=(Quantize(unit(0)), GlobalAveragePool()))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (in_float(table(0)), "the network computes in float: it has no integer layers"),
        (
            behind_table(Standardize(np.zeros(2), np.ones(2))),
            "a standardize cannot stand among integer layers",
        ),
        (behind_table(Quantize(unit(0))), "a second quantize"),
        (mean_without_grid(), "a global_average_pool among integer layers has no grid of its outp"),
        (last_without(output=None), "a linear among integer layers has no grid of its output"),
        (last_without(weight=np.zeros((2, 4))), "a linear among integer layers has its weight in"),
        (last_without(bias=np.zeros(2)), "a linear among integer layers has its bias not in int32"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_all_codes_is_refused(network: Network, message: str) -> None:
    with pytest.raises(OctetError) as caught:
        integer.run(network, rows(network, 1))
    assert str(caught.value).startswith(message)


def test_an_input_that_float32_cannot_hold_is_refused() -> None:
    network = table(0)
    x = rows(network, 3)
    x[1, 2] = 1e300
    with pytest.raises(OctetError, match="the input"):
        integer.run(network, x)


@pytest.mark.parametrize("kind", KINDS)
def test_inference_takes_the_runtime_that_fits(kind: str) -> None:
    network = KINDS[kind](0)
    reals, x = in_float(network), rows(network, 5)
    assert integer.is_integer(network)
    assert not integer.is_integer(reals)
    assert inference.run(network, x).tobytes() == integer.run(network, x).tobytes()
    assert inference.run(reals, x).tobytes() == floating.run(reals, x).tobytes()
