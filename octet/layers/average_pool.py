"""AveragePool: the mean of each window."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from octet.affine import Array, Codes, Grid
from octet.layers import integers, windows
from octet.layers.layer import Gridded, Signal
from octet.layers.weighted import refuse_infinite
from octet.layers.windows import Sides, Window, dump_window, load_window
from octet.modelfile.fields import FieldReader, FieldWriter, require
from octet.parameters import Quantized
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class AveragePool(Gridded):
    """The mean of each window of ``side``.

    There is no padding; a `Pad` in front adds zeros that count.

    Attributes:
        side: of the window: height and width, or one number for both.
        stride: down and across; without one, that of windows side by side. What no window reaches,
            at the bottom and on the right, is left out.
    """

    kind: ClassVar[str] = "average_pool"

    side: int | Sides
    stride: int | Sides | None = None

    def __post_init__(self) -> None:
        """Raise an OctetError if there is no such window."""
        _ = self.window

    @property
    def window(self) -> Window:
        """Of the fields."""
        return windows.window(self.side, self.side if self.stride is None else self.stride)

    def shape(self, *entering: Shape) -> Shape:
        """A smaller image ``(channels, positions down, positions across)``."""
        return (*entering[0][:1], *self.window.positions(entering[0]))

    def unrounded(self, *x: Array) -> Array:
        """Sums in C order of the window, divided."""
        return mean(x[0], self.window)

    def codes(self, *x: Quantized) -> Quantized:
        """Formulas 1 to 3 of `octet.layers.integers`, with weights of 1."""
        return Quantized(mean_codes(x[0], self.window, self.grid), self.grid)

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """The window, and the grid of the output."""
        return dump_window(self.window, stride=self.window.sides) | fields.output(self.output)

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        where = load_window(spec, stride=spec["side"])
        require(not any(where.padding), "padding: allowed is 0: put a pad in front")
        output = fields.output(spec, entering[0].grid)
        layer = cls(where.sides, where.stride, output=output)
        layer.shape(entering[0].shape)
        refuse_unfit(where, entering[0].grid, output)
        return layer

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """AveragePool; of codes, see `add_mean`."""
        if entering[0].signal.grid is None:
            attributes = graph.window(self.window)
            graph.node("AveragePool", name, graph.single(entering[0]), **attributes)
        else:
            add_mean(graph, name, entering[0], self.window, self.grid)

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """Sums, and their requantization."""
        shape = self.shape(entering[0].shape)
        return plan_mean(plan, entering[0], self.window, self.grid, shape)


def mean(x: Array, where: Window) -> Array:
    """Of each window of ``(rows, channels, height, width)``, summed in C order of the window."""
    return np.asarray(windows.total(x, where, np.float64) / _count(where))


def mean_codes(entering: Quantized, where: Window, leaving: Grid) -> Codes:
    """The codes of `mean`, on the grid that leaves."""
    zeros = _count(where) * entering.grid.zero_point.astype(np.int32)
    acc = windows.total(entering.codes, where, np.int32) - zeros
    m = integers.multiplier(entering.grid, integers.mean_scale(_count(where)), leaving)
    return integers.requantize(acc, m, leaving)


def refuse_unfit(where: Window, entering: Grid | None, leaving: Grid | None) -> None:
    """Raise an OctetError if the sums or the multiplier of a mean in codes are too large."""
    if entering is None or leaving is None:
        return
    largest = _count(where) * entering.top
    require(largest <= integers.LARGEST_SUM, f"sums up to {largest} do not fit int32")
    refuse_infinite(entering, integers.mean_scale(_count(where)), leaving)


def add_mean(graph: "Graph", name: str, entering: "Tensor", where: Window, leaving: Grid) -> None:
    """A mean of codes as the QLinearConv of each channel with weights of 1.

    ONNX Runtime has QLinearAveragePool beside the standard operators, and adds up floats there.
    """
    channels = entering.signal.shape[0]
    ones = np.ones((channels, 1, *where.sides), np.uint8)
    grid = Grid(integers.mean_scale(_count(where)), np.zeros((), np.uint8), 8)
    attributes = graph.window(where)
    graph.qlinearconv(name, entering, Quantized(ones, grid), leaving, group=channels, **attributes)


def plan_mean(plan: "Plan", entering: "Rows", where: Window, leaving: Grid, shape: Shape) -> "Rows":
    """The step of `mean_codes`."""
    m = integers.multiplier(entering.grid, integers.mean_scale(_count(where)), leaving)
    return plan.mean(entering, where, float(m), leaving, shape)


def _count(where: Window) -> int:
    return where.sides[0] * where.sides[1]
