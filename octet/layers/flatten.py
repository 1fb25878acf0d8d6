"""Flatten: all numbers of a row on one axis."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from octet.layers.reshape import Rearranging
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Flatten(Rearranging):
    """``(channels, height, width)`` to ``(channels · height · width,)``, in C order."""

    kind: ClassVar[str] = "flatten"

    def shape(self, *entering: Shape) -> Shape:
        """One axis."""
        return (math.prod(entering[0]),)

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Flatten of ONNX."""
        graph.node("Flatten", name, entering[0].name)
