"""Run a network in float64. Codes are dequantized first: weights are small, activations exact.

The sums have a fixed order, input by input, and use no BLAS: whose order of addition depends on
the CPU, and so would the last bits of a prediction.
"""

import numpy as np

from octet.errors import OctetError
from octet.network import Array, Linear, Network, Standardize, values


def run(network: Network, x: Array) -> Array:
    """Outputs of the network.

    Args:
        x: ``(rows, features)``, float64.

    Returns:
        ``(rows, outputs)``, float64; the same bits on every CPU and for every batch size.

    Raises:
        OctetError: ``x`` has another number of features than the network.
    """
    expected = len(network.signature.features)
    if x.ndim != 2 or x.shape[1] != expected:
        raise OctetError(f"input: got shape {x.shape}; allowed is (rows, {expected})")
    for layer in network.layers:
        match layer:
            case Standardize():
                x = (x - layer.mean) / layer.std
            case Linear():
                x = _linear(x, values(layer.weight), values(layer.bias))
    return x


def _linear(x: Array, weight: Array, bias: Array) -> Array:
    """Sum up x Wᵀ + b in order of inputs: x ``(rows, inputs)``, W ``(outputs, inputs)``."""
    total = np.zeros((len(x), len(weight)))
    for column, weights in zip(x.T, weight.T, strict=True):
        total += column[:, None] * weights
    return total + bias
