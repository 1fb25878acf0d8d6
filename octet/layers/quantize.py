"""Quantize: from reals to codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from octet.affine import Array, Floats, Grid, quantize
from octet.errors import OctetError
from octet.layers.layer import Signal, Value, rounded
from octet.layers.pointwise import SameShape
from octet.modelfile.fields import FieldReader, FieldWriter, require
from octet.parameters import Quantized

if TYPE_CHECKING:
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Quantize(SameShape):
    """From reals to codes: what follows computes in integers only."""

    kind: ClassVar[str] = "quantize"

    grid: Grid

    def reals(self, *x: Array) -> Array:
        """What the codes stand for."""
        return rounded(_singles(x[0]), self.grid)

    def forward(self, *x: Value) -> Value:
        """The codes.

        Raises:
            OctetError: the rows are in codes already, or have NaN or what float32 cannot hold.
        """
        (value,) = x
        if isinstance(value, Quantized):
            raise OctetError("a second quantize")
        return Quantized(quantize(_singles(value), self.grid, "the input"), self.grid)

    def signal(self, *entering: Signal) -> Signal:
        """Codes on the grid."""
        return Signal(entering[0].shape, self.grid)

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """The grid."""
        return fields.grid(self.grid)

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        require(entering[0].grid is None, "a second quantize")
        return cls(fields.grid(spec))

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """QuantizeLinear."""
        constants = graph.scale(name, self.grid)
        graph.node("QuantizeLinear", name, graph.single(entering[0]), *constants)


def _singles(x: Array) -> Floats:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        return x.astype(np.float32)
