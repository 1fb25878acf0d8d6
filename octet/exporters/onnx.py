"""A network as an ONNX model, which ONNX Runtime runs to the same codes. Needs the onnx package.

An integer network becomes QLinearConv, MaxPool and Max on uint8, behind one QuantizeLinear. A
linear layer is a QLinearConv with a kernel of 1, because QLinearMatMul has no bias; a mean over p
positions is one with a kernel of p weights 1 at the scale 1 / p. Weights are inside the model:
there is no external data.

A table's network that computes in float does so here too in float64, and adds up in the same order
(MatMul would not: hence CumSum), so that its outputs are the same numbers. A float network of
images is in float32 from its first convolution or pooling on, and differs from ours by rounding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from octet.affine import Floats, Grid
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
    Weighted,
    shape_after,
)
from octet.network import Network, label
from octet.parameters import Int32, Quantized, shape_of, values
from octet.runtime import integer
from octet.signature import Shape

_OPSET = 17
_IR_VERSION = 9
INPUT, OUTPUT = "input", "output"


def to_onnx(network: Network, every_layer: bool = False) -> onnx.ModelProto:
    """The network as a checked ONNX model.

    Args:
        network: float or quantized.
        every_layer: give the codes after each integer layer too, each by the layer's label.

    Returns:
        A model from ``input``, float64 ``(rows, …)`` in the unit of the network's input, to
        ``output``, float64 ``(rows, outputs)``.

    Raises:
        OctetError: an integer layer has not one zero point for all of its weights.
    """
    graph = _Graph(network.signature.shape)
    for i, layer in enumerate(network.layers):
        graph.add(label(network.layers, i), layer)
    graph.finish()
    made = graph.to_onnx(every_layer)
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and constants so far, and what the last node gives."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._input = helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, ["rows", *shape])
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._codes: list[onnx.ValueInfoProto] = []
        self._last = INPUT
        self._double = True
        self._grid: Grid | None = None

    def add(self, name: str, layer: Layer) -> None:
        """The nodes of one layer."""
        match layer:
            case Standardize():
                each = (-1, *[1] * (len(self._shape) - 1))
                mean: Floats = layer.mean.reshape(each)
                std: Floats = layer.std.reshape(each)
                if not self._double:
                    mean, std = _float32(f"{name}.mean", mean), _float32(f"{name}.std", std)
                self._node("Sub", f"{name}.centred", self._constant(f"{name}.mean", mean))
                self._node("Div", name, self._constant(f"{name}.std", std))
            case Quantize():
                self._to_float32()
                _refuse_narrow(name, layer.grid)
                self._node("QuantizeLinear", name, *self._scale(name, layer.grid))
                self._grid = layer.grid
            case Relu() if self._grid is not None:
                self._node("Max", name, self._constant(f"{name}.zero", self._grid.zero_point))
            case Relu():
                self._node("Relu", name)
            case MaxPool():
                self._to_float32()
                sides = [layer.side, layer.side]
                self._node("MaxPool", name, kernel_shape=sides, strides=sides)
            case Flatten():
                self._node("Flatten", name)
            case GlobalAveragePool():
                self._mean(name, layer)
            case Linear() if self._double and self._grid is None:
                self._linear(name, layer)
            case Linear() | Conv2d():
                self._weighted(name, layer)
        self._shape = shape_after(layer, self._shape)
        if self._grid is not None:
            self._codes.append(
                helper.make_tensor_value_info(name, TensorProto.UINT8, ["rows", *self._shape])
            )

    def finish(self) -> None:
        """Give reals, under the name of the output."""
        if self._grid is not None:
            # DequantizeLinear would round to float32, which not all of these products fit into.
            scale = self._constant("end.scale", self._grid.scale.astype(np.float64))
            zero_point = self._constant("end.zero", self._grid.zero_point.astype(np.float64))
            self._node("Cast", "end.codes", to=TensorProto.DOUBLE)
            self._node("Sub", "end.steps", zero_point)
            self._node("Mul", OUTPUT, scale)
        else:
            self._node("Cast", OUTPUT, to=TensorProto.DOUBLE)

    def to_onnx(self, every_layer: bool) -> onnx.GraphProto:
        """The finished graph."""
        output = helper.make_tensor_value_info(OUTPUT, TensorProto.DOUBLE, ["rows", *self._shape])
        outputs = [output, *(self._codes if every_layer else [])]
        return helper.make_graph(self._nodes, "octet", [self._input], outputs, self._constants)

    def _linear(self, name: str, layer: Linear) -> None:
        """As `octet.runtime.floating`: the products, summed in order of inputs, and the bias."""
        inputs = shape_of(layer.weight)[1]
        self._reshape(f"{name}.in", (1, inputs))
        self._node(
            "Mul", f"{name}.products", self._constant(f"{name}.weight", values(layer.weight))
        )
        self._node("CumSum", f"{name}.sums", self._constant(f"{name}.axis", np.array(2)))
        last = self._constant(f"{name}.last", np.array(inputs - 1))
        self._node("Gather", f"{name}.total", last, axis=2)
        # A sum that begins at 0 is never -0; nor is it with a bias of 0.
        self._node("Add", name, self._constant(f"{name}.bias", values(layer.bias) + 0.0))

    def _weighted(self, name: str, layer: Weighted) -> None:
        self._to_float32()
        outputs, inputs, *kernel = shape_of(layer.weight)
        if isinstance(layer, Linear):
            kernel = [1, 1]
            self._reshape(f"{name}.in", (inputs, 1, 1))
        padding = layer.padding if isinstance(layer, Conv2d) else 0
        attributes = {"kernel_shape": kernel, "pads": [padding] * 4}
        made = f"{name}.out" if isinstance(layer, Linear) else name
        whole = (outputs, inputs, *kernel)
        if self._grid is None:
            kernels = _float32(f"{name}.weight", values(layer.weight)).reshape(whole)
            shift = _float32(f"{name}.bias", values(layer.bias))
            constants = (
                self._constant(f"{name}.weight", kernels),
                self._constant(f"{name}.bias", shift),
            )
            self._node("Conv", made, *constants, **attributes)
        elif isinstance(layer.weight, Quantized) and isinstance(layer.bias, Int32):
            codes = layer.weight.codes.reshape(whole)
            bias = self._constant(f"{name}.bias", layer.bias.codes)
            self._qlinearconv(made, codes, layer.weight.grid, layer.output, bias, **attributes)
        else:
            raise OctetError(f"layer {name}: no integer layer: its weight or bias is in float")
        if isinstance(layer, Linear):
            self._reshape(name, (outputs,))

    def _mean(self, name: str, layer: GlobalAveragePool) -> None:
        channels, height, width = self._shape
        if self._grid is None:
            self._to_float32()
            self._node("GlobalAveragePool", f"{name}.out")
        else:
            ones = np.ones((channels, 1, height, width), np.uint8)
            scale = integer.mean_scale(height * width).reshape(())
            grid = Grid(scale, np.zeros((), np.uint8), 8)
            self._qlinearconv(
                f"{name}.out",
                ones,
                grid,
                layer.output,
                group=channels,
                kernel_shape=[height, width],
            )
        self._reshape(name, (channels,))

    def _qlinearconv(
        self,
        name: str,
        codes: npt.NDArray[np.unsignedinteger],
        grid: Grid,
        output: Grid | None,
        *bias: str,
        **attributes: Any,
    ) -> None:
        if self._grid is None or output is None:
            raise OctetError(f"layer {name}: no integer layer: it has no grid of its output")
        if np.any(grid.zero_point != grid.zero_point.flat[0]):
            raise OctetError(f"layer {name}: ONNX takes one zero point for all weights of a layer")
        _refuse_narrow(name, output)
        weight = self._constant(f"{name}.weight", codes)
        entering = self._scale(f"{name}.entering", self._grid)
        inside = self._scale(f"{name}.inside", grid)
        leaving = self._scale(f"{name}.leaving", output)
        self._node("QLinearConv", name, *entering, weight, *inside, *leaving, *bias, **attributes)
        self._grid = output

    def _scale(self, name: str, grid: Grid) -> tuple[str, str]:
        """Constants for a scale and a zero point: one number, or one for each output."""
        scale, zero_point = grid.scale, grid.zero_point
        if scale.ndim:
            scale, zero_point = scale.reshape(-1), zero_point.reshape(-1)
        return (
            self._constant(f"{name}.scale", scale),
            self._constant(f"{name}.zero_point", zero_point),
        )

    def _to_float32(self) -> None:
        if self._double:
            self._node("Cast", "float32", to=TensorProto.FLOAT)
            self._double = False

    def _reshape(self, name: str, shape: Shape) -> None:
        self._node("Reshape", name, self._constant(f"{name}.shape", np.array([-1, *shape])))

    def _constant(self, name: str, value: npt.NDArray[np.number]) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def _node(self, kind: str, name: str, *inputs: str, **attributes: Any) -> None:
        """A node from the last one, and constants, to a new last one."""
        node = helper.make_node(kind, [self._last, *inputs], [name], name=name, **attributes)
        self._nodes.append(node)
        self._last = name


def _refuse_narrow(name: str, output: Grid) -> None:
    if output.bits != 8:
        raise OctetError(
            f"layer {name}: got activations of {output.bits} bits; ONNX clips them at 8 bits only"
        )


def _float32(name: str, array: Floats) -> Floats:
    """In which ONNX Runtime computes convolutions; no number may be lost to an infinity or 0."""
    with np.errstate(over="ignore", under="ignore"):
        singles = array.astype(np.float32)
    if not np.all(np.isfinite(singles)) or np.any((singles == 0) & (array != 0)):
        raise OctetError(f"{name}: too large or too small for float32, which ONNX takes here")
    return singles


def labels(layers: Sequence[Layer]) -> list[str]:
    """The outputs of a model with every layer: the labels of those from the input codes on."""
    start = [isinstance(layer, Quantize) for layer in layers].index(True)
    return [label(layers, i) for i in range(start, len(layers))]
