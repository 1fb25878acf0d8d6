"""A network as an ONNX model, which ONNX Runtime runs to the same codes. Needs the onnx package.

What becomes of a layer is in its file in octet/layers; here are the nodes that they have in common.
An integer network stands behind one QuantizeLinear, in standard operators on uint8: QLinearConv for
all that is a sum, MaxPool, Max and Min. Weights are inside the model: there is no external data.

A table's network that computes in float does so here too in float64, and adds up in the same order,
so that its outputs are the same numbers. A float network of images is in float32 from its first
convolution or pooling on, and differs from ours by rounding.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from octet.affine import Floats, Grid
from octet.errors import OctetError
from octet.layers import Layer, Signal
from octet.layers.windows import Window
from octet.network import Network, flow, label, signals
from octet.parameters import Quantized
from octet.signature import Shape

_OPSET = 17
_IR_VERSION = 9
INPUT, OUTPUT = "input", "output"

Attributes = dict[str, Any]


@dataclass(frozen=True)
class Tensor:
    """What a node gives: its name, the shape of one row, and the grid of its codes."""

    name: str
    signal: Signal


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
    graph = Graph()
    leaving = signals(network)
    labels = [label(network.layers, i) for i in range(len(leaving))]
    # Of two that quantize in the same place of the float network, the second is another.
    unlike = [name if name not in labels[:i] else f"{name}.{i}" for i, name in enumerate(labels)]
    tensors = [Tensor(name, signal) for name, signal in zip(unlike, leaving, strict=True)]
    names = iter(tensors)

    def add(layer: Layer, *entering: Tensor) -> Tensor:
        tensor = next(names)
        layer.to_onnx(graph, tensor.name, *entering)
        return tensor

    first = Tensor(INPUT, Signal(network.signature.shape))
    *_, (_, last) = flow(network.layers, first, add)
    graph.finish(last)
    codes = [tensor for tensor in tensors if tensor.signal.grid] if every_layer else []
    model = helper.make_model(
        graph.proto(first, last.signal.shape, codes),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


class Graph:
    """Nodes and constants so far."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        # The names of what is in float64.
        self._doubles = {INPUT}

    def node(self, operator: str, name: str, *inputs: str, **attributes: Any) -> None:
        """A standard operator that gives ``name``: in float64, where its first input is."""
        self._nodes.append(helper.make_node(operator, [*inputs], [name], name=name, **attributes))
        if inputs[0] in self._doubles:
            self._doubles.add(name)

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """A constant, by its name."""
        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def is_double(self, tensor: Tensor) -> bool:
        """Whether it is in float64."""
        return tensor.name in self._doubles

    def like(self, tensor: Tensor, value: npt.ArrayLike) -> Floats:
        """Reals in float64 or float32, as the tensor is; errors as `singles`."""
        reals = np.asarray(value, np.float64)
        return reals if self.is_double(tensor) else _singles(tensor.name, reals)

    def singles(self, name: str, value: Floats) -> str:
        """A constant in float32.

        Raises:
            OctetError: it does not hold a value.
        """
        return self.constant(name, _singles(name, value))

    def single(self, tensor: Tensor) -> str:
        """The tensor in float32, in which ONNX Runtime computes convolutions; codes as they are."""
        if not self.is_double(tensor):
            return tensor.name
        name = f"{tensor.name}.float32"
        if all(node.output[0] != name for node in self._nodes):
            self._nodes.append(
                helper.make_node("Cast", [tensor.name], [name], name=name, to=TensorProto.FLOAT)
            )
        return name

    def int32(self, name: str, tensor: Tensor) -> str:
        """Codes as indices."""
        self.node("Cast", name, tensor.name, to=TensorProto.INT32)
        return name

    def reshape(self, name: str, tensor: Tensor, shape: Shape) -> Tensor:
        """The tensor with rows of another shape."""
        self.node("Reshape", name, tensor.name, self.row_shape(f"{name}.shape", shape))
        return Tensor(name, Signal(shape, tensor.signal.grid))

    def row_shape(self, name: str, shape: Shape) -> str:
        """A constant for Reshape: any number of rows of this shape."""
        return self.constant(name, np.array([-1, *shape]))

    @staticmethod
    def window(window: Window) -> Attributes:
        """The attributes of a kernel."""
        return {
            "kernel_shape": list(window.sides),
            "strides": list(window.stride),
            "pads": list(window.padding),
        }

    def scale(self, name: str, grid: Grid) -> tuple[str, str]:
        """Constants for a scale and a zero point: one number, or one for each output.

        Raises:
            OctetError: codes of activations have not 8 bits.
        """
        if grid.bits != 8:
            raise OctetError(
                f"layer {name}: got activations of {grid.bits} bits; ONNX clips them at 8 bits only"
            )
        return self._scale(name, grid)

    def _scale(self, name: str, grid: Grid) -> tuple[str, str]:
        scale, zero_point = grid.scale, grid.zero_point
        if scale.ndim:
            scale, zero_point = scale.reshape(-1), zero_point.reshape(-1)
        return (
            self.constant(f"{name}.scale", scale),
            self.constant(f"{name}.zero_point", zero_point),
        )

    def qlinearconv(
        self,
        name: str,
        entering: Tensor,
        weight: Quantized,
        leaving: Grid,
        *bias: str,
        **attributes: Any,
    ) -> None:
        """QLinearConv: formulas 1 to 3 of `octet.layers.integers`.

        Raises:
            OctetError: there is not one zero point for all weights.
        """
        grid = weight.grid
        if np.any(grid.zero_point != grid.zero_point.flat[0]):
            raise OctetError(f"layer {name}: ONNX takes one zero point for all weights of a layer")
        if entering.signal.grid is None:
            raise OctetError(f"layer {name}: what enters it is not in codes")
        self.node(
            "QLinearConv",
            name,
            entering.name,
            *self._scale(f"{name}.entering", entering.signal.grid),
            self.constant(f"{name}.weight", weight.codes),
            *self._scale(f"{name}.inside", grid),
            *self.scale(f"{name}.leaving", leaving),
            *bias,
            **attributes,
        )

    def dequantize(self, name: str, tensor: Tensor, dtype: type[np.floating]) -> str:
        """Codes to reals, as what DequantizeLinear is made of: Cast, Sub and Mul.

        In float64 its products are exact; DequantizeLinear knows float32 alone. In float32 it is
        the same, but no optimizer fuses it with what comes next into something that rounds
        otherwise.
        """
        grid = tensor.signal.grid
        if grid is None:
            raise OctetError(f"layer {name}: what enters it is not in codes")
        onnx_dtype = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        scale = self.constant(f"{name}.scale", grid.scale.astype(dtype))
        zero_point = self.constant(f"{name}.zero", grid.zero_point.astype(dtype))
        self.node(
            "Cast",
            f"{name}.codes",
            tensor.name,
            to=onnx_dtype,
        )
        self.node("Sub", f"{name}.steps", f"{name}.codes", zero_point)
        self.node("Mul", name, f"{name}.steps", scale)
        if dtype is np.float64:
            self._doubles.add(name)
        return name

    def finish(self, last: Tensor) -> None:
        """Give reals in float64, under the name of the output."""
        if last.signal.grid is not None:
            self.dequantize(OUTPUT, last, np.float64)
        else:
            self.node("Cast", OUTPUT, last.name, to=TensorProto.DOUBLE)

    def proto(self, first: Tensor, shape: Shape, codes: list[Tensor]) -> onnx.GraphProto:
        """The finished graph: from the first tensor to `OUTPUT` of this shape, and these codes."""

        def info(name: str, dtype: int, shape: Shape) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, dtype, ["rows", *shape])

        outputs = [info(OUTPUT, TensorProto.DOUBLE, shape)]
        outputs += [info(each.name, TensorProto.UINT8, each.signal.shape) for each in codes]
        inputs = [info(first.name, TensorProto.DOUBLE, first.signal.shape)]
        return helper.make_graph(self._nodes, "octet", inputs, outputs, self._constants)


def _singles(name: str, array: Floats) -> Floats:
    """In which ONNX Runtime computes convolutions; no number may be lost to an infinity or 0."""
    with np.errstate(over="ignore", under="ignore"):
        singles = array.astype(np.float32)
    if not np.all(np.isfinite(singles)) or np.any((singles == 0) & (array != 0)):
        raise OctetError(f"{name}: too large or too small for float32, which ONNX takes here")
    return singles
