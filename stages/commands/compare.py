"""python -m stages.commands.compare BASE [HEAD]: what changed between two revisions, as Markdown.

Without HEAD, the workspace as it is. Metrics are in git, so a plain clone is enough.
"""

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import PurePosixPath

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from scmrepo.exceptions import SCMError

from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import markdown
from stages.metrics import Metrics, parse
from stages.paths import METRICS, metrics_path
from stages.tasks.measures import measures
from stages.tasks.task import HIGHER, Measure

Value = Decimal | str

_WIDEST = 80  # characters in a cell: all of the others get as wide
# What has a float and a quantized side besides scores: its name, and where each side is.
_SIZES = (
    ("bytes of the file", "size.file_float", "size.file_quantized"),
    ("bytes of the payload", "size.float_payload", "size.quantized_payload"),
)


def main() -> None:
    """Exit 0 with two tables, or 1 with one line."""
    with one_line():
        parser = Parser(description="Compare the metrics of two revisions.")
        parser.add_argument("base", help="a git revision")
        parser.add_argument("head", nargs="?", help="a git revision; the workspace if left out")
        arguments = parser.parse_args()
        base, head = read(arguments.base), read(arguments.head)
        if not base and not head:
            raise OctetError(f"{METRICS}: no metrics on either side; `dvc repro` makes them")
        names = arguments.base, arguments.head or "workspace"
        sys.stdout.write(f"{float_to_quantized(head)}\n{base_to_head(base, head, names)}")


def read(revision: str | None) -> dict[str, Metrics]:
    """The metrics of every system, as a revision or the workspace has them.

    Raises:
        OctetError: there is no such revision, or a file that holds no metrics.
    """
    if revision == "":  # to DVC the workspace: compared with itself, nothing would ever differ
        raise OctetError("revision '': got nothing; `git log` lists what there is")
    try:
        files = DVCFileSystem(rev=revision)
        listed = sorted(files.glob(f"/{METRICS}/*.json"))
        texts = {PurePosixPath(path).stem: files.read_text(path) for path in listed}
    except (DvcException, SCMError) as error:
        reason = " ".join(str(error).split())
        raise OctetError(f"revision {revision}: {reason}; `git log` lists what there is") from None
    except AttributeError:  # of scmrepo's, which takes a tree or a blob for a commit
        raise OctetError(f"revision {revision}: no commit; `git log` lists what there is") from None
    except UnicodeDecodeError:
        side = "workspace" if revision is None else f"revision {revision}"
        raise OctetError(f"{side}: a file in {METRICS}/ is no text") from None
    return {
        name: parse(text, f"{revision or 'workspace'}: {metrics_path(name)}")
        for name, text in texts.items()
    }


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


def base_to_head(
    base: Mapping[str, Metrics], head: Mapping[str, Metrics], names: tuple[str, str]
) -> str:
    """A section with what differs, and how much does not.

    Args:
        base, head: the metrics of each system.
        names: of the two revisions.
    """
    changed, same = [], 0
    for name in sorted(base.keys() & head.keys()):
        known = _measures(base[name]) | _measures(head[name])
        before, after = base[name].leaves(), head[name].leaves()
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) == after.get(key):
                same += 1
            else:
                measure = known.get(key, Measure())
                changed.append([name, key, *_cells(measure, before.get(key), after.get(key))])
    first, second = (markdown.text(_short(name)) for name in names)
    lines = [f"### {first} → {second}\n"]
    for name in sorted(base.keys() ^ head.keys()):
        there, lacking = (first, second) if name in base else (second, first)
        count = len((base if name in base else head)[name].leaves())
        system = markdown.text(_short(name))
        lines.append(f"Not in {lacking}: {system}, of which {there} has {count} figures.\n")
    lines.append(_table(names, changed) if changed else "No figure of both sides differs.\n")
    lines.append(f"{same} figures are the same on both sides.\n")
    return "\n".join(lines)


def _measures(metrics: Metrics) -> dict[str, Measure]:
    """How to read the numbers of a system; of a file without a kind nothing is known."""
    try:
        return measures(metrics.kind().task)
    except OctetError:
        return {}


def _table(names: tuple[str, str], rows: list[list[str]]) -> str:
    head = ["system", "figure", "unit", *names, "change", ""]
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
