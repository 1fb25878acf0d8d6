"""The operators of ONNX that Octet knows: each a function from a node to layers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from octet.affine import Array, Floats
from octet.errors import OctetError
from octet.importers.wiring import Layers
from octet.layers import (
    Add,
    AveragePool,
    Clip,
    Conv2d,
    Flatten,
    GlobalAveragePool,
    Layer,
    LeakyRelu,
    Linear,
    MaxPool,
    Pad,
    Relu,
    Reshape,
    Sigmoid,
    Softmax,
    Tanh,
    Weighted,
)
from octet.layers.batch_normalization import BatchNormalization
from octet.layers.windows import Padding, Sides, refuse_no_image, window
from octet.parameters import values
from octet.signature import Shape


@dataclass(frozen=True)
class Node:
    """One node of a graph.

    Attributes:
        operator: its type.
        inputs: the names of its tensors; empty where an optional one is left out.
        output: the name of its first output.
        attributes: by name.
        constants: those of its inputs that are known, by name.
    """

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]
    constants: Mapping[str, npt.NDArray[Any]]

    def has(self, i: int) -> bool:
        """Whether there is an input i: an optional one may be left out."""
        return i < len(self.inputs) and self.inputs[i] != ""

    def constant(self, i: int) -> npt.NDArray[Any] | None:
        """Input i if it is a constant; None if it is computed, or there is none."""
        return self.constants.get(self.inputs[i]) if self.has(i) else None

    def option(self, i: int) -> npt.NDArray[Any] | None:
        """Input i, which must be a constant where it is there."""
        value = self.constant(i)
        if value is None and self.has(i):
            raise OctetError(f"input {i}: got a computed tensor; allowed are constants")
        return value

    def weights(self, i: int, allowed: Shape | None = None) -> Floats:
        """Input i: a constant of finite numbers, of the shape that is ``allowed``, if any is."""
        value = self.option(i)
        if value is None:
            raise OctetError(f"input {i}: missing")
        single = _singles(value)
        if not np.all(np.isfinite(single)):
            raise OctetError(f"input {i} ({self.inputs[i]}): got NaN or an infinity")
        if single.size == 0 or allowed not in (None, single.shape):
            raise OctetError(
                f"input {i} ({self.inputs[i]}): got shape {single.shape}; "
                f"allowed is {allowed or 'one without a 0'}"
            )
        return single

    def refuse_other(self, **allowed: Any) -> None:
        """Raise an OctetError where an attribute is there and not what is allowed."""
        for name, value in allowed.items():
            got = self.attributes.get(name, value)
            if got != value:
                raise OctetError(f"{name}: got {got}; allowed is {value}")


def _singles(x: npt.NDArray[Any]) -> Floats:
    """In float32; what that cannot hold becomes infinite, and is refused."""
    with np.errstate(over="ignore"):
        return x.astype(np.float32)


Operator = Callable[[Node, Layers], None]
OPERATORS: dict[str, Operator] = {}


def _operator(*names: str) -> Callable[[Operator], Operator]:
    def register(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register


@_operator("Identity", "Dropout")
def _identity(node: Node, layers: Layers) -> None:
    if node.has(2) and (training := node.option(2)) is not None and training.any():
        raise OctetError("training_mode: got 1; allowed is 0: export the network in eval mode")
    layers.alias(node.output, node.inputs[0])


@_operator("Cast")
def _cast(node: Node, layers: Layers) -> None:
    # From a float to one that has no fewer digits than a layer's weights.
    if node.attributes["to"] not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        name = TensorProto.DataType.Name(node.attributes["to"])
        raise OctetError(f"to: got {name}; allowed are FLOAT and DOUBLE")
    layers.alias(node.output, node.inputs[0])


@_operator("Conv")
def _conv(node: Node, layers: Layers) -> None:
    weight = node.weights(1)
    if weight.ndim != 4:
        raise OctetError(f"got a kernel of {weight.ndim - 2} axes; allowed are 2")
    node.refuse_other(dilations=[1, 1])
    outputs, _, high, wide = weight.shape
    node.refuse_other(kernel_shape=[high, wide])
    bias = node.weights(2, (outputs,)) if node.has(2) else np.zeros(outputs, np.float32)
    stride = _sides(node.attributes.get("strides", [1, 1]))
    sides = (int(high), int(wide))
    padding = _padding(node, layers, sides, stride)
    groups = int(node.attributes.get("group", 1))
    entering = node.inputs[0]
    # A layer's padding is less than its kernel.
    if max(padding[0], padding[2]) >= high or max(padding[1], padding[3]) >= wide:
        layers.add(f"{node.output}:pad", Pad(padding), entering)
        entering, padding = f"{node.output}:pad", (0, 0, 0, 0)
    layers.add(node.output, Conv2d(weight, bias, padding, stride, groups), entering)


@_operator("Gemm")
def _gemm(node: Node, layers: Layers) -> None:
    node.refuse_other(transA=0)
    weight = node.weights(1)
    if not node.attributes.get("transB", 0):
        weight = weight.T
    weight = _singles(float(node.attributes.get("alpha", 1.0)) * weight.astype(np.float64))
    bias = np.zeros(len(weight))
    if node.has(2):
        beta = float(node.attributes.get("beta", 1.0))
        bias += beta * _of_each_output(node.weights(2), (len(weight),))
    layers.add(node.output, Linear(weight, _singles(bias)), node.inputs[0])


@_operator("MatMul")
def _matmul(node: Node, layers: Layers) -> None:
    weight = node.weights(1)
    if weight.ndim != 2:
        raise OctetError(f"input 1: got shape {weight.shape}; allowed is (inputs, outputs)")
    bias = np.zeros(weight.shape[1], np.float32)
    layers.add(node.output, Linear(np.ascontiguousarray(weight.T), bias), node.inputs[0])


@_operator("Add")
def _add(node: Node, layers: Layers) -> None:
    known = [i for i in (0, 1) if node.constant(i) is not None]
    if not known:
        layers.add(node.output, Add(), *node.inputs)
        return
    taken, shift = node.inputs[1 - known[0]], node.weights(known[0])
    source = layers.only_source(taken)
    if not isinstance(source, Weighted):
        raise OctetError("got a constant that is no bias of the layer before")
    bias = values(source.bias) + _of_each_output(shift, layers.tensor(taken).shape)
    layers.merge(node.output, taken, replace(source, bias=_singles(bias)))


def _of_each_output(shift: Floats, shape: Shape) -> Array:
    """A constant that is added to rows of this shape, as a bias: ``(outputs,)`` or ``(1,)``."""
    wide = (1,) * (1 + len(shape) - shift.ndim) + shift.shape
    if wide not in ((1, size, *[1] * (len(shape) - 1)) for size in (1, shape[0])):
        raise OctetError(
            f"got a constant of shape {shift.shape}, which is no bias of the layer before: it must "
            f"be the same for all but the {shape[0]} outputs"
        )
    return shift.astype(np.float64).reshape(-1)


@_operator("BatchNormalization")
def _batch_normalization(node: Node, layers: Layers) -> None:
    """Folded into the layer before, or a convolution of its own."""
    node.refuse_other(training_mode=0)
    taken = node.inputs[0]
    channels = layers.tensor(taken).shape[0]
    gamma, beta, mean, variance = (node.weights(i, (channels,)) for i in range(1, 5))
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    if np.any(variance + epsilon <= 0):
        raise OctetError(f"input 4 ({node.inputs[4]}): got a negative variance, or 0")
    normalization = BatchNormalization(gamma, beta, mean, variance, epsilon)
    source = layers.only_source(taken)
    if isinstance(source, Weighted):
        layers.merge(node.output, taken, normalization.fold(source))
        return
    factor, shift = normalization.factor_and_shift()
    if len(layers.tensor(taken).shape) == 1:
        layer: Layer = Linear(_singles(np.diag(factor)), _singles(shift))
    else:
        layer = Conv2d(_singles(factor.reshape(-1, 1, 1, 1)), _singles(shift), groups=channels)
    layers.add(node.output, layer, taken)


@_operator("Relu")
def _relu(node: Node, layers: Layers) -> None:
    layers.add(node.output, Relu(), node.inputs[0])


@_operator("Clip")
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


@_operator("LeakyRelu")
def _leaky_relu(node: Node, layers: Layers) -> None:
    layers.add(node.output, LeakyRelu(float(node.attributes.get("alpha", 0.01))), node.inputs[0])


@_operator("Sigmoid")
def _sigmoid(node: Node, layers: Layers) -> None:
    layers.add(node.output, Sigmoid(), node.inputs[0])


@_operator("Tanh")
def _tanh(node: Node, layers: Layers) -> None:
    layers.add(node.output, Tanh(), node.inputs[0])


@_operator("Softmax")
def _softmax(node: Node, layers: Layers) -> None:
    axis = node.attributes.get("axis", -1)
    if axis not in (-1, 1):
        raise OctetError(f"axis: got {axis}; allowed is the last of (rows, classes)")
    layers.add(node.output, Softmax(), node.inputs[0])


@_operator("MaxPool")
def _max_pool(node: Node, layers: Layers) -> None:
    sides, stride, padding = _window(node, layers)
    layers.add(node.output, MaxPool(sides, stride, padding), node.inputs[0])


@_operator("AveragePool")
def _average_pool(node: Node, layers: Layers) -> None:
    sides, stride, padding = _window(node, layers)
    entering = node.inputs[0]
    if any(padding):
        if not node.attributes.get("count_include_pad", 0):
            raise OctetError("got padding that does not count; allowed is count_include_pad = 1")
        layers.add(f"{node.output}:pad", Pad(padding), entering)
        entering = f"{node.output}:pad"
    layers.add(node.output, AveragePool(sides, stride), entering)


def _window(node: Node, layers: Layers) -> tuple[Sides, Sides, Padding]:
    node.refuse_other(dilations=[1, 1], storage_order=0)
    sides = _sides(node.attributes["kernel_shape"])
    stride = _sides(node.attributes.get("strides", [1, 1]))
    padding = _padding(node, layers, sides, stride)
    if node.attributes.get("ceil_mode", 0):
        window(sides, stride, padding).positions(layers.tensor(node.inputs[0]).shape)
        height, width = layers.tensor(node.inputs[0]).shape[1:]
        lengths = height + padding[0] + padding[2], width + padding[1] + padding[3]
        rest = [(n - s) % d for n, s, d in zip(lengths, sides, stride, strict=True)]
        if any(rest):
            raise OctetError("ceil_mode: got 1, and windows that leave the image; allowed is 0")
    return sides, stride, padding


def _sides(value: Any) -> Sides:
    if len(value) != 2:
        raise OctetError(f"got {len(value)} axes of a window; allowed are 2")
    return int(value[0]), int(value[1])


def _padding(node: Node, layers: Layers, sides: Sides, stride: Sides) -> Padding:
    """What ``pads`` says, or ``auto_pad``: as many positions as strides fit into the image."""
    automatic = node.attributes.get("auto_pad", b"NOTSET").decode()
    if automatic == "NOTSET":
        pads = [int(pad) for pad in node.attributes.get("pads", [0, 0, 0, 0])]
        if len(pads) != 4 or min(pads) < 0:
            raise OctetError(f"pads: got {pads}; allowed are four from 0")
        return pads[0], pads[1], pads[2], pads[3]
    node.refuse_other(pads=[0, 0, 0, 0])
    if automatic == "VALID":
        return 0, 0, 0, 0
    if automatic not in ("SAME_UPPER", "SAME_LOWER"):
        raise OctetError(f"auto_pad: got {automatic}; allowed are what the standard names")
    refuse_no_image(layers.tensor(node.inputs[0]).shape)
    before, after = [], []
    lengths = layers.tensor(node.inputs[0]).shape[1:]
    for length, side, step in zip(lengths, sides, stride, strict=True):
        total = max((-(-length // step) - 1) * step + side - length, 0)
        less, more = total // 2, total - total // 2
        before.append(less if automatic == "SAME_UPPER" else more)
        after.append(more if automatic == "SAME_UPPER" else less)
    return before[0], before[1], after[0], after[1]


@_operator("GlobalAveragePool")
def _global_average_pool(node: Node, layers: Layers) -> None:
    _mean_of_images(node, layers, keep=True)


@_operator("ReduceMean")
def _reduce_mean(node: Node, layers: Layers) -> None:
    axes = _axes(node)
    rank = 1 + len(layers.tensor(node.inputs[0]).shape)
    if axes is None or sorted(int(axis) % rank for axis in axes) != [2, 3] or rank != 4:
        raise OctetError(f"axes: got {axes}; allowed are those of height and width")
    _mean_of_images(node, layers, keep=bool(node.attributes.get("keepdims", 1)))


def _axes(node: Node) -> npt.NDArray[Any] | None:
    """An attribute, or since opset 13 (of ReduceMean: 18) a second input."""
    attribute = node.attributes.get("axes")
    return node.option(1) if attribute is None else np.asarray(attribute)


def _mean_of_images(node: Node, layers: Layers, *, keep: bool) -> None:
    pooled = f"{node.output}:pooled" if keep else node.output
    layers.add(pooled, GlobalAveragePool(), node.inputs[0])
    if keep:
        layers.add(node.output, Reshape((*layers.tensor(pooled).shape, 1, 1)), pooled)


@_operator("Flatten")
def _flatten(node: Node, layers: Layers) -> None:
    node.refuse_other(axis=1)
    layers.add(node.output, Flatten(), node.inputs[0])


@_operator("Reshape")
def _reshape(node: Node, layers: Layers) -> None:
    wanted = node.option(1)
    if wanted is None or wanted.shape in ((), (0,)):
        raise OctetError("shape: missing; allowed is (rows, …)")
    if 0 in wanted:
        node.refuse_other(allowzero=0)
    before = layers.tensor(node.inputs[0]).shape
    first, *rest = (int(side) for side in wanted)
    sides = [before[i] if side == 0 and i < len(before) else side for i, side in enumerate(rest)]
    if sides.count(-1) == 1:
        sides[sides.index(-1)] = math.prod(before) // max(1, -math.prod(sides))
    if first not in (-1, 0, 1) or math.prod(sides) != math.prod(before):
        raise OctetError(f"shape: got {wanted.tolist()}; allowed is what keeps rows apart")
    _to(node, layers, tuple(sides))


@_operator("Squeeze")
def _squeeze(node: Node, layers: Layers) -> None:
    axes = _axes(node)
    before = layers.tensor(node.inputs[0]).shape
    if axes is None:
        raise OctetError("axes: missing; allowed are those of length 1, but the first")
    dropped = {int(axis) % (1 + len(before)) - 1 for axis in axes}
    if any(axis < 0 or before[axis] != 1 for axis in dropped):
        raise OctetError(f"axes: got {axes}; allowed are those of length 1, but the first")
    _to(node, layers, tuple(side for i, side in enumerate(before) if i not in dropped))


@_operator("Transpose")
def _transpose(node: Node, layers: Layers) -> None:
    before = layers.tensor(node.inputs[0]).shape
    order = [int(axis) - 1 for axis in node.attributes.get("perm", [])]
    moved = [axis for axis in order[1:] if before[axis] != 1]
    if not order or order[0] != -1 or moved != sorted(moved):
        raise OctetError("perm: allowed is what leaves the numbers of a row in their order")
    _to(node, layers, tuple(before[axis] for axis in order[1:]))


@_operator("Pad")
def _pad(node: Node, layers: Layers) -> None:
    pads, value, axes = (node.option(i) for i in (1, 2, 3))
    listed = [int(n) for n in (node.attributes.get("pads", []) if pads is None else pads)]
    node.refuse_other(mode=b"constant")
    chosen = range(4) if axes is None else [int(axis) % 4 for axis in axes]
    around = dict(zip([*chosen, *(4 + axis for axis in chosen)], listed, strict=False))
    if (
        len(listed) != 2 * len(chosen)
        or any(around.get(i, 0) for i in (0, 1, 4, 5))
        or (value is not None and np.any(value != 0))
    ):
        raise OctetError(f"pads: got {listed}; allowed are zeros around images")
    top, left, bottom, right = (around.get(i, 0) for i in (2, 3, 6, 7))
    layers.add(node.output, Pad((top, left, bottom, right)), node.inputs[0])


def _to(node: Node, layers: Layers, shape: Shape) -> None:
    layers.add(node.output, Reshape(shape), node.inputs[0])
