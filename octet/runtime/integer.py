"""Run a quantized network in integers only, as ONNX Runtime does on a CPU: the same codes.

From its `Quantize` on, a network computes in codes: what each kind of layer does with them is in
its file in octet/layers, the arithmetic of sums in octet/layers/integers.py. What comes behind a
`Dequantize` is in float again.
"""

from collections import deque
from collections.abc import Iterator
from functools import partial

import numpy as np

from octet.affine import Array, Codes
from octet.errors import OctetError
from octet.layers import Layer, Quantize, Value, in_reals
from octet.network import Network, flow
from octet.parameters import Quantized
from octet.runtime import floating, threads
from octet.signature import Input


def is_integer(network: Network) -> bool:
    """Whether the network has a part that runs in integers only."""
    return any(isinstance(layer, Quantize) for layer in network.layers)


def run(network: Network, x: Input) -> Array:
    """Outputs of the network: encode, run in integers, decode.

    Args:
        x: ``(rows, …)`` in the unit of the network's input, as for `floating.run`.

    Returns:
        ``(rows, outputs)``, float64: the reals that the output codes stand for, or what layers in
        float make of them.

    Raises:
        OctetError: as `floating.run`; or the network has no integer layers.
    """
    floating.refuse_input(network, x)
    _refuse_float(network)
    parts = floating.batches(network, x)
    return np.concatenate(threads.each(partial(_outputs, network), parts))


def _outputs(network: Network, x: Input) -> Array:
    ((_, _, value),) = deque(values(network, x), maxlen=1)
    return in_reals(value)


def values(network: Network, x: Input) -> Iterator[tuple[int, Layer, Value]]:
    """Each layer with its index in ``network.layers`` and what comes out, in codes or reals."""
    first: Value = x.astype(np.float64)
    for i, value in flow(network.layers, first, step):
        yield i, network.layers[i], value


def trace(network: Network, x: Input) -> Iterator[tuple[int, Layer, Codes]]:
    """Each layer that gives codes, with its index, and the codes."""
    for i, layer, value in values(network, x):
        if isinstance(value, Quantized):
            yield i, layer, value.codes


def step(layer: Layer, *x: Value) -> Value:
    """What comes out of one layer, in codes for codes."""
    return layer.forward(*x)


def _refuse_float(network: Network) -> None:
    if not is_integer(network):
        raise OctetError("the network computes in float: it has no integer layers")
