"""What the report shows of a sweep: bytes against loss, as a picture and as a table."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from stages.point import Point
from stages.report import picture
from stages.report.evidence import Evidence
from stages.report.picture import Picture, Words
from stages.report.tables import Cell, Table, cell
from stages.report.vector import FLOAT, INK, LINE, QUANTIZED, THIRD
from stages.tasks.task import Axis

# Colour, mark, and place beside the others of the same width: equal points stand side by side.
_ROUNDINGS = {
    "nearest": (FLOAT, "o", -0.24),
    "gptq": (THIRD, "s", 0.0),
    "exact": (QUANTIZED, "D", 0.24),
}


def pictures(evidence: Evidence, key: str) -> list[Picture]:
    """Bits, with their bytes, against loss in score; a mark for each rounding."""
    points = [point for point in evidence.sweep if point.rounding in _ROUNDINGS]
    if not points:
        return []
    axis, whole = evidence.kind.task.axis, evidence.metrics.number("size.float_payload")
    shares = {point.bits: 100 * point.payload / whole for point in points}

    def paint(axes: Axes) -> None:
        axes.axhspan(-axis.linear, axis.linear, color=LINE, alpha=0.35, linewidth=0)
        axes.axhline(0, color=INK, linewidth=0.8)
        for rounding in _ROUNDINGS:
            _marks(axes, [point for point in points if point.rounding == rounding], axis, rounding)
        axes.set_yscale("symlog", linthresh=axis.linear)
        axes.yaxis.set_major_formatter(lambda number, _: format(number, "+g") if number else "0")
        axes.set_xticks([*shares], [f"{bits}\n{share:.0f}" for bits, share in shares.items()])
        axes.grid(axis="x", visible=False)
        picture.legend(axes)

    caption = (
        f"Width of a weight against loss in {axis.name}, with intervals of 95 %; lower is better. "
        "Full marks are shown to be as good as float, hollow ones are not. The scale is linear in "
        "the grey band and logarithmic beyond it."
    )
    best = min(points, key=lambda point: (point.loss, point.payload))
    label = (
        f"{caption} The least loss is {axis.factor * best.loss:.3g}, of {best.rounding} rounding "
        f"with {best.bits} bits; the table of the sweep has every point."
    )
    x, y = "bits; below, bytes in % of float", f"loss in {axis.name} (log)"
    return [picture.of_numbers(f"{key}-sweep", paint, Words(caption, label, x, y), bottom=0.21)]


def table(evidence: Evidence) -> Table:
    """A sweep, row by row."""
    task = evidence.kind.task
    axis = task.axis
    rows = tuple(
        (
            Cell(f"{point.rounding}, {point.bits} bits", f"{point.rounding} {point.bits:02d}"),
            cell(point.payload, ",d"),
            cell(point.score, ".4f"),
            *(cell(axis.factor * each, axis.form) for each in (point.loss, point.low, point.high)),
            cell(point.fidelity, ".1f"),
            Cell("yes" if point.non_inferior else "not shown", float(point.non_inferior)),
        )
        for point in evidence.sweep
    )
    headings = (
        "rounding",
        "bytes",
        task.headline_name,
        "loss",
        "low",
        "high",
        "SQNR in dB",
        "as good",
    )
    caption = f"every point of the sweep, with the 95 % interval of its loss in {axis.name}"
    return Table(f"{evidence.name}: {caption}", headings, rows)


def _marks(axes: Axes, points: Sequence[Point], axis: Axis, rounding: str) -> None:
    """The points of one rounding with their intervals, hollow where nothing is shown."""
    colour, mark, shift = _ROUNDINGS[rounding]
    places = [point.bits + shift for point in points]
    low, high = ([axis.factor * getattr(point, key) for point in points] for key in ("low", "high"))
    axes.vlines(places, low, high, color=colour, linewidth=1)
    for shown, filled in ((1, "full"), (0, "none")):
        ends = [
            (point.bits + shift, axis.factor * point.loss)
            for point in points
            if point.non_inferior == shown
        ]
        x, y = np.reshape(ends, (-1, 2)).T
        label = rounding if shown else None
        axes.plot(x, y, mark, color=colour, markersize=4.5, fillstyle=filled, label=label)
