"""The integer runtime, against the three formulas in plain Python integers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Grid, dequantize
from octet.errors import OctetError
from octet.layers import Conv2d, Flatten, GlobalAveragePool, Layer, Linear, MaxPool, Quantize, Relu
from octet.network import Network
from octet.parameters import Int32, Quantized
from octet.runtime import floating, inference, integer
from octet.signature import Columns, Numbers, Signature
from tests.octet.networks import (
    KINDS,
    activation,
    anything,
    images,
    in_float,
    one_output,
    rows,
    table,
    unit,
    weighted,
)

BITS = range(2, 9)

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def requantized(acc: int, m: np.float32, grid: Grid) -> int:
    code = int(np.rint(np.float32(acc) * m)) + int(grid.zero_point)
    return min(max(code, 0), grid.top)


def plainly(network: Network, codes: np.ndarray) -> np.ndarray:
    """The output codes for one row, number by number."""
    start = next(i for i, layer in enumerate(network.layers) if isinstance(layer, Quantize))
    grid = network.layers[start].grid
    x = codes.astype(object)
    for layer in network.layers[start + 1 :]:
        match layer:
            case Relu():
                x = np.maximum(x, int(grid.zero_point))
            case MaxPool(side):
                c, h, w = x.shape
                x = np.array(
                    [
                        [
                            [
                                x[k, i * side : (i + 1) * side, j * side : (j + 1) * side].max()
                                for j in range(w // side)
                            ]
                            for i in range(h // side)
                        ]
                        for k in range(c)
                    ],
                    object,
                )
            case Flatten():
                x = x.reshape(-1)
            case GlobalAveragePool(output):
                c, h, w = x.shape
                scale = np.float32(1 / (h * w))
                m = np.float32(np.float32(grid.scale * scale) / output.scale)
                sums = [sum(int(v) - int(grid.zero_point) for v in x[k].flat) for k in range(c)]
                x, grid = np.array([requantized(s, m, output) for s in sums], object), output
            case Linear():
                x, grid = weighted_plainly(layer, x[:, None, None], grid)[:, 0, 0], layer.output
            case Conv2d():
                x, grid = weighted_plainly(layer, x, grid), layer.output
    return x.astype(np.int64)


def weighted_plainly(layer: Linear | Conv2d, x: np.ndarray, grid: Grid) -> np.ndarray:
    weight, bias = layer.weight, layer.bias
    outputs = len(weight.codes)
    w = weight.codes.reshape(outputs, x.shape[0], *(weight.codes.shape[2:] or (1, 1)))
    scales = np.broadcast_to(weight.grid.scale.reshape(-1), (outputs,))
    zeros = np.broadcast_to(weight.grid.zero_point.reshape(-1), (outputs,))
    pad = layer.padding if isinstance(layer, Conv2d) else 0
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)), constant_values=int(grid.zero_point))
    side = w.shape[2]
    high, wide = padded.shape[1] - side + 1, padded.shape[2] - side + 1
    made = np.empty((outputs, high, wide), object)
    for o in range(outputs):
        m = np.float32(np.float32(grid.scale * scales[o]) / layer.output.scale)
        for i in range(high):
            for j in range(wide):
                seen = padded[:, i : i + side, j : j + side]
                acc = int(bias.codes[o])
                for q_x, q_w in zip(seen.flat, w[o].flat, strict=True):
                    acc += (int(q_x) - int(grid.zero_point)) * (int(q_w) - int(zeros[o]))
                made[o, i, j] = requantized(acc, m, layer.output)
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bits", BITS)
def test_codes_are_those_of_the_formulas(kind: str, per_channel: bool, bits: int) -> None:
    seen: set[int] = set()
    for seed in range(4):
        network = KINDS[kind](seed, bits, per_channel)
        codes = integer.encode(network, rows(network, 2))
        expected = [plainly(network, one) for one in codes]
        assert np.array_equal(integer.last(network, codes), expected)
        seen.update(np.ravel(expected).tolist())
    assert len(seen) > 3  # not all clipped


@fixed
@given(seed=seeds, bits=st.integers(2, 8), per_channel=st.booleans())
def test_whatever_the_layers_each_gives_the_codes_of_the_formulas(
    seed: int, bits: int, per_channel: bool
) -> None:
    network = anything(seed, bits, per_channel)
    codes = integer.encode(network, rows(network, 2, seed))
    for i, layer, given_codes in integer.trace(network, codes):
        upto = replace(network, layers=network.layers[: i + 1])
        assert layer is network.layers[i]
        assert given_codes.dtype == np.uint8
        assert np.array_equal(given_codes, [plainly(upto, one) for one in codes])
    assert layer is network.layers[-1]


def test_an_image_alone_gets_the_codes_that_it_gets_among_others() -> None:
    network = images(1)
    x = rows(network, 70)
    codes = integer.last(network, integer.encode(network, x))
    alone = [integer.last(network, integer.encode(network, x[i : i + 1]))[0] for i in range(70)]
    assert np.array_equal(codes, alone)
    assert np.array_equal(inference.run(network, x[5:6])[0], inference.run(network, x)[5])


def test_run_decodes_the_last_codes() -> None:
    network = images(2)
    x = rows(network, 10)
    codes = integer.last(network, integer.encode(network, x))
    assert np.array_equal(integer.run(network, x), dequantize(codes, integer.output_grid(network)))


def test_the_trace_has_every_integer_layer() -> None:
    network = images(3)
    trace = list(integer.trace(network, integer.encode(network, rows(network, 2))))
    assert [layer for _, layer, _ in trace] == list(network.layers[2:])
    assert [network.layers[i] for i, _, _ in trace] == list(network.layers[2:])


def one_layer(inputs: int, seed: int = 0) -> tuple[Network, Linear, Grid]:
    rng = np.random.default_rng(seed)
    start = activation(rng)
    layer = Linear(*weighted(rng, (2, inputs), start, 8, False), activation(rng))
    names = tuple(map(str, range(inputs)))
    return (
        Network((Quantize(start), layer), Signature(Columns(names), Numbers("y", ""))),
        layer,
        start,
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_takes_each_weight_at_the_end_of_the_range_where_it_is_worst(seed: int) -> None:
    _, layer, grid = one_layer(40, seed)
    layer = replace(layer, bias=replace(layer.bias, codes=np.array([0, 0], np.int32)))
    steps, zero = integer.steps(layer), int(grid.zero_point)
    far_end = 255 if 255 - zero >= zero else 0
    worst = np.full(40, far_end) - zero
    # Each weight takes the end of the range that is farther from the zero point, whatever its sign.
    reached = max(int(np.sum(np.abs(row * worst))) for row in steps)
    assert integer.largest_sum(layer, grid) == reached
    codes = np.random.default_rng(seed).integers(0, 256, (200, 40))
    assert np.max(np.abs((codes - zero) @ steps.T)) <= reached


def test_sums_beyond_what_float32_holds_are_exact() -> None:
    network, layer, grid = one_layer(5000)
    assert integer.largest_sum(layer, grid) > 2**24
    codes = np.random.default_rng(1).integers(0, 256, (4, 5000)).astype(np.uint8)
    acc = (codes.astype(np.int64) - int(grid.zero_point)) @ integer.steps(layer).T
    acc += layer.bias.codes
    m = integer.multiplier(layer, grid)[0]
    expected = [[requantized(int(a), m, layer.output) for a in row] for row in acc]
    assert np.array_equal(integer.last(network, codes), expected)


def test_max_pooling_and_relu_work_on_codes() -> None:
    grid = Grid(np.float32(0.1), np.uint8(7), 8)
    network = Network((Quantize(grid), Relu(), MaxPool(2)), images(0).signature)
    codes = np.arange(2 * 64, dtype=np.uint8).reshape(1, 2, 8, 8) % 50
    got = integer.last(network, codes)
    assert np.array_equal(got, np.maximum(codes, 7).reshape(1, 2, 4, 2, 4, 2).max(axis=(3, 5)))


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((1, 8, 8), np.uint8),
        np.zeros((1, 1, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 2), np.uint8),
        np.zeros((1, 2, 8, 8), np.float32),
        np.zeros((1, 2, 8, 8), np.int64),
        np.full((1, 2, 8, 8), np.nan),
        np.full((1, 2, 8, 8), np.inf),
    ],
)
def test_what_is_no_image_of_the_network_is_refused_in_one_line(x: np.ndarray) -> None:
    with pytest.raises(OctetError) as caught:
        inference.run(images(0), x)
    assert str(caught.value).startswith("input: got ")
    assert "\n" not in str(caught.value)


def test_a_float_network_has_no_codes() -> None:
    network = replace(table(0), layers=table(0).layers[:1])
    with pytest.raises(OctetError, match="computes in float"):
        integer.run(network, rows(network, 1))


@pytest.mark.parametrize("part", ["weight", "bias", "output"])
def test_a_layer_that_is_not_all_codes_is_refused(part: str) -> None:
    network, layer, _ = one_layer(3)
    broken = replace(layer, **{part: None if part == "output" else np.zeros((2, 3))})
    network = replace(network, layers=(network.layers[0], broken))
    with pytest.raises(OctetError, match="among integer layers"):
        integer.run(network, np.zeros((1, 3)))


def test_the_parts_have_the_types_that_they_say() -> None:
    _, layer, _ = one_layer(3)
    assert isinstance(layer.weight, Quantized)
    assert isinstance(layer.bias, Int32)


@pytest.mark.parametrize("padding", [0, 1, 2])
@fixed
@given(seed=seeds, bits=st.integers(2, 8), per_channel=st.booleans())
def test_no_sum_of_a_convolution_exceeds_its_bound(
    padding: int, seed: int, bits: int, per_channel: bool
) -> None:
    rng = np.random.default_rng(seed)
    entering = activation(rng)
    weight, bias = weighted(rng, (3, 2, 3, 3), entering, bits, per_channel)
    layer = Conv2d(weight, bias, padding, activation(rng))
    zero = int(entering.zero_point)
    codes = rng.choice([0, zero, 255], (2, 4, 5))
    padded = np.pad(codes, ((0, 0), (padding,) * 2, (padding,) * 2), constant_values=zero) - zero
    seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    steps = integer.steps(layer).reshape(3, 2, 3, 3)
    sums = np.einsum("ockl,cijkl->oij", steps, seen) + bias.codes[:, None, None]
    assert np.max(np.abs(sums)) <= integer.largest_sum(layer, entering)


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
    network = one_output(weight, unit(zero), unit(0), bias)
    acc = sum((far_end - zero) * (int(w) - 128) for w in weight) + bias
    assert integer.largest_sum(network.layers[1], unit(zero)) == abs(acc)


def test_the_largest_sums_of_int32_are_exact() -> None:
    inputs = 66_000  # the bias fills up what is left to 2³¹ - 1
    bias = 2**31 - 1 - inputs * 255 * 127
    network = one_output(np.full(inputs, 255), unit(0), unit(3, 2.0**24), bias)
    assert integer.largest_sum(network.layers[1], unit(0)) == 2**31 - 1
    assert integer.last(network, np.full((1, inputs), 255, np.uint8)).tolist() == [[128 + 3]]
    lowest = one_output(np.full(inputs, 1), unit(0), unit(200, 2.0**24), -bias - 1)
    assert integer.last(lowest, np.full((1, inputs), 255, np.uint8)).tolist() == [[200 - 128]]


@pytest.mark.parametrize("run", [1, 8, 16, 64, 29_952])
def test_of_large_sums_that_cancel_the_rest_is_exact(run: int) -> None:
    # As many weights of 127 as of -127, so many in a row: whichever sums a kernel of BLAS keeps
    # side by side, for one of these some exceed 2²⁴ by far before they cancel.
    rng = np.random.default_rng(0)
    negative = np.arange(59_904) // run % 2 == 1
    weight = np.append(np.where(negative, 1, 255), np.full(100, 129))
    network = one_output(weight, unit(0), unit(128))
    assert integer.largest_sum(network.layers[1], unit(0)) > 2**24
    large = rng.integers(100, 256, (5, np.count_nonzero(negative)))
    rest = rng.integers(0, 101, 5)
    codes = np.zeros((5, 60_004), np.uint8)
    codes[:, :59_904][:, negative] = large
    codes[:, :59_904][:, ~negative] = rng.permuted(large, axis=1)
    codes[:, 59_904:] = np.arange(100) < rest[:, None]
    assert integer.last(network, codes).ravel().tolist() == (128 + rest).tolist()


@fixed
@given(seed=seeds, per_channel=st.booleans())
def test_the_multiplier_is_rounded_to_float32_twice_in_order(seed: int, per_channel: bool) -> None:
    rng = np.random.default_rng(seed)
    entering, output = activation(rng), activation(rng)
    layer = Linear(*weighted(rng, (8, 3), entering, 8, per_channel), output)
    scales = layer.weight.grid.scale.reshape(-1)
    expected = [np.float32(np.float32(entering.scale * s) / output.scale) for s in scales]
    found = integer.multiplier(layer, entering)
    assert found.dtype == np.float32
    assert found.tolist() == expected
    mean = np.float32(np.float32(entering.scale * np.float32(1 / 12)) / output.scale)
    assert integer.multiplier(GlobalAveragePool(output), entering, 12).tolist() == [mean]


@pytest.mark.parametrize(
    ("acc", "code"),
    [(2**24 - 1, 126), (2**24, 126), (2**24 + 1, 126), (2**24 + 2, 127), (2**24 + 3, 127)],
)
def test_a_sum_is_rounded_to_float32_before_it_is_scaled(acc: int, code: int) -> None:
    # m is 126.5 / 2²⁴, and no float32 lies between 2²⁴ and 2²⁴ + 2.
    bias = acc - 500 * 255 * 127
    network = one_output(np.full(500, 255), unit(0, 253.0), unit(0, 2.0**25), bias)
    assert integer.largest_sum(network.layers[1], unit(0)) == acc
    assert integer.last(network, np.full((1, 500), 255, np.uint8)).tolist() == [[code]]


def test_half_a_step_goes_to_the_even_code_before_the_zero_point_is_added() -> None:
    network = one_output(np.array([129]), unit(10), unit(3, 2.0))
    codes = np.arange(5, 16, dtype=np.uint8)[:, None]
    # -5 … 5 halves: to the even of both neighbours, then 3 more.
    expected = [1, 1, 1, 2, 3, 3, 3, 4, 5, 5, 5]
    assert integer.last(network, codes).ravel().tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_input_codes_are_the_rounded_grid_of_what_stands_before(kind: str) -> None:
    network = KINDS[kind](0)
    x = rows(network, 20)
    reals = floating.through(network.layers[:1], x.astype(np.float64)).astype(np.float32)
    grid = network.layers[1].grid
    expected = np.clip(np.rint(reals / grid.scale) + np.float32(grid.zero_point), 0, grid.top)
    codes = integer.encode(network, x)
    assert codes.dtype == np.uint8
    assert np.array_equal(codes, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [1, 2, 31, 32, 33, 64])
def test_outputs_do_not_depend_on_the_batch(kind: str, batch: int) -> None:
    network = KINDS[kind](4)
    x = rows(network, 65)
    parts = [integer.run(network, x[i : i + batch]) for i in range(0, len(x), batch)]
    assert np.concatenate(parts).tobytes() == integer.run(network, x).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_give_no_rows(kind: str) -> None:
    network = KINDS[kind](0)
    assert (
        integer.run(network, rows(network, 0)).shape
        == integer.run(network, rows(network, 3))[:0].shape
    )


def test_a_network_that_only_encodes_gives_back_its_input_rounded() -> None:
    network = Network((Quantize(unit(2, 0.5)),), Signature(Columns(("a",)), Numbers("y", "")))
    assert integer.run(network, np.array([[0.3], [-9.0], [1.0]])).tolist() == [[0.5], [-1.0], [1.0]]


def test_an_input_that_float32_cannot_hold_is_refused() -> None:
    network = table(0)
    x = rows(network, 3)
    x[1, 2] = 1e300
    with pytest.raises(OctetError) as caught:
        integer.run(network, x)
    assert str(caught.value).splitlines() == [str(caught.value)]


@pytest.mark.parametrize("layer", [images(0).layers[0], Quantize(unit(0))])
def test_what_has_no_codes_cannot_stand_among_integer_layers(layer: Layer) -> None:
    network = table(0)
    broken = replace(network, layers=(*network.layers, layer))
    with pytest.raises(OctetError) as caught:
        integer.run(broken, rows(network, 1))
    name = type(layer).__name__
    assert str(caught.value) == f"a {name} cannot stand among integer layers"


def test_a_mean_needs_a_grid_of_its_output() -> None:
    network = replace(images(0), layers=(Quantize(unit(0)), GlobalAveragePool()))
    with pytest.raises(OctetError, match=r"^a GlobalAveragePool among integer layers has no grid"):
        integer.run(network, rows(network, 1))


def test_a_network_is_of_integers_where_it_has_a_quantize() -> None:
    assert all(integer.is_integer(make(0)) for make in KINDS.values())
    assert not any(integer.is_integer(in_float(make(0))) for make in KINDS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_inference_takes_the_runtime_that_fits(kind: str) -> None:
    network = KINDS[kind](0)
    reals, x = in_float(network), rows(network, 5)
    assert inference.run(network, x).tobytes() == integer.run(network, x).tobytes()
    assert inference.run(reals, x).tobytes() == floating.run(reals, x).tobytes()


def test_products_beyond_float32_are_clipped_like_any_that_is_large() -> None:
    network = one_output(np.array([255, 1]), unit(0), unit(7, 1e-36))
    codes = np.array([[255, 0], [0, 255], [9, 9]], np.uint8)
    assert integer.last(network, codes).tolist() == [[255], [0], [7]]
