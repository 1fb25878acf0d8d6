"""LeakyRelu: y = x, or slope · x where x is negative."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from octet.affine import Array
from octet.layers.layer import Signal
from octet.layers.pointwise import Tabled
from octet.modelfile.fields import FieldReader, FieldWriter, number

if TYPE_CHECKING:
    from octet.exporters.onnx import Graph


@dataclass(frozen=True)
class LeakyRelu(Tabled):
    """y = x, or slope · x where x is negative."""

    kind: ClassVar[str] = "leaky_relu"

    slope: float = 0.01

    def unrounded(self, *x: Array) -> Array:
        """The function."""
        return np.where(x[0] < 0, self.slope * x[0], x[0])

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """The slope, and the grid of the output."""
        return {"slope": self.slope, **super().dump(fields)}

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        return cls(number(spec["slope"]), output=fields.output(spec, entering[0].grid))

    def add_function(self, graph: "Graph", name: str, entering: str) -> None:
        """LeakyRelu of ONNX."""
        graph.node("LeakyRelu", name, entering, alpha=self.slope)
