"""The tables of the report: the same for the page and for Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from octet.layers import Conv2d, GlobalAveragePool, Linear, Quantize
from octet.network import label
from octet.parameters import shape_of
from stages.paths import APART_BITS
from stages.report import verdicts
from stages.report.evidence import Evidence


@dataclass(frozen=True)
class Cell:
    """What a cell shows, and what it sorts by."""

    text: str
    value: float | str


@dataclass(frozen=True)
class Table:
    """A caption, a heading for each column, and rows, each with its name first."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


Column = tuple[str, Callable[[Evidence], Cell]]


def overview(systems: Sequence[Evidence]) -> list[Table]:
    """The tables that have a row for each system; without those that would be empty.

    Raises:
        OctetError: a figure is missing; it is named.
    """
    tables, images = ([s for s in systems if s.of_images is kind] for kind in (False, True))
    found = [
        _table("Verdict on tables: change of the test MSE, in %", tables, _VERDICT),
        _table("Verdict on images: change of the accuracy, in points", images, _VERDICT + _MCNEMAR),
        _table("Size in bytes", systems, _SIZE),
        _table("Scores on tables, float → quantized", tables, _TABLE_SCORES),
        _table("Scores on images, float → quantized", images, _IMAGE_SCORES),
        _table("Distance between the outputs of the two models", systems, _FIDELITY),
        _table("Rounding: mean squared error at the layers' outputs", _rounded(systems), _ROUNDING),
    ]
    return [table for table in found if table.rows]


def layers(evidence: Evidence) -> Table:
    """What quantizing one layer alone does, and the ranges that codes of activations span."""
    figures = [
        (f"{group}, {bits} bits", f"sensitivity.{bits}_bits.{key}", form)
        for group, key, form in (
            ("outputs moved", "moved", ".3g"),
            ("score, only this", "only", ".4f"),
            ("score, all but this", "all_but", ".4f"),
        )
        for bits in APART_BITS
    ]
    ranges = dict(activation_ranges(evidence))
    rows = []
    for i, layer in enumerate(evidence.reference.layers):
        if isinstance(layer, Linear | Conv2d):
            name = label(evidence.reference.layers, i)
            numbers = [(evidence.metrics.number(f"{key}.{name}"), form) for _, key, form in figures]
            size = sum(_count(shape_of(each)) for each in (layer.weight, layer.bias))
            span = [_cell(end, ".3g") for end in ranges[name]] if name in ranges else [_NONE] * 2
            moved = [_cell(value, form) for value, form in numbers]
            rows.append((Cell(name, float(i)), _cell(size, ",d"), *moved, *span))
    headings = ("layer", "parameters", *(heading for heading, _, _ in figures), "lowest", "highest")
    tried = evidence.metrics.number("sensitivity.rows")
    caption = (
        f"sensitivity by layer, on the first {tried:.0f} test rows, and the range that the codes "
        "of its outputs span"
    )
    return Table(f"{evidence.name}: {caption}", headings, tuple(rows))


def sweep(evidence: Evidence) -> Table:
    """A sweep, row by row."""
    # As in the picture: accuracy in points, R² as it is.
    times, form = (100, "+.2f") if evidence.of_images else (1, "+.4f")
    rows = tuple(
        (
            Cell(f"{point.rounding}, {point.bits} bits", f"{point.rounding} {point.bits:02d}"),
            _cell(point.payload, ",d"),
            _cell(point.score, ".4f"),
            *(_cell(times * loss, form) for loss in (point.loss, point.low, point.high)),
            _cell(point.fidelity, ".1f"),
        )
        for point in evidence.sweep
    )
    score, unit = ("accuracy", "points of accuracy") if evidence.of_images else ("R²", "R²")
    headings = ("rounding", "bytes", score, "loss", "low", "high", "SQNR in dB")
    caption = f"every point of the sweep, with the 95 % interval of its loss in {unit}"
    return Table(f"{evidence.name}: {caption}", headings, rows)


def activation_ranges(evidence: Evidence) -> list[tuple[str, tuple[float, float]]]:
    """The reals that the codes of activations span, by layer in order; none of a float network."""
    network = evidence.quantized.layers
    found = []
    for i, layer in enumerate(network):
        grid = layer.grid if isinstance(layer, Quantize) else None
        if isinstance(layer, Linear | Conv2d | GlobalAveragePool):
            grid = layer.output
        if grid is not None:
            scale, zero = float(grid.scale), int(grid.zero_point)
            name = "input" if isinstance(layer, Quantize) else label(network, i)
            found.append((name, (-zero * scale, (grid.top - zero) * scale)))
    return found


