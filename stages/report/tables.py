"""The tables that have a row for each system: the same for the page and for Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.report import verdicts
from stages.report.evidence import Evidence
from stages.tasks import TASKS
from stages.tasks.task import Task, digits


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

NOTHING = Cell("–", "")


def cell(value: float, form: str) -> Cell:
    """A number in digits; of a form that ends in d, a whole one."""
    text = format(int(value), form) if form.endswith("d") else digits(value, form)
    return Cell(text, float(f"{value:.9g}"))


def overview(systems: Sequence[Evidence]) -> list[Table]:
    """The tables of all systems; without those that would be empty.

    Raises:
        OctetError: a number is missing; it is named.
    """
    by_task = [(task, [each for each in systems if each.kind.task is task]) for task in TASKS]
    rounded = [each for each in systems if each.quantized.rounding]
    tables = [
        _gates(systems),
        *(_table(_verdict_caption(task), own, _verdict_columns(task)) for task, own in by_task),
        _table("Size in bytes", systems, _SIZE),
        *(
            _table(f"Scores of {task.name}, float → quantized", own, _score_columns(task, own))
            for task, own in by_task
        ),
        _table("Distance between the outputs of the two models", systems, _FIDELITY),
        _table("Rounding: mean squared error at the layers' outputs", rounded, _ROUNDING),
    ]
    return [table for table in tables if table.rows]


def _table(caption: str, systems: Sequence[Evidence], columns: Sequence[Column]) -> Table:
    rows = tuple(
        (Cell(each.name, each.name), *(read(each) for _, read in columns)) for each in systems
    )
    return Table(caption, ("system", *(heading for heading, _ in columns)), rows)


def _number(heading: str, key: str, form: str, times: float = 1) -> Column:
    return heading, lambda evidence: cell(times * evidence.metrics.number(key), form)


def _pair(heading: str, key: str, form: str) -> Column:
    """Float → quantized, sorted by the change."""

    def read(evidence: Evidence) -> Cell:
        before, after = evidence.metrics.numbers(f"float.{key}", f"quantized.{key}")
        return Cell(f"{before:{form}} → {after:{form}}", float(f"{after - before:.9g}"))

    return heading, read


def _of_noisy(column: Column) -> Column:
    """The column, empty for systems that are not measured under noise."""
    heading, read = column
    return heading, lambda evidence: read(evidence) if evidence.kind.noisy else NOTHING


def _gates(systems: Sequence[Evidence]) -> Table:
    rows = tuple(
        (
            *(Cell(text, text) for text in (each.name, check.what, check.got, check.allowed)),
            Cell("pass" if check.passed else "FAIL", float(check.passed)),
        )
        for each in systems
        for check in each.checks
    )
    return Table("Gates", ("system", "what", "got", "allowed", "result"), rows)


def _verdict_caption(task: Task) -> str:
    return f"Verdict on {task.name}: change of the {task.judged.name}, in {task.judged.unit}"


def _verdict_columns(task: Task) -> list[Column]:
    return [
        _pair("float → quantized", task.judged.score, ".4f"),
        ("change", lambda evidence: cell(100 * verdicts.change(evidence), "+.2f")),
        _number("low", "verdict.low", "+.2f", 100),
        _number("high", "verdict.high", "+.2f", 100),
        _number("rows", "verdict.rows", ",d"),
        _number("rows needed", "verdict.rows_needed", ",d"),
        ("verdict", _verdict),
        *(
            _number(each.name, f"verdict.{key}", each.form, each.factor)
            for key, each in task.verdict.items()
        ),
    ]


def _verdict(evidence: Evidence) -> Cell:
    verdict = verdicts.judge(evidence)
    return Cell(verdict.short, verdict.kind)


def _score_columns(task: Task, systems: Sequence[Evidence]) -> list[Column]:
    columns = [_pair(score.name, key, score.form) for key, score in task.scores.items()]
    headline = task.scores[task.headline_key]
    if task.on_training_rows:
        columns.append(
            _number(
                f"{headline.name}, training rows", f"float.{task.on_training_rows}", headline.form
            )
        )
    if any(each.kind.noisy for each in systems):
        under_noise = [
            _pair(f"{headline.name}, noisy", f"{task.headline_key}_noisy", headline.form),
            _pair("moved by noise", "robustness.noise", ".3f"),
            _pair("moved by scaling", "robustness.scaling", ".3f"),
        ]
        columns += map(_of_noisy, under_noise)
    return columns


def _share(evidence: Evidence) -> Cell:
    payload, whole = evidence.metrics.numbers("size.quantized_payload", "size.float_payload")
    return cell(100 * payload / whole, ".1f")


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
_FIDELITY: list[Column] = [
    _number("mean |Δ|", "fidelity.mean_abs", ".3g"),
    _number("max |Δ|", "fidelity.max_abs", ".3g"),
    _number("SQNR in dB", "fidelity.sqnr_db", ".1f"),
]
_ROUNDING: list[Column] = [
    _number("error of these codes", "rounding.output_error", ".3g"),
    _number("rows", "rounding.rows", ",d"),
    _number("proven optimal", "rounding.rows_proven", ",d"),
]
