"""GlobalAveragePool: the mean of each channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from octet.affine import Array
from octet.layers import windows
from octet.layers.average_pool import (
    add_mean,
    mean,
    mean_codes,
    plan_mean,
    refuse_unfit,
)
from octet.layers.layer import Gridded, Signal
from octet.layers.windows import Window
from octet.modelfile.fields import FieldReader, FieldWriter
from octet.parameters import Quantized
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class GlobalAveragePool(Gridded):
    """The mean of each channel: ``(channels, height, width)`` to ``(channels,)``."""

    kind: ClassVar[str] = "global_average_pool"

    def shape(self, *entering: Shape) -> Shape:
        """One number for each channel."""
        windows.refuse_no_image(entering[0])
        return entering[0][:1]

    def unrounded(self, *x: Array) -> Array:
        """Sums in C order, divided."""
        return mean(x[0], _whole(x[0].shape[1:])).reshape(x[0].shape[:2])

    def codes(self, *x: Quantized) -> Quantized:
        """Formulas 1 to 3 of `octet.layers.integers`, with weights of 1."""
        shape = x[0].codes.shape
        codes = mean_codes(x[0], _whole(shape[1:]), self.grid)
        return Quantized(codes.reshape(shape[:2]), self.grid)

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """The grid of the output."""
        return fields.output(self.output)

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        shape, grid = entering[0].shape, entering[0].grid
        windows.refuse_no_image(shape)
        output = fields.output(spec, grid)
        refuse_unfit(_whole(shape), grid, output)
        return cls(output=output)

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """GlobalAveragePool; of codes, see `average_pool.add_mean`."""
        (tensor,) = entering
        pooled = f"{name}.out"
        if tensor.signal.grid is None:
            graph.node("GlobalAveragePool", pooled, graph.single(tensor))
        else:
            add_mean(graph, pooled, tensor, _whole(tensor.signal.shape), self.grid)
        channels = tensor.signal.shape[:1]
        graph.node("Reshape", name, pooled, graph.row_shape(f"{name}.shape", channels))

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """Sums, and their requantization."""
        shape = entering[0].shape
        return plan_mean(plan, entering[0], _whole(shape), self.grid, shape[:1])


def _whole(shape: Shape) -> Window:
    """The window that is all of an image."""
    return Window((shape[1], shape[2]))
