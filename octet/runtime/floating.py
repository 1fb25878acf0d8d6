"""Run a network in float64. Codes are dequantized first: weights are small, activations exact.

The sums have a fixed order, or are exact so that order does not matter: BLAS adds in an order that
depends on the CPU, and so would the last bits of a prediction.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Literal

import numpy as np

from octet.affine import Array, Floats, Grid, dequantize, quantize, refuse_not_finite
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
    Standardize,
    shape_after,
    windows,
)
from octet.network import Network
from octet.parameters import shape_of, values
from octet.signature import Images, Input

# What goes through the layers together fits into a cache: images, or numbers of a table.
_IMAGES = 32
_NUMBERS = 2**16
# And into memory, whatever a model's layers are: numbers of the widest.
_MOST = 2**22


def run(network: Network, x: Input) -> Array:
    """Outputs of the network.

    Args:
        x: ``(rows, features)`` in float64, or ``(rows, channels, height, width)`` in that or uint8.

    Returns:
        ``(rows, outputs)``, float64; the same bits on every CPU and for every batch size.

    Raises:
        OctetError: ``x`` has another shape than the network's signature says, another dtype, or
            NaN or an infinity in it.
    """
    refuse_input(network, x)
    # By columns, a layer of a table works on long rows of numbers: some 30 times as fast.
    order: Literal["C", "F"] = "C" if x.ndim > 2 else "F"
    parts = [
        through(network.layers, part.astype(np.float64, order=order))
        for part in batches(network, x)
    ]
    return np.concatenate(parts)


def batches(network: Network, x: Input) -> Iterator[Input]:
    """Rows that go through the layers together, at least once even if there are none."""
    size = _NUMBERS // math.prod(network.signature.shape) if x.ndim == 2 else _IMAGES
    size = max(1, min(size, _MOST // _widest(network)))
    for i in range(0, max(len(x), 1), size):
        yield x[i : i + size]


def _widest(network: Network) -> int:
    """Numbers of one row where they are most: behind a layer, or as a convolution sees them."""
    shape = network.signature.shape
    most = math.prod(shape)
    for layer in network.layers:
        shape = shape_after(layer, shape)
        seen = 1
        if isinstance(layer, Conv2d):
            outputs, *kernel = shape_of(layer.weight)
            seen = math.prod(kernel) * math.prod(shape) // outputs
        most = max(most, math.prod(shape), seen)
    return most


def refuse_input(network: Network, x: Input) -> None:
    """Raise an OctetError if these are not finite rows of the shape that the network takes."""
    allowed = network.signature.shape
    if x.ndim != 1 + len(allowed) or x.shape[1:] != allowed:
        expected = ", ".join(map(str, allowed))
        raise OctetError(f"input: got shape {x.shape}; allowed is (rows, {expected})")
    if x.dtype not in (np.float64, np.uint8):
        raise OctetError(f"input: got {x.dtype}; allowed is float64 or uint8")
    if x.dtype == np.float64:
        refuse_not_finite(x.astype(np.float64, copy=False), "input")
    elif isinstance(network.signature.inputs, Images):
        brightest, white = int(np.max(x, initial=0)), network.signature.inputs.white
        if brightest > white:
            raise OctetError(f"input: got a pixel of {brightest}; allowed are 0 to {white}")


def through(layers: Iterable[Layer], x: Array) -> Array:
    """What comes out of the layers, one after the other, when ``x`` goes in."""
    for layer in layers:
        x = step(layer, x)
    return x


def step(layer: Layer, x: Array) -> Array:
    """What comes out of one layer. Where it has a grid, that is rounded to the grid."""
    match layer:
        case Standardize():
            mean, std = (v.reshape(-1, *[1] * (x.ndim - 2)) for v in (layer.mean, layer.std))
            return (x - mean) / std
        case Quantize():
            return _rounded(x.astype(np.float32), layer.grid)
        case Linear():
            return _rounded(_linear(x, values(layer.weight), values(layer.bias)), layer.output)
        case Conv2d():
            sums = windows.correlate(x, values(layer.weight), layer.padding)
            return _rounded(sums + values(layer.bias)[:, None, None], layer.output)
        case Relu():
            return np.maximum(x, 0.0)
        case MaxPool():
            return windows.max_pool(x, layer.side)
        case GlobalAveragePool():
            return _rounded(_mean(x), layer.output)
        case Flatten():
            return windows.flatten(x)


def _rounded(x: Floats, grid: Grid | None) -> Array:
    return x.astype(np.float64) if grid is None else dequantize(quantize(x, grid), grid)


def _linear(x: Array, weight: Array, bias: Array) -> Array:
    """Sum up x Wᵀ + b in order of inputs: x ``(rows, inputs)``, W ``(outputs, inputs)``."""
    total = np.zeros((len(x), len(weight)))
    for column, weights in zip(x.T, weight.T, strict=True):
        total += column[:, None] * weights
    return total + bias


def _mean(x: Array) -> Array:
    """Over height and width, in order of positions."""
    _, _, height, width = x.shape
    total = np.zeros(x.shape[:2])
    for i, j in product(range(height), range(width)):
        total += x[:, :, i, j]
    return np.asarray(total / (height * width))
