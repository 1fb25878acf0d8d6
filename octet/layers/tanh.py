"""Tanh: y = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from octet import elementary
from octet.affine import Array
from octet.layers.pointwise import Tabled

if TYPE_CHECKING:
    from octet.exporters.onnx import Graph


@dataclass(frozen=True)
class Tanh(Tabled):
    """y = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""

    kind: ClassVar[str] = "tanh"

    def unrounded(self, *x: Array) -> Array:
        """The function, with the same bits on every CPU."""
        return elementary.tanh(x[0])

    def add_function(self, graph: "Graph", name: str, entering: str) -> None:
        """Tanh of ONNX."""
        graph.node("Tanh", name, entering)
