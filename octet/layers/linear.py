"""Linear: y = W x + b."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.errors import OctetError
from octet.layers.correlation import Result
from octet.layers.layer import Signal
from octet.layers.weighted import Weighted, outputs_of
from octet.layers.windows import Number, Window
from octet.modelfile.fields import FieldReader, require
from octet.parameters import shape_of, values
from octet.products import multiply
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Linear(Weighted):
    """y = W x + b, with weight ``(outputs, inputs)`` and bias ``(outputs,)``."""

    kind: ClassVar[str] = "linear"

    def shape(self, *entering: Shape) -> Shape:
        """``(inputs,)`` to ``(outputs,)``."""
        inputs = shape_of(self.weight)[1:]
        if entering[0] != inputs:
            raise OctetError(f"got shape {entering[0]}; allowed is {inputs}")
        return (self.outputs,)

    def patches(self, x: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """All inputs of a row."""
        return x.T[None]

    def products(
        self,
        x: npt.NDArray[np.number],
        weight: npt.NDArray[Number],
        finish: Callable[[npt.NDArray[Number]], npt.NDArray[Result]],
    ) -> npt.NDArray[Result]:
        """Of all inputs."""
        return finish(multiply(weight[0], x.T.astype(weight.dtype, copy=False))).T

    def unrounded(self, *x: Array) -> Array:
        """Sum up in order of inputs."""
        weight = values(self.weight)
        total = np.zeros((len(x[0]), len(weight)))
        for column, weights in zip(x[0].T, weight.T, strict=True):
            total += column[:, None] * weights
        return total + values(self.bias)

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        shape, grid = entering[0].shape, entering[0].grid
        outputs = outputs_of(spec)
        require(len(shape) == 1, f"got shape {shape}; allowed is one axis")
        weight = fields.parameter("weight", spec["weight"], (outputs, *shape))
        bias = fields.bias("bias", spec["bias"], outputs, weight, grid)
        layer = cls(weight, bias, output=fields.output(spec, grid))
        layer.refuse_unfit(grid)
        return layer

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """In float64 sums in order of inputs; else a convolution of one pixel, which has a bias."""
        (tensor,) = entering
        outputs, inputs = shape_of(self.weight)
        if tensor.signal.grid is None and graph.is_double(tensor):
            self._add_sums(graph, name, tensor)
            return
        pixels = graph.reshape(f"{name}.in", tensor, (inputs, 1, 1))
        self.add_conv(graph, f"{name}.out", pixels, (outputs, inputs, 1, 1), kernel_shape=[1, 1])
        graph.node("Reshape", name, f"{name}.out", graph.row_shape(f"{name}.shape", (outputs,)))

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """A convolution with one position: what was flattened is still an image, see `Plan`."""
        image = entering[0].image
        kernel = (self.outputs, *image)
        return self.add_sums(plan, entering[0], kernel, Window(image[1:]), (self.outputs,))

    def _add_sums(self, graph: "Graph", name: str, tensor: "Tensor") -> None:
        """As `unrounded`: the products, summed in order of inputs, and the bias.

        MatMul would add up in another order.
        """
        inputs = shape_of(self.weight)[1]
        products, sums, total = (f"{name}.{part}" for part in ("products", "sums", "total"))
        row = graph.reshape(f"{name}.in", tensor, (1, inputs))
        weight = graph.constant(f"{name}.weight", values(self.weight))
        graph.node("Mul", products, row.name, weight)
        graph.node("CumSum", sums, products, graph.constant(f"{name}.axis", np.array(2)))
        last = graph.constant(f"{name}.last", np.array(inputs - 1))
        graph.node("Gather", total, sums, last, axis=2)
        # A sum that begins at 0 is never -0; nor is it with a bias of 0.
        graph.node("Add", name, total, graph.constant(f"{name}.bias", values(self.bias) + 0.0))
