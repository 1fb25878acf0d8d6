"""What is asked of every kind of layer. docs/layers.md shows how one is added."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from octet.affine import Array, Floats, Grid, dequantize, quantize
from octet.errors import OctetError
from octet.modelfile.fields import FieldReader, FieldWriter
from octet.parameters import Quantized
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor

Value = Array | Quantized


def in_reals(value: Value) -> Array:
    """What codes stand for; reals as they are."""
    return dequantize(value.codes, value.grid) if isinstance(value, Quantized) else value


@dataclass(frozen=True)
class Signal:
    """What flows from a layer to the next, of one row.

    Attributes:
        shape: of the row.
        grid: of its codes; None where it is in reals.
    """

    shape: Shape
    grid: Grid | None = None


@dataclass(frozen=True, kw_only=True)
class Layer(ABC):
    """A layer; each kind is a subclass in a file of its own.

    Attributes:
        kind: the word for it, in model files and elsewhere.
        arity: how many layers it takes the outputs of.
        narrows: whether what comes out is what went in, clipped: the grid in front of it may span
            what comes out, and the clip is then that of the codes.
        name: by which layers after it can take its output; empty if only the next one does.
        inputs: the names of the layers whose outputs it takes; empty for the layer before.
    """

    kind: ClassVar[str]
    arity: ClassVar[int] = 1
    narrows: ClassVar[bool] = False

    name: str = ""
    inputs: tuple[str, ...] = ()

    @abstractmethod
    def shape(self, *entering: Shape) -> Shape:
        """Of one row behind the layer, for those of the rows that enter.

        Raises:
            OctetError: such rows cannot enter.
        """

    @abstractmethod
    def reals(self, *x: Array) -> Array:
        """What comes out for rows ``(rows, …)`` in float64: the same bits on every CPU."""

    def codes(self, *x: Quantized) -> Quantized:
        """What comes out for rows in codes, in integers only: the codes of ONNX Runtime.

        Raises:
            OctetError: the layer has no such form.
        """
        del x
        raise OctetError(f"a {self.kind} cannot stand among integer layers")

    def forward(self, *x: Value) -> Value:
        """What comes out, in codes for codes and in reals for reals."""
        in_codes = [value for value in x if isinstance(value, Quantized)]
        if len(in_codes) == len(x):
            return self.codes(*in_codes)
        return self.reals(*[value for value in x if not isinstance(value, Quantized)])

    def signal(self, *entering: Signal) -> Signal:
        """What comes out for such rows; errors as `shape`."""
        return Signal(self.shape(*(each.shape for each in entering)), entering[0].grid)

    def numbers(self, *entering: Shape) -> int:
        """How many numbers the layer holds at once for one row."""
        return math.prod(self.shape(*entering))

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """What the header of a model file says of the layer; arrays go to ``fields``."""
        del fields
        return {}

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this.

        Args:
            spec: what the header says.
            fields: the arrays of the file.
            entering: what goes in; its shape is checked by `shape` afterwards.

        Raises:
            OctetError, KeyError, TypeError, ValueError: something in it is not what it should be.
        """
        del spec, fields, entering
        return cls()

    @abstractmethod
    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Add the nodes of the layer; the last one gives a tensor called ``name``."""

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """Add the steps of the layer to what a C file computes, in codes.

        Raises:
            OctetError: the layer cannot be in C.
        """
        del entering
        raise plan.refuse(f"a {self.kind} among integer layers has no form in C yet")


@dataclass(frozen=True, kw_only=True)
class Gridded(Layer):
    """A layer whose outputs have a grid of their own in an integer network.

    Attributes:
        output: that grid; None in float.
    """

    output: Grid | None = None

    @abstractmethod
    def unrounded(self, *x: Array) -> Array:
        """What comes out for rows in float64, before it is rounded to the grid."""

    def reals(self, *x: Array) -> Array:
        """What comes out, rounded to the grid where there is one."""
        return rounded(self.unrounded(*x), self.output)

    def signal(self, *entering: Signal) -> Signal:
        """What comes out for such rows."""
        return Signal(self.shape(*(each.shape for each in entering)), self.output)

    @property
    def grid(self) -> Grid:
        """Of the outputs.

        Raises:
            OctetError: there is none.
        """
        if self.output is None:
            raise OctetError(f"a {self.kind} among integer layers has no grid of its output")
        return self.output


def rounded(x: Floats, grid: Grid | None) -> Array:
    """The reals of a grid that are nearest to these; without a grid, these in float64."""
    return x.astype(np.float64, copy=False) if grid is None else dequantize(quantize(x, grid), grid)