_NONE = Cell("–", "")


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _cell(value: float, form: str) -> Cell:
    return Cell(format(int(value) if form.endswith("d") else value, form), float(f"{value:.9g}"))


def _table(caption: str, systems: Sequence[Evidence], columns: Sequence[Column]) -> Table:
    rows = tuple(
        (Cell(each.name, each.name), *(read(each) for _, read in columns)) for each in systems
    )
    return Table(caption, ("system", *(heading for heading, _ in columns)), rows)


def _number(heading: str, key: str, form: str, times: float = 1) -> Column:
    return heading, lambda evidence: _cell(times * evidence.metrics.number(key), form)


def _pair(heading: str, key: str, form: str) -> Column:
    """Float → quantized, sorted by the change."""

    def read(evidence: Evidence) -> Cell:
        number = evidence.metrics.number
        before, after = (format(number(f"{group}.{key}"), form) for group in ("float", "quantized"))
        return Cell(f"{before} → {after}", number(f"change.{key}"))

    return heading, read


def _rounded(systems: Sequence[Evidence]) -> list[Evidence]:
    return [each for each in systems if each.quantized.rounding]


def _verdict(evidence: Evidence) -> Cell:
    verdict = verdicts.judge(evidence)
    return Cell(verdict.short, verdict.kind)


def _judged_score(evidence: Evidence) -> Cell:
    return _pair("", "accuracy" if evidence.of_images else "mse", ".4f")[1](evidence)


def _share(evidence: Evidence) -> Cell:
    number = evidence.metrics.number
    return _cell(100 * number("size.quantized_payload") / number("size.float_payload"), ".1f")


_VERDICT: list[Column] = [
    ("float → quantized", _judged_score),
    ("change", lambda evidence: _cell(100 * verdicts.change(evidence), "+.2f")),
    _number("low", "verdict.low", "+.2f", 100),
    _number("high", "verdict.high", "+.2f", 100),
    ("allowed", lambda evidence: _cell(100 * verdicts.allowed(evidence), "+.2f")),
    _number("smallest effect", "verdict.smallest_effect", ".2f", 100),
    ("verdict", _verdict),
]
_MCNEMAR: list[Column] = [
    _number("gained", "verdict.gained", ",d"),
    _number("lost", "verdict.lost", ",d"),
    _number("McNemar p", "verdict.mcnemar_p", ".3f"),
]
_SIZE: list[Column] = [
    _number("parameters", "parameters.count", ",d"),
    _number("float payload", "size.float_payload", ",d"),
    _number("codes", "size.codes", ",d"),
    _number("scales", "size.scales", ",d"),
    _number("quantized payload", "size.quantized_payload", ",d"),
    ("% of float", _share),
    _number("float file", "size.file_float", ",d"),
    _number("quantized file", "size.file_quantized", ",d"),
]
_TABLE_SCORES: list[Column] = [
    _pair("R²", "r2", ".6f"),
    _pair("R², training rows", "r2_train", ".6f"),
    _pair("MSE", "mse", ".6g"),
    _pair("MAE", "mae", ".6g"),
]
_IMAGE_SCORES: list[Column] = [
    _pair("accuracy", "accuracy", ".4f"),
    _pair("accuracy, noisy", "accuracy_noisy", ".4f"),
    _pair("log loss", "log_loss", ".4f"),
    _pair("moved by noise", "robustness.noise", ".3f"),
    _pair("moved by scaling", "robustness.scaling", ".3f"),
]
_FIDELITY: list[Column] = [
    _number("mean |Δ|", "fidelity.mean_abs", ".3g"),
    _number("max |Δ|", "fidelity.max_abs", ".3g"),
    _number("mean Δ²", "fidelity.mse", ".3g"),
    _number("SQNR in dB", "fidelity.sqnr_db", ".1f"),
]
_ROUNDING: list[Column] = [
    _number("nearest", "rounding.nearest_error", ".3g"),
    _number("these codes", "rounding.output_error", ".3g"),
    _number("no codes below", "rounding.lower_bound", ".3g"),
    _number("rows", "rounding.rows", ",d"),
    _number("proven optimal", "rounding.rows_proven", ",d"),
]
