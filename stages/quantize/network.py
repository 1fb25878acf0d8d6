"""Quantize a network layer by layer, each on the inputs that it sees in training."""

from dataclasses import replace

from octet import floating
from octet.errors import OctetError
from octet.network import Array, Layer, Linear, Network
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
        OctetError: see `stages.quantize.linear.quantize`; or the network is quantized already.
    """
    if network.rounding:
        raise OctetError("the float network is quantized already: run the train stage again")
    layers: list[Layer] = []
    rounding: dict[str, float] = {}
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Linear):
            inputs = floating.run(replace(network, layers=network.layers[:i]), x)
            quantized, found = linear.quantize(layer, inputs, quant, f"layer {i} (linear)")
            layers.append(quantized)
            rounding = {key: rounding.get(key, 0) + value for key, value in found.items()}
        else:
            layers.append(layer)
    return replace(network, layers=tuple(layers), rounding=rounding)
