"""Run a quantized network in integers only, as ONNX Runtime does on a CPU: the same codes.

From the codes of the input to those of the output, a layer with weights q_w computes

1.  acc = Σ (q_x - z_x)(q_w - z_w) + q_b, in int32; the bias q_b has the scale s_x · s_w;
2.  m = float32(float32(s_x · s_w) / s_y), one number for each output channel;
3.  q_y = clip(round_half_even(float32(acc) · m) + z_y, 0, n).

That is QLinearConv of the ONNX standard. ReLU is a clip at z_y, max-pooling works on codes, padding
is z_x, and a mean over p positions is a sum whose weight is the code 1 at the scale 1/p.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from octet.affine import Array, Codes, Floats, Grid, as_codes, dequantize, quantize
from octet.errors import OctetError
from octet.layers import (
    Conv2d,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
    Quantize,
    Relu,
    Weighted,
    windows,
)
from octet.network import Network
from octet.parameters import Int32, Quantized
from octet.runtime import floating
from octet.signature import Input

Accumulators = npt.NDArray[np.int32]
Scales = npt.NDArray[np.float32]

_EXACT_FLOAT32 = 2**24
_TOGETHER = 2**16


def is_integer(network: Network) -> bool:
    """Whether the network has a part that runs in integers only."""
    return any(isinstance(layer, Quantize) for layer in network.layers)


def run(network: Network, x: Input) -> Array:
    """Outputs of the network: encode, run in integers, decode.

    Args:
        x: ``(rows, …)`` in the unit of the network's input, as for `floating.run`.

    Returns:
        ``(rows, outputs)``, float64: the reals that the output codes stand for.

    Raises:
        OctetError: as `floating.run`.
    """
    floating.refuse_input(network, x)
    codes = np.concatenate(
        [last(network, encode(network, part)) for part in floating.batches(network, x)]
    )
    return dequantize(codes, output_grid(network))


def encode(network: Network, x: Input) -> Codes:
    """The codes with which the integers start: what stands before is computed in float."""
    start = _start(network)
    reals = floating.through(network.layers[:start], x.astype(np.float64))
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        singles = reals.astype(np.float32)
    return quantize(singles, _quantize(network).grid, "the input")


def last(network: Network, codes: Codes) -> Codes:
    """The output codes for input codes ``(rows, …)``."""
    steps = deque(trace(network, codes), maxlen=1)
    return steps[0][2] if steps else codes


def trace(network: Network, codes: Codes) -> Iterator[tuple[int, Layer, Codes]]:
    """Each integer layer with its index in ``network.layers`` and the codes that leave it."""
    grid = _quantize(network).grid
    for i, layer in enumerate(network.layers[_start(network) + 1 :], _start(network) + 1):
        codes, grid = _step(layer, codes, grid)
        yield i, layer, codes


def output_grid(network: Network) -> Grid:
    """The grid of the output codes."""
    grids = [
        layer.output
        for layer in network.layers
        if isinstance(layer, Weighted | GlobalAveragePool) and layer.output
    ]
    return grids[-1] if grids else _quantize(network).grid


def largest_sum(layer: Weighted, grid: Grid) -> int:
    """A bound on |acc| that no input can exceed, from the codes of the layer alone.

    |Σ (q_x - z_x)(q_w - z_w) + q_b| ≤ Σ |q_w - z_w| · max(z_x, n - z_x) + |q_b|, for each output;
    the largest of them. Below 2³¹ no sum, nor any part of one, overflows int32.

    Args:
        layer: with weights in codes and a bias in int32.
        grid: of its input.
    """
    weight, bias = _weight(layer), _bias(layer).codes.astype(np.int64)
    codes = weight.codes.reshape(len(bias), -1)
    zero_point = np.broadcast_to(weight.grid.zero_point.reshape(-1, 1), (len(bias), 1))
    reach = max(int(grid.zero_point), grid.top - int(grid.zero_point))
    largest = 0
    # Some outputs at a time: in 32 bits the codes are many times as large as in their file.
    step = max(1, _TOGETHER // max(codes.shape[1], 1))
    for i in range(0, len(bias), step):
        part = slice(i, i + step)
        weights = np.abs(codes[part] - zero_point[part].astype(np.int32)).sum(axis=1)
        largest = max(largest, int(np.max(weights * reach + np.abs(bias[part]))))
    return largest


def steps(layer: Weighted) -> npt.NDArray[np.int64]:
    """q_w - z_w, ``(outputs, inputs of one output)``."""
    weight = _weight(layer)
    centred = weight.codes.astype(np.int64) - weight.grid.zero_point.astype(np.int64)
    return centred.reshape(len(centred), -1)


def multiplier(layer: Weighted | GlobalAveragePool, grid: Grid, positions: int = 1) -> Scales:
    """The m of formula 2, ``(outputs,)`` or ``(1,)``, for a layer whose input has this grid."""
    if isinstance(layer, GlobalAveragePool):
        weight_scale = mean_scale(positions)
    else:
        weight_scale = _weight(layer).grid.scale.reshape(-1)
    return (grid.scale * weight_scale / _output(layer).scale).astype(np.float32)


def mean_scale(positions: int) -> Scales:
    """The scale of the weights 1 with which a sum is a mean."""
    return np.array([1 / positions], np.float32)


def _step(layer: Layer, codes: Codes, grid: Grid) -> tuple[Codes, Grid]:
    """The codes after a layer, and their grid."""
    match layer:
        case Linear():
            acc = _sums(layer, _centred(layer, codes, grid)[..., None])[..., 0]
            return _requantize(acc, multiplier(layer, grid), _output(layer)), _output(layer)
        case Conv2d():
            return _conv2d(layer, codes, grid), _output(layer)
        case Relu():
            return np.maximum(codes, grid.zero_point), grid
        case MaxPool():
            return windows.max_pool(codes, layer.side), grid
        case GlobalAveragePool():
            positions = codes.shape[2] * codes.shape[3]
            zeros = positions * grid.zero_point.astype(np.int32)
            acc = codes.sum(axis=(2, 3), dtype=np.int32) - zeros
            m = multiplier(layer, grid, positions)
            return _requantize(acc, m, _output(layer)), _output(layer)
        case Flatten():
            return windows.flatten(codes), grid
        case _:
            raise OctetError(f"a {type(layer).__name__} cannot stand among integer layers")


def _conv2d(layer: Conv2d, codes: Codes, grid: Grid) -> Codes:
    side = _weight(layer).codes.shape[2]
    acc = _sums(layer, windows.patches(_centred(layer, codes, grid), side, layer.padding))
    made = _requantize(acc, multiplier(layer, grid)[:, None], _output(layer))
    sides = [length + 2 * layer.padding - side + 1 for length in codes.shape[2:]]
    return made.reshape(*made.shape[:2], *sides)


def _centred(layer: Weighted, codes: Codes, grid: Grid) -> Floats:
    """q_x - z_x, in the narrowest type whose products BLAS multiplies and adds without rounding.

    NumPy has no fast integer products. But float32 holds every integer up to 2²⁴, and float64 up to
    2⁵³; where no sum can be larger, theirs are the integers, in whatever order.
    """
    exact = np.float32 if largest_sum(layer, grid) <= _EXACT_FLOAT32 else np.float64
    return np.asarray(codes.astype(exact) - grid.zero_point.astype(exact))


def _sums(layer: Weighted, seen: Floats) -> Accumulators:
    """Formula 1: ``(rows, inputs, positions)`` to ``(rows, outputs, positions)``."""
    products = np.matmul(steps(layer).astype(seen.dtype), seen)
    return np.asarray(products.astype(np.int32) + _bias(layer).codes[:, None])


def _requantize(acc: Accumulators, m: Scales, grid: Grid) -> Codes:
    """Formula 3."""
    with np.errstate(over="ignore"):  # what overflows to infinity is clipped like any large value
        products = acc.astype(np.float32) * m
    reals = np.rint(products) + grid.zero_point.astype(np.float32)
    return as_codes(np.clip(reals, 0, grid.top), grid.bits)


def _start(network: Network) -> int:
    return network.layers.index(_quantize(network))


def _quantize(network: Network) -> Quantize:
    for layer in network.layers:
        if isinstance(layer, Quantize):
            return layer
    raise OctetError("the network computes in float: it has no integer layers")


def _output(layer: Weighted | GlobalAveragePool) -> Grid:
    if layer.output is None:
        raise OctetError(f"a {type(layer).__name__} among integer layers has no grid of its output")
    return layer.output


def _weight(layer: Weighted) -> Quantized:
    if not isinstance(layer.weight, Quantized):
        raise OctetError(f"a {type(layer).__name__} among integer layers has its weight in float")
    return layer.weight


def _bias(layer: Weighted) -> Int32:
    if not isinstance(layer.bias, Int32):
        raise OctetError(f"a {type(layer).__name__} among integer layers has its bias not in int32")
    return layer.bias
