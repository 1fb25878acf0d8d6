"""Pad: zeros around an image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import windows
from octet.layers.layer import Layer, Signal
from octet.layers.windows import Padding
from octet.modelfile.fields import FieldReader, FieldWriter, whole
from octet.parameters import Quantized
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Pad(Layer):
    """So many zeros above, left, below and right of an image ``(channels, height, width)``."""

    kind: ClassVar[str] = "pad"

    padding: Padding

    def __post_init__(self) -> None:
        """Raise an OctetError if it would take something away."""
        if min(self.padding) < 0:
            raise OctetError(f"got padding {self.padding}; allowed are integers from 0")

    def shape(self, *entering: Shape) -> Shape:
        """A larger image."""
        return windows.padded(entering[0], self.padding)

    def reals(self, *x: Array) -> Array:
        """Zeros around."""
        return np.pad(x[0], self._around())

    def codes(self, *x: Quantized) -> Quantized:
        """The code of 0 around."""
        zero_point = int(x[0].grid.zero_point)
        return Quantized(np.pad(x[0].codes, self._around(), constant_values=zero_point), x[0].grid)

    def _around(self) -> tuple[tuple[int, int], ...]:
        top, left, bottom, right = self.padding
        return (0, 0), (0, 0), (top, bottom), (left, right)

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """How many."""
        del fields
        return {"padding": list(self.padding)}

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        del fields, entering
        top, left, bottom, right = (whole(side, 0) for side in spec["padding"])
        return cls((top, left, bottom, right))

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Pad of ONNX."""
        (tensor,) = entering
        top, left, bottom, right = self.padding
        pads = graph.constant(f"{name}.pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
        grid = tensor.signal.grid
        zero = graph.like(tensor, 0.0) if grid is None else grid.zero_point
        graph.node("Pad", name, tensor.name, pads, graph.constant(f"{name}.zero", zero))

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """The code of 0 around."""
        return plan.border(entering[0], self.padding, self.shape(entering[0].shape))
