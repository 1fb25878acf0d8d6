"""python -m stages.commands.compare BASE [HEAD]: what changed between two revisions, as Markdown.

Without HEAD, the workspace as it is. Metrics are in git, so a plain clone is enough.
"""

import reprlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import git, lock, markdown
from stages.metrics import Metrics, parse
from stages.params.section import PATH as PARAMS
from stages.paths import METRICS, metrics_path
from stages.stale import Project
from stages.tasks.measures import measures
from stages.tasks.task import HIGHER, Measure

Value = Decimal | str

_MOST_KEYS = 12  # of the parameters that changed
_WIDEST = 80  # characters in a cell: all of the others get as wide
# What has a float and a quantized side besides scores: its name, and where each side is.
_SIZES = (
    ("bytes of the file", "size.file_float", "size.file_quantized"),
    ("bytes of the payload", "size.float_payload", "size.quantized_payload"),
)


@dataclass(frozen=True)
class Side:
    """One of the two that are compared.

    Attributes:
        name: of the revision, or workspace.
        metrics: of each system.
        stale: by system, what makes its metrics others than those of the parameters beside them.
        params: params.yaml, unchecked; None where it cannot be read.
    """

    name: str
    metrics: Mapping[str, Metrics]
    stale: Mapping[str, str]
    params: Any = None


def main() -> None:
    """Exit 0 with two tables, or 1 with one line."""
    with one_line():
        parser = Parser(description="Compare the metrics of two revisions.")
        parser.add_argument("base", help="a git revision, or the name of an experiment")
        parser.add_argument("head", nargs="?", help="the same; the workspace if left out")
        arguments = parser.parse_args()
        base, head = read(arguments.base), read(arguments.head)
        if not base.metrics and not head.metrics:
            raise OctetError(f"{METRICS}: no metrics on either side; `dvc repro` makes them")
        parameters = changed_parameters(base, head)
        sys.stdout.write(
            f"{float_to_quantized(head.metrics)}\n{base_to_head(base, head)}\n{parameters}"
        )


def read(revision: str | None) -> Side:
    """The metrics of every system, as a revision or the workspace has them.

    Raises:
        OctetError: there is no such revision, or a file that holds no metrics.
    """
    if revision is None:
        name, files, content = "workspace", sorted(METRICS.glob("*.json")), lock.read
    else:
        commit = git.commit(revision)
        name, files = revision, git.files(commit, METRICS)

        def content(path: Path) -> bytes:
            return git.content(commit, path)

    contents = {path.stem: content(path) for path in files if path.suffix == ".json"}
    metrics = {key: parse(contents[key], f"{name}: {metrics_path(key)}") for key in contents}
    params = None
    try:
        project = Project.parse(*map(content, (lock.PIPELINE, lock.PATH, PARAMS)))
        params = project.params
        reasons = {key: project.stale(key, contents[key]) for key in contents}
    except OctetError as error:
        reasons = dict.fromkeys(contents, str(error))
    stale = {key: reason for key, reason in reasons.items() if reason}
    return Side(name, metrics, stale, params)


def float_to_quantized(systems: Mapping[str, Metrics]) -> str:
    """A section with the scores and bytes of both models of each system."""
    rows = []
    for name in sorted(systems):
        known, values = _measures(systems[name]), systems[name].leaves()
        scores = [key.removeprefix("float.") for key in values if key.startswith("float.")]
        pairs = [(key, f"float.{key}", f"quantized.{key}") for key in scores if "." not in key]
        for title, before, after in sorted((*pairs, *_SIZES)):
            if before in values or after in values:
                measure = known.get(before, Measure())
                rows.append([name, title, *_cells(measure, values.get(before), values.get(after))])
    shown = _table(("float", "quantized"), rows) if rows else "No system has metrics.\n"
    return f"### float → quantized\n\n{shown}"


def changed_parameters(base: Side, head: Side) -> str:
    """A list of the keys of params.yaml that differ, or a sentence that none does."""
    sides = before, after = [dict(_leaves(side.params)) for side in (base, head)]
    keys = [key for key in after | before if before.get(key) != after.get(key)]
    lines = [
        f"- {_plain(key)}: {' → '.join(_plain(side.get(key, 'missing')) for side in sides)}\n"
        for key in keys[:_MOST_KEYS]
    ]
    if len(keys) > _MOST_KEYS:
        lines.append(f"- and {len(keys) - _MOST_KEYS} more\n")
    if not keys:
        return f"Nothing in {PARAMS} changed.\n"
    return f"In {PARAMS} changed:\n\n{''.join(lines)}"


