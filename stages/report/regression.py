"""What the report shows of regression alone: predictions against the truth, and their errors."""

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from octet.affine import Array
from octet.signature import Numbers
from stages.report import picture, verdicts
from stages.report.evidence import Evidence
from stages.report.picture import Picture, Words
from stages.report.tables import Cell, Table, cell
from stages.report.vector import FLOAT, INK, QUANTIZED
from stages.tasks import squares


def pictures(evidence: Evidence, key: str) -> list[Picture]:
    """Predicted against actual for each of the two models, and the errors of both."""
    return [
        _predictions(evidence, f"{key}-float", 0),
        _predictions(evidence, f"{key}-quantized", 1),
        _errors(evidence, f"{key}-errors"),
    ]


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


def _predictions(evidence: Evidence, key: str, model: int) -> Picture:
    name = ("float model", verdicts.model_name(evidence.quantized))[model]
    r2 = evidence.metrics.number(f"{('float', 'quantized')[model]}.r2")
    caption = f"Predicted against actual, {name}: R² {r2:.4f}. On the dashed line they agree."
    label = f"{len(evidence.data.y_test):,} test rows. {caption}"
    unit = _unit(evidence)
    words = Words(caption, label, f"actual{unit}", f"predicted{unit}")
    paint = partial(_scatter, evidence=evidence, model=model, colour=(FLOAT, QUANTIZED)[model])
    return picture.of_numbers(key, paint, words)


def _scatter(axes: Axes, evidence: Evidence, model: int, colour: str) -> None:
    """Both models get the same axes, so that they can be compared."""
    actual = evidence.data.y_test.astype(np.float64)
    everything = np.column_stack([actual, *(outputs[:, 0] for outputs in evidence.outputs)])
    low, high = picture.span(everything)
    _dots(axes, actual, evidence.outputs[model][:, 0], colour)
    axes.plot([low, high], [low, high], color=INK, linewidth=1, dashes=(4, 3))
    edge = 0.03 * (high - low)
    axes.set_xlim(low - edge, high + edge)
    axes.set_ylim(low - edge, high + edge)


def _dots(axes: Axes, x: Array, y: Array, colour: str) -> None:
    """Points as one path: a line that ends where it starts is a dot, in a tenth of the bytes."""
    nothing = np.full_like(x, np.nan)
    xs, ys = (np.column_stack([v, v, nothing]).ravel() for v in (x, y))
    size = 2.6 if len(x) < 1000 else 1.3
    axes.plot(xs, ys, color=colour, linewidth=size, solid_capstyle="round", alpha=0.6)


def _errors(evidence: Evidence, key: str) -> Picture:
    """Histograms of what both models get wrong, in the unit of the target."""
    errors = [outputs[:, 0] - evidence.data.y_test for outputs in evidence.outputs]
    spread = [float(np.sqrt(np.mean(e**2))) for e in errors]
    caption = "Errors on the test rows: float filled, quantized as a line."
    label = f"{caption} Their root mean squares are {spread[0]:.4g} and {spread[1]:.4g}."
    words = Words(caption, label, f"predicted − actual{_unit(evidence)}", "test rows")
    return picture.histograms(key, errors, words)


def _unit(evidence: Evidence) -> str:
    outputs = evidence.data.signature.outputs
    return f", {outputs.unit}" if isinstance(outputs, Numbers) and outputs.unit else ""
