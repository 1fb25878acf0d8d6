"""Quantize a network layer by layer, each on the inputs that it sees in training."""

from dataclasses import replace

import numpy as np

from octet import floating
from octet.errors import OctetError
from octet.network import Array, Layer, Linear, Network, values
from stages.params import Quant
from stages.quantize import linear


def quantize_network(network: Network, x: Array, quant: Quant) -> Network:
    """The network with its weights and biases in codes; scalers stay as they are.

    What is known of the rounding of its layers is added up in ``rounding`` of the result.

    Args:
        network: in float.
        x: training features ``(rows, features)``.
        quant: how; ``bits`` at most 16.

    Raises:
        OctetError: see `stages.quantize.linear.quantize`; a layer whose weights are all the same;
            or the network is quantized already.
    """
    if network.rounding:
        raise OctetError("the float network is quantized already: run the train stage again")
    layers: list[Layer] = []
    rounding: dict[str, float] = {}
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Linear):
            _refuse_untrained(values(layer.weight), f"layer {i} (linear): weight")
            inputs = floating.run(replace(network, layers=network.layers[:i]), x)
            quantized, found = linear.quantize(layer, inputs, quant, f"layer {i} (linear)")
            layers.append(quantized)
            rounding = {key: rounding.get(key, 0) + value for key, value in found.items()}
        else:
            layers.append(layer)
    return replace(network, layers=tuple(layers), rounding=rounding)


def _refuse_untrained(weight: Array, name: str) -> None:
    """Weights that are all zero, or several that are all the same, are of no trained layer."""
    if not np.any(weight) or (weight.size > 1 and np.all(weight == weight.flat[0])):
        raise OctetError(
            f"{name}: got {weight.flat[0]:g} for every one of {weight.size}; allowed is a trained "
            "layer, whose weights differ: train it again"
        )
