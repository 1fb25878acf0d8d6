"""What layers have in common that take each number by itself."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from octet.affine import Array, Codes, Grid, code_dtype, dequantize, quantize
from octet.layers.layer import Gridded, Layer, Signal
from octet.modelfile.fields import FieldReader, FieldWriter
from octet.parameters import Quantized
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class SameShape(Layer):
    """A layer that leaves the shape of a row as it is."""

    def shape(self, *entering: Shape) -> Shape:
        """The same."""
        return entering[0]


@dataclass(frozen=True)
class Clipping(SameShape):
    """A layer whose output is its input, clipped: in codes too, on the same grid."""

    narrows: ClassVar[bool] = True

    @abstractmethod
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest number that comes out; they may be infinite."""

    def reals(self, *x: Array) -> Array:
        """Clip."""
        low, high = self.ends()
        above = np.maximum(x[0], low) if np.isfinite(low) else x[0]
        return np.minimum(above, high) if np.isfinite(high) else above

    def codes(self, *x: Quantized) -> Quantized:
        """Clip at the codes of both ends."""
        low, high = self._ends_on(x[0].grid)
        if low == 0 and high == x[0].grid.top:
            return x[0]
        return Quantized(np.clip(x[0].codes, low, high), x[0].grid)

    def _ends_on(self, grid: Grid) -> tuple[Codes, Codes]:
        """The codes of both ends; of one that is beyond the grid, the last code there."""
        return _codes_of(*self.ends(), float(grid.scale), int(grid.zero_point), grid.bits)

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Max and Min, on codes as on reals: standard operators, and the same codes everywhere."""
        (tensor,) = entering
        ends: tuple[Any, ...] = self.ends()
        finite = [i for i, end in enumerate(ends) if math.isfinite(end)]
        if tensor.signal.grid is not None:
            ends = self._ends_on(tensor.signal.grid)
        last = tensor.name
        for i in finite:
            operator = ("Max", "Min")[i]
            end = ends[i] if tensor.signal.grid is not None else graph.like(tensor, ends[i])
            result = name if i == finite[-1] else f"{name}.{operator}"
            graph.node(operator, result, last, graph.constant(f"{name}.{operator}.end", end))
            last = result

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """Clip, most often where the layer before rounds to codes."""
        low, high = self._ends_on(entering[0].grid)
        return plan.clip(entering[0], int(low), int(high))


@lru_cache
def _codes_of(
    low: float, high: float, scale: float, zero_point: int, bits: int
) -> tuple[Codes, Codes]:
    """The codes of two numbers; of one that is beyond the grid, the last code there."""
    grid = Grid(np.array(scale, np.float32), np.array(zero_point, code_dtype(bits)), bits)
    first, last = dequantize(np.array([0, grid.top]), grid)
    low, high = np.clip((low, high), first, last)
    return quantize(np.asarray(low), grid), quantize(np.asarray(high), grid)


@dataclass(frozen=True)
class Tabled(SameShape, Gridded):
    """A layer that is a function of one number: in codes, a table of its value for every code."""

    @abstractmethod
    def unrounded(self, *x: Array) -> Array:
        """The function."""

    def table(self, entering: Grid) -> Codes:
        """``(n + 1,)``: what becomes of each code of the grid that enters."""
        levels = dequantize(np.arange(entering.top + 1), entering)
        return quantize(self.unrounded(levels), self.grid)

    def codes(self, *x: Quantized) -> Quantized:
        """Look up."""
        return Quantized(self.table(x[0].grid)[x[0].codes], self.grid)

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """The grid of the output."""
        return fields.output(self.output)

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        return cls(output=fields.output(spec, entering[0].grid))

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """In codes, Gather from the table: ONNX Runtime's own Tanh rounds otherwise."""
        (tensor,) = entering
        if tensor.signal.grid is None:
            self.add_function(graph, name, graph.single(tensor))
            return
        table = graph.constant(f"{name}.table", self.table(tensor.signal.grid))
        graph.node("Gather", name, table, graph.int32(f"{name}.codes", tensor), axis=0)

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """Look up."""
        return plan.table(entering[0], self.table(entering[0].grid), self.grid)

    @abstractmethod
    def add_function(self, graph: "Graph", name: str, entering: str) -> None:
        """The node of the function in float32."""
