"""What the report shows of regression alone: predictions that move, and errors that grow."""

import numpy as np
from matplotlib.axes import Axes

from octet.affine import Array
from octet.signature import Numbers
from stages.report import picture
from stages.report.evidence import Evidence
from stages.report.picture import Picture, Words
from stages.report.tables import Cell, Table, cell
from stages.report.vector import INK, QUANTIZED
from stages.tasks import squares, worse_rows


def pictures(evidence: Evidence, key: str) -> list[Picture]:
    """How far each prediction moves, and how much each error grows."""
    return [_moved(evidence, f"{key}-moved"), _grown(evidence, f"{key}-grown")]


def table(evidence: Evidence) -> Table:
    """What single test rows have to do with the change: see `stages.tasks.squares`."""
    truth = evidence.data.y_test.astype(np.float64)
    before, after = (outputs[:, 0] for outputs in evidence.outputs)
    errors = (truth - before) ** 2, (truth - after) ** 2
    whole, found = squares.change(*errors), squares.influence(*errors)
    row = found.row
    rows = tuple(
        (
            Cell(name, name),
            *(cell(100 * each, "+.3f") for each in (change.value, change.low, change.high)),
            cell(change.effective_rows, ",.1f"),
        )
        for name, change in (("all rows", whole), (f"without row #{row}", found.without))
    )
    caption = (
        f"{evidence.name}: change of the test MSE in %; {found.half:,} of {whole.rows:,} rows hold "
        f"half of its variance. Row #{row} moves it most: actual {truth[row]:.4g}, "
        f"float {before[row]:.6g}, quantized {after[row]:.6g}"
    )
    return Table(caption, ("test rows", "change", "low", "high", "effective rows"), rows)


def _moved(evidence: Evidence, key: str) -> Picture:
    """Quantized less float, against float; the row that moves the MSE most is marked."""
    before, after = (outputs[:, 0] for outputs in evidence.outputs)
    truth = evidence.data.y_test.astype(np.float64)
    row = squares.influence((truth - before) ** 2, (truth - after) ** 2).row
    moved, unit = after - before, _unit(evidence)

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=INK, linewidth=0.8)
        _dots(axes, before, moved)
        axes.plot(before[row], moved[row], "o", color=INK, markersize=9, fillstyle="none")

    caption = (
        f"What quantization does to each of {len(moved):,} predictions: at most "
        f"{np.max(np.abs(moved)):.3g}{_of(evidence)}. The circle is test row #{row}, which moves "
        "the MSE most."
    )
    return picture.of_numbers(
        key, paint, Words(caption, caption, f"float prediction{unit}", "quantized − float")
    )


def _dots(axes: Axes, x: Array, y: Array) -> None:
    """Points as one path: a line that ends where it starts is a dot, in a tenth of the bytes."""
    nothing = np.full_like(x, np.nan)
    xs, ys = (np.column_stack([v, v, nothing]).ravel() for v in (x, y))
    size = 3.2 if len(x) < 1000 else 1.6
    axes.plot(xs, ys, color=QUANTIZED, linewidth=size, solid_capstyle="round", alpha=0.6)


def _grown(evidence: Evidence, key: str) -> Picture:
    """A histogram of how much larger the quantized model's error is, with what is tolerated."""
    before, after = (np.abs(outputs[:, 0] - evidence.data.y_test) for outputs in evidence.outputs)
    grown, unit = after - before, _unit(evidence)
    allowed = worse_rows.allowed(before, evidence.gates.worse_by)
    worse = int(np.sum(grown > allowed))
    edges = np.linspace(*picture.span(np.append(grown, allowed)), picture.BINS + 1)

    def paint(axes: Axes) -> None:
        axes.stairs(np.histogram(grown, edges)[0], edges, fill=True, color=QUANTIZED, alpha=0.7)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.axvline(allowed, color=INK, linewidth=1.2, dashes=(4, 3))
        picture.whole_counts(axes)

    caption = (
        "How much larger the error of each test row becomes; left of 0 it becomes smaller. Beyond "
        f"the dashed line, {allowed:.3g}{_of(evidence)}, a row got worse: {worse:,} of "
        f"{len(grown):,}."
    )
    words = Words(caption, caption, f"|quantized error| − |float error|{unit}", "test rows")
    return picture.of_numbers(key, paint, words)


def _unit(evidence: Evidence) -> str:
    """The unit of the target behind the name of an axis."""
    outputs = evidence.data.signature.outputs
    return f", {outputs.unit}" if isinstance(outputs, Numbers) and outputs.unit else ""


def _of(evidence: Evidence) -> str:
    """The same behind a number; some units are themselves so many of another."""
    unit = _unit(evidence).removeprefix(", ")
    return f" {'× ' * unit[:1].isdigit()}{unit}" if unit else ""
