"""Operators of ai.onnx.ml: what skl2onnx writes for scalers, linear and logistic models."""

from typing import Any

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.importers.operators.affine import scale_and_shift
from octet.importers.operators.node import Node, operator, singles
from octet.importers.wiring import Layers
from octet.layers import Linear, Sigmoid, Softmax
from octet.parameters import values


@operator("ai.onnx.ml.Scaler")
def _scaler(node: Node, layers: Layers) -> None:
    offset, scale = (_numbers(node, name) for name in ("offset", "scale"))
    scale_and_shift(node.output, node.inputs[0], layers, scale, -offset * scale)


@operator("ai.onnx.ml.LinearRegressor")
def _linear_regressor(node: Node, layers: Layers) -> None:
    node.refuse_other(post_transform=b"NONE")
    layers.add(node.output, _linear(node, layers), node.inputs[0])


@operator("ai.onnx.ml.LinearClassifier")
def _linear_classifier(node: Node, layers: Layers) -> None:
    """Of its outputs the second, which has a number for each class; the first is the label."""
    linear, scores = _linear(node, layers), node.outputs[1]
    if linear.outputs == 1:
        raise OctetError("got coefficients for one class; allowed are some for each")
    sums = f"{scores}:sums"
    match node.attributes.get("post_transform", b"NONE"):
        case b"NONE":
            layers.add(scores, linear, node.inputs[0])
        case b"SOFTMAX":
            layers.add(sums, linear, node.inputs[0])
            layers.add(scores, Softmax(), sums)
        case b"LOGISTIC" if _are_opposite(linear):
            # Of -z and z the sigmoids are what softmax makes of -z/2 and z/2.
            half = Linear(singles(values(linear.weight) / 2), singles(values(linear.bias) / 2))
            layers.add(sums, half, node.inputs[0])
            layers.add(scores, Softmax(), sums)
        case b"LOGISTIC":
            layers.add(sums, linear, node.inputs[0])
            layers.add(scores, Sigmoid(), sums)
        case other:
            raise OctetError(f"post_transform: got {other}; allowed are NONE, SOFTMAX and LOGISTIC")


@operator("ai.onnx.ml.Normalizer")
def _normalizer(node: Node, layers: Layers) -> None:
    """To a sum of 1, which probabilities by softmax have already."""
    if (norm := node.attributes.get("norm", b"MAX")) != b"L1":
        raise OctetError(f"norm: got {norm!r}; allowed is {b'L1'!r}")
    if not isinstance(layers.only_source(node.inputs[0]), Softmax):
        raise OctetError(
            "got what softmax did not give; allowed are classes of which one alone is right: in "
            "place of one against the rest, train all together"
        )
    layers.alias(node.output, node.inputs[0])


@operator("ai.onnx.ml.ZipMap")
def _zip_map(node: Node, layers: Layers) -> None:
    layers.alias(node.output, node.inputs[0])


def _linear(node: Node, layers: Layers) -> Linear:
    (features,) = layers.tensor(node.inputs[0]).shape
    weight = _numbers(node, "coefficients").reshape(-1, features)
    bias = _numbers(node, "intercepts", np.zeros(len(weight)))
    return Linear(singles(weight), singles(bias))


def _are_opposite(linear: Linear) -> bool:
    weight, bias = values(linear.weight), values(linear.bias)
    opposite = np.array_equal(weight[0], -weight[-1]) and bias[0] == -bias[-1]
    return len(bias) == 2 and bool(opposite)


def _numbers(node: Node, name: str, without: Array | None = None) -> Array:
    """An attribute of finite numbers ``(count,)``; ``without`` it, this."""
    value: Any = node.attributes.get(name, without)
    if value is None:
        raise OctetError(f"{name}: missing; allowed are numbers")
    numbers = np.asarray(value, np.float64)
    if not np.all(np.isfinite(numbers)):
        raise OctetError(f"{name}: got NaN or an infinity")
    return numbers
