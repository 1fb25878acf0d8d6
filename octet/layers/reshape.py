"""Reshape: the same numbers, in C order, in another shape."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from octet.affine import Array
from octet.errors import OctetError
from octet.layers.layer import Layer, Signal
from octet.modelfile.fields import FieldReader, FieldWriter, whole
from octet.parameters import Quantized
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Rearranging(Layer):
    """A layer that gives the numbers of a row another shape, in C order."""

    @abstractmethod
    def shape(self, *entering: Shape) -> Shape:
        """The new one."""

    def reals(self, *x: Array) -> Array:
        """The same numbers."""
        return x[0].reshape(len(x[0]), *self.shape(x[0].shape[1:]))

    def codes(self, *x: Quantized) -> Quantized:
        """The same codes."""
        codes = x[0].codes
        return Quantized(codes.reshape(len(codes), *self.shape(codes.shape[1:])), x[0].grid)

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """Nothing moves but where an image becomes another."""
        return plan.reshaped(entering[0], self.shape(entering[0].shape))


@dataclass(frozen=True)
class Reshape(Rearranging):
    """To rows of the shape ``to``."""

    kind: ClassVar[str] = "reshape"

    to: Shape

    def shape(self, *entering: Shape) -> Shape:
        """As the field says."""
        if math.prod(entering[0]) != math.prod(self.to) or not self.to:
            raise OctetError(
                f"got shape {entering[0]}, {math.prod(entering[0])} numbers; {self.to} takes "
                f"{math.prod(self.to)}"
            )
        return self.to

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """The shape."""
        del fields
        return {"to": list(self.to)}

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        del fields, entering
        return cls(tuple(whole(side, 1) for side in spec["to"]))

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Reshape of ONNX."""
        shape = graph.row_shape(f"{name}.shape", self.to)
        graph.node("Reshape", name, entering[0].name, shape)
