"""Sigmoid: y = 1 / (1 + e⁻ˣ)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from octet import elementary
from octet.affine import Array
from octet.layers.pointwise import Tabled

if TYPE_CHECKING:
    from octet.exporters.onnx import Graph


@dataclass(frozen=True)
class Sigmoid(Tabled):
    """y = 1 / (1 + e⁻ˣ)."""

    kind: ClassVar[str] = "sigmoid"

    def unrounded(self, *x: Array) -> Array:
        """The function, with the same bits on every CPU."""
        return elementary.sigmoid(x[0])

    def add_function(self, graph: "Graph", name: str, entering: str) -> None:
        """Sigmoid of ONNX."""
        graph.node("Sigmoid", name, entering)