def headlines(base: Side, head: Side) -> str:
    """A table of what decides and differs, score and bytes of the quantized models; "" if none."""
    rows = [
        row
        for row in _differing(base, head)
        if row[1] in ("size.quantized_payload", *_headline(head.metrics[row[0]]))
    ]
    return _table((base.name, head.name), rows) if rows else ""


def base_to_head(base: Side, head: Side) -> str:
    """A section with what differs, how much does not, and what is not of its own parameters."""
    first, second = (markdown.text(_short(side.name)) for side in (base, head))
    lines = [f"### {first} → {second}\n"]
    for name in sorted(base.metrics.keys() ^ head.metrics.keys()):
        there, lacking = (first, second) if name in base.metrics else (second, first)
        count = len((base if name in base.metrics else head).metrics[name].leaves())
        system = markdown.text(_short(name))
        lines.append(f"Not in {lacking}: {system}, of which {there} has {count} numbers.\n")
    for side, label in ((base, first), (head, second)):
        for name, reason in sorted(side.stale.items()):
            lines.append(
                f"Stale in {label}: {markdown.text(_short(name))}: {markdown.text(reason)}.\n"
            )
    changed = list(_differing(base, head))
    names = base.name, head.name
    lines.append(_table(names, changed) if changed else "No number of both sides differs.\n")
    lines.append(f"{_numbers(base, head) - len(changed)} numbers are the same on both sides.\n")
    return "\n".join(lines)


def _differing(base: Side, head: Side) -> Iterator[list[str]]:
    """A row for each number that differs, of the systems that both sides have."""
    for name in sorted(base.metrics.keys() & head.metrics.keys()):
        known = _measures(base.metrics[name]) | _measures(head.metrics[name])
        before, after = base.metrics[name].leaves(), head.metrics[name].leaves()
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                measure = known.get(key, Measure())
                yield [name, key, *_cells(measure, before.get(key), after.get(key))]


def _numbers(base: Side, head: Side) -> int:
    """How many there are of the systems that both sides have, on either side."""
    both = base.metrics.keys() & head.metrics.keys()
    return sum(
        len(base.metrics[name].leaves().keys() | head.metrics[name].leaves().keys())
        for name in both
    )


def _headline(metrics: Metrics) -> tuple[str, ...]:
    """The key of the score that a task is measured by; of a file without a kind none."""
    try:
        return (f"quantized.{metrics.kind().task.headline_key}",)
    except OctetError:
        return ()


def _leaves(group: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a mapping by its key, names with dots between them, as text."""
    if isinstance(group, dict) and (group or not path):
        for key, value in group.items():
            yield from _leaves(value, f"{path}.{key}" if path else f"{key}")
    elif path:
        yield path, reprlib.repr(group)


def _plain(value: str) -> str:
    return markdown.text(_short(value))


def _measures(metrics: Metrics) -> dict[str, Measure]:
    """How to read the numbers of a system; of a file without a kind nothing is known."""
    try:
        return measures(metrics.kind().task)
    except OctetError:
        return {}


def _table(names: tuple[str, str], rows: list[list[str]]) -> str:
    head = ["system", "metric", "unit", *names, "change", ""]
    short = [[_short(cell) for cell in row] for row in (head, *rows)]
    return markdown.table(short[0], short[1:])


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _cells(measure: Measure, before: Value | None, after: Value | None) -> list[str]:
    """Unit with the better direction, both values, their difference, and which is better."""
    unit = " ".join(filter(None, [measure.unit, measure.better]))
    shown = [_shown(value, measure) for value in (before, after)]
    if not isinstance(before, Decimal) or not isinstance(after, Decimal):
        return [unit, *shown, "", ""]
    change = (after - before) * measure.factor
    if not change:
        return [unit, *shown, "0", ""]
    points = " points" if measure.factor == 100 else ""
    judged = "better" if (change > 0) == (measure.better == HIGHER) else "worse"
    return [unit, *shown, f"{_digits(change, '+')}{points}", judged if measure.better else ""]


def _shown(value: Value | None, measure: Measure) -> str:
    if value is None:
        return "missing"
    return value if isinstance(value, str) else _digits(value * measure.factor)


def _digits(value: Decimal, sign: str = "") -> str:
    """All of them, or nine and an exponent where that is shorter."""
    if not value:
        return "0"  # which may have a sign
    whole = f"{value.normalize():{sign}f}"
    return whole if len(whole) <= 14 else f"{value:{sign}.9g}"


if __name__ == "__main__":
    main()
