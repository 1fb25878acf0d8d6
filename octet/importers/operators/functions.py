"""Functions of each number by itself, and Softmax."""

import math

from onnx import TensorProto

from octet.errors import OctetError
from octet.importers.operators.node import Node, operator
from octet.importers.wiring import Layers
from octet.layers import Clip, LeakyRelu, Relu, Sigmoid, Softmax, Tanh


@operator("Identity", "Dropout")
def _identity(node: Node, layers: Layers) -> None:
    if node.has(2) and (training := node.option(2)) is not None and training.any():
        raise OctetError("training_mode: got 1; allowed is 0: export the network in eval mode")
    layers.alias(node.output, node.inputs[0])


@operator("Cast")
def _cast(node: Node, layers: Layers) -> None:
    # From a float to one that has no fewer digits than a layer's weights.
    if node.attributes["to"] not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        name = TensorProto.DataType.Name(node.attributes["to"])
        raise OctetError(f"to: got {name}; allowed are FLOAT and DOUBLE")
    layers.alias(node.output, node.inputs[0])


@operator("Relu")
def _relu(node: Node, layers: Layers) -> None:
    layers.add(node.output, Relu(), node.inputs[0])


@operator("Clip")
def _clip(node: Node, layers: Layers) -> None:
    low, high = (_end(node, i, name) for i, name in ((1, "min"), (2, "max")))
    if low == 0 and high == math.inf:
        layers.add(node.output, Relu(), node.inputs[0])
    elif math.isfinite(low) and math.isfinite(high):
        layers.add(node.output, Clip(low, high), node.inputs[0])
    else:
        raise OctetError(f"got {low} to {high}; allowed are two finite ends, or 0 and none")


def _end(node: Node, i: int, name: str) -> float:
    """An end of Clip: an input, or before opset 11 an attribute; infinite if left out."""
    value = node.option(i)
    if value is None:
        return float(node.attributes.get(name, -math.inf if i == 1 else math.inf))
    if value.size != 1:
        raise OctetError(f"{name}: got shape {value.shape}; allowed is one number")
    return float(value.reshape(()))


@operator("LeakyRelu")
def _leaky_relu(node: Node, layers: Layers) -> None:
    layers.add(node.output, LeakyRelu(float(node.attributes.get("alpha", 0.01))), node.inputs[0])


@operator("Sigmoid")
def _sigmoid(node: Node, layers: Layers) -> None:
    layers.add(node.output, Sigmoid(), node.inputs[0])


@operator("Tanh")
def _tanh(node: Node, layers: Layers) -> None:
    layers.add(node.output, Tanh(), node.inputs[0])


@operator("Softmax")
def _softmax(node: Node, layers: Layers) -> None:
    axis = node.attributes.get("axis", -1)
    if axis not in (-1, 1):
        raise OctetError(f"axis: got {axis}; allowed is the last of (rows, classes)")
    layers.add(node.output, Softmax(), node.inputs[0])
