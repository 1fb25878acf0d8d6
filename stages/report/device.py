"""What the report shows of a network as one C file: bytes on a device, by width, against loss.

The numbers are those of the exporter's plan: constants, the caller's struct, multiply-adds. The
bytes of the code itself depend on a compiler, and so are not among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from octet import affine
from octet.affine import Array, Grid
from octet.errors import OctetError
from octet.exporters import c
from octet.layers import Layer, Weighted
from octet.network import Network
from octet.parameters import Int32, Quantized, values
from octet.runtime import integer
from stages.point import Point
from stages.report import picture
from stages.report.evidence import Evidence
from stages.report.picture import Picture, Words
from stages.report.tables import NOTHING, Cell, Table, cell
from stages.report.vector import INK, LINE, QUANTIZED
from stages.tasks.task import Axis

_INT32 = 2**31 - 1
# Of the axis, how far points of the same bytes stand apart.
_APART = 0.03


@dataclass(frozen=True)
class Device:
    """What a network takes as a C file.

    Attributes:
        sizes: by the bits of a weight; empty where it has no such file.
        refused: why it has none.
    """

    sizes: dict[int, c.Source]
    refused: str = ""


def device(evidence: Evidence) -> Device:
    """At the width that the system has and, of a network in integers, at those of its sweep.

    At other widths the weights are rounded to nearest: what they take does not depend on the
    rounding. Nothing is said of a network that was left float.
    """
    network = evidence.quantized
    weights = [layer.weight for layer in network.layers if isinstance(layer, Weighted)]
    widths = [weight.grid.bits for weight in weights if isinstance(weight, Quantized)]
    if not widths:
        return Device({})
    try:
        sizes = {max(widths): c.export(network, c.Options())}
        if integer.is_integer(network):
            for bits in {point.bits for point in _points(evidence)} - {max(widths)}:
                sizes[bits] = c.export(at_width(network, bits), c.Options())
    except OctetError as error:
        return Device({}, f"There is no C file of it: {error}.")
    return Device(dict(sorted(sizes.items())))


def table(evidence: Evidence, sizes: dict[int, c.Source]) -> Table:
    """A row for each width."""
    axis, points = evidence.kind.task.axis, {point.bits: point for point in _points(evidence)}
    rows = []
    for bits, source in sizes.items():
        point = points.get(bits)
        scored = (NOTHING, NOTHING)
        if point:
            shown = Cell("yes" if point.non_inferior else "not shown", float(point.non_inferior))
            scored = cell(axis.factor * point.loss, axis.form), shown
        numbers = (source.constant_bytes, source.state_bytes, source.multiply_adds)
        counts = (cell(number, ",d") for number in numbers)
        rows.append((Cell(f"{bits} bits", float(bits)), *counts, *scored))
    caption = (
        f"{evidence.name} on a device: bytes of the constants and of the struct in the file of "
        f"octet export --c, beside its code; loss in {axis.name}. At another width than the "
        "system's own, flash is good to some bytes an output"
    )
    headings = ("width", "flash: constants", "RAM: struct", "multiply-adds", "loss", "as good")
    return Table(caption, headings, tuple(rows))


def pictures(evidence: Evidence, sizes: dict[int, c.Source], key: str) -> list[Picture]:
    """Bytes of flash against loss in score, a mark for each width."""
    points = [point for point in _points(evidence) if point.bits in sizes]
    if len(points) < 2:
        return []
    axis = evidence.kind.task.axis

    by_flash: dict[int, list[Point]] = {}
    for point in points:
        by_flash.setdefault(sizes[point.bits].constant_bytes, []).append(point)
    apart = (max(by_flash) - min(by_flash)) * _APART

    def paint(axes: Axes) -> None:
        axes.axhspan(-axis.linear, axis.linear, color=LINE, alpha=0.35, linewidth=0)
        axes.axhline(0, color=INK, linewidth=0.8)
        for flash, alike in by_flash.items():
            for i, point in enumerate(alike):
                _mark(axes, flash + (i - (len(alike) - 1) / 2) * apart, point, axis)
            bits = ", ".join(str(point.bits) for point in alike)
            above = axes.get_xaxis_transform()
            axes.text(flash, 1.02, bits, transform=above, ha="center", color=INK)
        axes.set_yscale("symlog", linthresh=axis.linear)
        axes.yaxis.set_major_formatter(lambda number, _: format(number, "+g") if number else "0")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.margins(x=0.1)

    caption = (
        f"On a device: bytes of constants in the C file against loss in {axis.name}, at each width "
        f"(on top, in bits) with {points[0].rounding} rounding; intervals of 95 %, lower is "
        "better. Full marks are shown to be as good as float, hollow ones are not. Widths of as "
        "many bytes stand side by side. The bytes of the code itself are not in here."
    )
    each = "; ".join(
        f"{point.bits} bits, {sizes[point.bits].constant_bytes:,} bytes: "
        f"{axis.factor * point.loss:.3g}"
        for point in points
    )
    words = Words(
        caption, f"{caption} {each}.", "bytes of flash for constants", f"loss in {axis.name} (log)"
    )
    return [picture.of_numbers(f"{key}-device", paint, words)]


def _mark(axes: Axes, flash: float, point: Point, axis: Axis) -> None:
    """A point with its interval, hollow where nothing is shown."""
    low, loss, high = (axis.factor * each for each in (point.low, point.loss, point.high))
    axes.vlines([flash], low, high, color=QUANTIZED, linewidth=1)
    filled = "full" if point.non_inferior else "none"
    axes.plot([flash], [loss], "D", color=QUANTIZED, markersize=4.5, fillstyle=filled)


def _points(evidence: Evidence) -> Sequence[Point]:
    """Of the sweep, those with the rounding of the system."""
    return [point for point in evidence.sweep if point.rounding == evidence.rounding]


def at_width(network: Network, bits: int) -> Network:
    """An integer network with its weights rounded to so many bits, to see what they take."""
    return replace(network, layers=tuple(_at_width(layer, bits) for layer in network.layers))


def _at_width(layer: Layer, bits: int) -> Layer:
    if not isinstance(layer, Weighted):
        return layer
    weight, bias = layer.weight, layer.bias
    if not isinstance(weight, Quantized) or not isinstance(bias, Int32):
        return layer
    reals = values(weight)
    grid = _grid(reals, weight.grid, bits)
    scale = bias.scale * np.broadcast_to(
        (grid.scale.astype(np.float64) / weight.grid.scale).reshape(-1), bias.scale.shape
    )
    codes = np.clip(np.rint(values(bias) / scale), -_INT32, _INT32).astype(np.int32)
    narrow = Quantized(affine.quantize(reals.astype(np.float32), grid), grid)
    return replace(layer, weight=narrow, bias=Int32(codes, scale))


def _grid(reals: Array, like: Grid, bits: int) -> Grid:
    """Of so many bits, for each channel or for all, around the middle or not, as another is."""
    axes = tuple(range(1, reals.ndim)) if like.scale.ndim else None
    low, high = reals.min(axis=axes, keepdims=axes is not None), reals.max(axis=axes)
    in_the_middle = bool(np.all(like.zero_point == 1 << (like.bits - 1)))
    make = affine.symmetric if in_the_middle else affine.asymmetric
    return make(low, high.reshape(low.shape), bits)
