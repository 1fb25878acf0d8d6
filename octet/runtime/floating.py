"""Run a network in float64. Codes are dequantized first: weights are small, activations exact.

The sums have a fixed order, or are exact so that order does not matter: BLAS adds in an order that
depends on the CPU, and so would the last bits of a prediction.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from octet.affine import Array, refuse_not_finite
from octet.errors import OctetError
from octet.layers import Layer, correlation
from octet.network import Network, flow, most_numbers
from octet.signature import Images, Input

# Numbers of a table that go through the layers together fit into a cache.
_NUMBERS = 2**16
# And into memory, whatever a model's layers are: numbers at once.
_MOST = 2**23


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
    return np.concatenate([through(network.layers, part) for part in batches(network, x)])


def through(layers: Sequence[Layer], x: Input) -> Array:
    """What comes out of the last of the layers when ``x`` goes into the first."""
    # By columns, a layer of a table works on long rows of numbers: some 30 times as fast.
    order: Literal["C", "F"] = "C" if x.ndim > 2 else "F"
    rows: Array = x.astype(np.float64, order=order, copy=False)
    last = deque(flow(layers, rows, step), maxlen=1)
    return last[0][1] if last else rows


def step(layer: Layer, *x: Array) -> Array:
    """What comes out of one layer. Where it has a grid, that is rounded to the grid."""
    return layer.reals(*x)


def batches(network: Network, x: Input) -> Iterator[Input]:
    """Rows that go through the layers together, at least once even if there are none."""
    if len(x) == 1:
        yield x
        return
    size = _NUMBERS // math.prod(network.signature.shape) if x.ndim == 2 else correlation.ROWS
    size = max(1, min(size, _MOST // most_numbers(network)))
    for i in range(0, max(len(x), 1), size):
        yield x[i : i + size]


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
