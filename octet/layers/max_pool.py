"""MaxPool: the largest value in each window."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from octet.affine import Array
from octet.layers import windows
from octet.layers.layer import Layer, Signal
from octet.layers.windows import Padding, Sides, Window, dump_window, load_window
from octet.modelfile.fields import FieldReader, FieldWriter
from octet.parameters import Quantized
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class MaxPool(Layer):
    """The largest value in each window of ``side``; padding is never the largest.

    Attributes:
        side: of the window: height and width, or one number for both.
        stride: down and across; without one, that of windows side by side. What no window reaches,
            at the bottom and on the right, is left out.
        padding: on every side, or above, left, below and right.
    """

    kind: ClassVar[str] = "max_pool"

    side: int | Sides
    stride: int | Sides | None = None
    padding: int | Padding = 0

    def __post_init__(self) -> None:
        """Raise an OctetError if there is no such window."""
        _ = self.window

    @property
    def window(self) -> Window:
        """Of the fields."""
        stride = self.side if self.stride is None else self.stride
        return windows.window(self.side, stride, self.padding)

    def shape(self, *entering: Shape) -> Shape:
        """A smaller image ``(channels, positions down, positions across)``."""
        return (*entering[0][:1], *self.window.positions(entering[0]))

    def numbers(self, *entering: Shape) -> int:
        """Those of the image with its padding, which are no fewer than those of the output."""
        return math.prod(windows.padded(entering[0], self.window.padding))

    def reals(self, *x: Array) -> Array:
        """The largest."""
        return windows.max_pool(x[0], self.window)

    def codes(self, *x: Quantized) -> Quantized:
        """The largest: codes have the order of the reals."""
        return Quantized(windows.max_pool(x[0].codes, self.window), x[0].grid)

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """The window."""
        del fields
        return dump_window(self.window, stride=self.window.sides)

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        del fields, entering
        where = load_window(spec, stride=spec["side"])
        return cls(where.sides, where.stride, where.padding)

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """MaxPool of ONNX."""
        graph.node("MaxPool", name, graph.single(entering[0]), **graph.window(self.window))

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """The largest."""
        return plan.largest(entering[0], self.window, self.shape(entering[0].shape))
