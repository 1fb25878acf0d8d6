"""What the report shows of a sweep: bytes against loss, as a picture and as a table."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from stages.point import Point
from stages.report import picture
from stages.report.evidence import Evidence
from stages.report.picture import Picture, Words
from stages.report.tables import Cell, Table, cell
from stages.report.vector import FLOAT, INK, QUANTIZED, THIRD
from stages.tasks.task import Axis

_ROUNDINGS = {
    "nearest": (FLOAT, "o", ":"),
    "gptq": (THIRD, "s", "--"),
    "exact": (QUANTIZED, "D", "-"),
}


def pictures(evidence: Evidence, key: str) -> list[Picture]:
    """Bytes against loss in score, a line for each rounding, float as the reference."""
    points = [point for point in evidence.sweep if point.rounding in _ROUNDINGS]
    if not points:
        return []
    reference = [point for point in evidence.sweep if point.rounding == "float"]
    axis = evidence.kind.task.axis

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=INK, linewidth=0.8)
        for rounding in _ROUNDINGS:
            if line := [point for point in points if point.rounding == rounding]:
                _line(axes, sorted(line, key=lambda point: point.payload), axis, rounding)
        for point in reference:
            axes.plot(point.payload, 0, "*", color=INK, markersize=10, label="float")
        axes.set_yscale("symlog", linthresh=axis.linear)
        axes.yaxis.set_major_formatter("{x:g}")
        _name_bytes(axes, points, reference)
        axes.legend(loc="upper right")

    caption = (
        f"Bytes against loss in {axis.name}, with intervals of 95 %. Numbers along the top are "
        "bits; lower and further left is better."
    )
    best = min(points, key=lambda point: (point.loss, point.payload))
    label = (
        f"{caption} The least loss is {axis.factor * best.loss:.3g}, of {best.rounding} rounding "
        f"with {best.bits} bits; the table of the sweep has every point."
    )
    x = "bytes of weights, scales and zero points"
    words = Words(caption, label, x, f"loss in {axis.name}")
    return [picture.of_numbers(f"{key}-sweep", paint, words)]


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


def _line(axes: Axes, points: Sequence[Point], axis: Axis, rounding: str) -> None:
    """The points of one rounding, joined, with their intervals."""
    colour, marker, dash = _ROUNDINGS[rounding]
    payloads = [point.payload for point in points]
    low, loss, high = (
        [axis.factor * getattr(point, key) for point in points] for key in ("low", "loss", "high")
    )
    axes.vlines(payloads, low, high, color=colour, linewidth=0.8, alpha=0.6)
    axes.plot(
        payloads, loss, color=colour, marker=marker, markersize=4, linestyle=dash, label=rounding
    )


def _name_bytes(axes: Axes, points: Sequence[Point], reference: Sequence[Point]) -> None:
    """A logarithmic axis of bytes, its ticks plain numbers, with the bits of each width above."""
    axes.set_xscale("log")
    ends = [point.payload for point in (*points, *reference)]
    ticks = np.geomspace(min(ends), max(ends), 5)
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()
    for bits, payload in sorted({p.bits: p.payload for p in points}.items()):
        axes.text(
            payload, 1.02, str(bits), transform=axes.get_xaxis_transform(), ha="center", va="bottom"
        )
