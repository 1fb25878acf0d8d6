"""Weighted sums: Conv, Gemm and MatMul."""

import numpy as np

from octet.errors import OctetError
from octet.importers.operators.affine import of_each_output
from octet.importers.operators.node import Node, operator, singles
from octet.importers.operators.windows import padding_of, sides_of
from octet.importers.wiring import Layers
from octet.layers import Conv2d, Linear, Pad


@operator("Conv")
def _conv(node: Node, layers: Layers) -> None:
    weight = singles(node.weights(1))
    if weight.ndim != 4:
        raise OctetError(f"got a kernel of {weight.ndim - 2} axes; allowed are 2")
    node.refuse_other(dilations=[1, 1])
    outputs, _, high, wide = weight.shape
    node.refuse_other(kernel_shape=[high, wide])
    bias = singles(node.weights(2, (outputs,)) if node.has(2) else np.zeros(outputs))
    stride = sides_of(node.attributes.get("strides", [1, 1]))
    sides = (int(high), int(wide))
    padding = padding_of(node, layers, sides, stride)
    groups = int(node.attributes.get("group", 1))
    entering = node.inputs[0]
    # A layer's padding is less than its kernel.
    if max(padding[0], padding[2]) >= high or max(padding[1], padding[3]) >= wide:
        layers.add(f"{node.output}:pad", Pad(padding), entering)
        entering, padding = f"{node.output}:pad", (0, 0, 0, 0)
    layers.add(node.output, Conv2d(weight, bias, padding, stride, groups), entering)


@operator("Gemm")
def _gemm(node: Node, layers: Layers) -> None:
    node.refuse_other(transA=0)
    weight = node.weights(1)
    if not node.attributes.get("transB", 0):
        weight = weight.T
    alpha, bias = float(node.attributes.get("alpha", 1.0)), np.zeros(len(weight))
    if node.has(2):
        beta = float(node.attributes.get("beta", 1.0))
        bias += beta * of_each_output(node.weights(2), (len(weight),))
    layers.add(node.output, Linear(singles(alpha * weight), singles(bias)), node.inputs[0])


@operator("MatMul")
def _matmul(node: Node, layers: Layers) -> None:
    weight = singles(node.weights(1))
    if weight.ndim != 2:
        raise OctetError(f"input 1: got shape {weight.shape}; allowed is (inputs, outputs)")
    bias = np.zeros(weight.shape[1], np.float32)
    layers.add(node.output, Linear(np.ascontiguousarray(weight.T), bias), node.inputs[0])
