"""python -m stages.commands.compare BASE [HEAD]: what changed between two revisions, as Markdown.

Without HEAD, the workspace as it is. Metrics are in git, so a plain clone is enough.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from scmrepo.exceptions import SCMError

from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import markdown, paths

Leaf = Decimal | str
# A figure by its path in the file of a system: "quantized.r2".
Figures = Mapping[str, Leaf]

_HIGHER, _LOWER = "↑", "↓"
# What is of a size beyond that of every float is no figure: its digits could fill the memory.
_LARGEST_EXPONENT = 308
_WIDEST = 80  # characters in a cell: all of the others get as wide


@dataclass(frozen=True)
class Kind:
    """How a figure is to be read.

    Attributes:
        unit: in which it is shown.
        better: an arrow to where it is better, or nothing where neither side is.
        factor: from the number in the file to that unit.
    """

    unit: str = ""
    better: str = ""
    factor: int = 1


_BYTES = Kind("bytes", _LOWER)
# By a part of a figure's path: the last that is here.
_KINDS = {
    "r2": Kind("", _HIGHER),
    "r2_train": Kind("", _HIGHER),
    "mae": Kind("target", _LOWER),
    "accuracy": Kind("%", _HIGHER, 100),
    "accuracy_noisy": Kind("%", _HIGHER, 100),
    "agreement": Kind("%", _HIGHER, 100),
    "log_loss": Kind("nats", _LOWER),
    "sqnr_db": Kind("dB", _HIGHER),
    "output_error": Kind("", _LOWER),
    "rows": Kind("rows"),
    "rows_searched": Kind("rows"),
    "rows_proven": Kind("rows", _HIGHER),
    "gained": Kind("images", _HIGHER),
    "lost": Kind("images", _LOWER),
    "non_inferior": Kind("", _HIGHER),
    "count": Kind("parameters"),
    "weight_max_abs": Kind("", _LOWER),
    "weight_mean_abs": Kind("", _LOWER),
    "bias_max_abs": Kind("", _LOWER),
    "noise": Kind("", _LOWER),
    "scaling": Kind("", _LOWER),
}
_KINDS_OF_TABLES = _KINDS | {
    "mse": Kind("target²", _LOWER),
    "mean_abs": Kind("target", _LOWER),
    "max_abs": Kind("target", _LOWER),
    "moved": Kind("target²", _LOWER),
    "only": Kind("R²", _HIGHER),
    "all_but": Kind("R²", _HIGHER),
    "low": Kind("% of MSE", _LOWER, 100),
    "high": Kind("% of MSE", _LOWER, 100),
    "margin": Kind("% of MSE", "", 100),
    "smallest_effect": Kind("% of MSE", _LOWER, 100),
}
# Their outputs are logits.
_KINDS_OF_IMAGES = _KINDS | {
    "mse": Kind("logits²", _LOWER),
    "mean_abs": Kind("logits", _LOWER),
    "max_abs": Kind("logits", _LOWER),
    "moved": Kind("logits²", _LOWER),
    "only": Kind("%", _HIGHER, 100),
    "all_but": Kind("%", _HIGHER, 100),
    "low": Kind("points", _HIGHER, 100),
    "high": Kind("points", _HIGHER, 100),
    "margin": Kind("points", "", 100),
    "smallest_effect": Kind("points", _LOWER, 100),
}
_SCORES = ("accuracy", "accuracy_noisy", "log_loss", "mae", "mse", "r2", "r2_train")
# What has a float and a quantized side: its name, and where each side is.
_PAIRS = sorted(
    [
        *((score, f"float.{score}", f"quantized.{score}") for score in _SCORES),
        ("bytes of the file", "size.file_float", "size.file_quantized"),
        ("bytes of the payload", "size.float_payload", "size.quantized_payload"),
    ]
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
            raise OctetError(f"{paths.METRICS}: no metrics on either side; `dvc repro` makes them")
        names = arguments.base, arguments.head or "workspace"
        sys.stdout.write(f"{float_to_quantized(head)}\n{base_to_head(base, head, names)}")


def read(revision: str | None) -> dict[str, Figures]:
    """The figures of every system, as a revision or the workspace has them.

    Raises:
        OctetError: there is no such revision, or a file that holds no metrics.
    """
    if revision == "":  # to DVC the workspace: compared with itself, nothing would ever differ
        raise OctetError("revision '': got nothing; `git log` lists what there is")
    try:
        files = DVCFileSystem(rev=revision)
        listed = sorted(files.glob(f"/{paths.METRICS}/*.json"))
        texts = {PurePosixPath(path).stem: files.read_text(path) for path in listed}
    except (DvcException, SCMError) as error:
        reason = " ".join(str(error).split())
        raise OctetError(f"revision {revision}: {reason}; `git log` lists what there is") from None
    except AttributeError:  # of scmrepo's, which takes a tree or a blob for a commit
        raise OctetError(f"revision {revision}: no commit; `git log` lists what there is") from None
    except UnicodeDecodeError:
        side = "workspace" if revision is None else f"revision {revision}"
        raise OctetError(f"{side}: a file in {paths.METRICS}/ is no text") from None
    return {
        name: figures(text, f"{revision or 'workspace'}: {paths.metrics_path(name)}")
        for name, text in texts.items()
    }


def figures(text: str, where: str) -> Figures:
    """Every figure in the text of a metrics file, its digits as they stand there.

    Raises:
        OctetError: it is no JSON object.
    """
    try:
        found = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
        if not isinstance(found, dict):
            raise TypeError
        return dict(_leaves(found, ""))
    except (ValueError, TypeError, RecursionError, ArithmeticError):
        raise OctetError(f"{where}: not a file of metrics; `dvc repro` makes it") from None


def _leaves(group: Mapping[str, object], path: str) -> Iterator[tuple[str, Leaf]]:
    for key, value in group.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", _leaf(value)


def _leaf(value: object) -> Leaf:
    """A number as it is; all else as text."""
    if isinstance(value, Decimal):
        return value if abs(value.adjusted()) <= _LARGEST_EXPONENT else str(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def float_to_quantized(systems: Mapping[str, Figures]) -> str:
    """A section with the scores and bytes of both models of each system."""
    rows = []
    for name in sorted(systems):
        found = systems[name]
        kinds = _kinds(found)
        for title, before, after in _PAIRS:
            if before in found or after in found:
                cells = _cells(_kind(before, kinds), found.get(before), found.get(after))
                rows.append([name, title, *cells])
    shown = _table(("float", "quantized"), rows) if rows else "No system has metrics.\n"
    return f"### float → quantized\n\n{shown}"


def base_to_head(
    base: Mapping[str, Figures], head: Mapping[str, Figures], names: tuple[str, str]
) -> str:
    """A section with what differs, and folded away how much does not.

    Args:
        base, head: the figures of each system.
        names: of the two revisions.
    """
    changed, same = [], 0
    for name in sorted(base.keys() & head.keys()):
        before, after = base[name], head[name]
        kinds = _kinds({**before, **after})
        for path in sorted(before.keys() | after.keys()):
            if before.get(path) == after.get(path):
                same += 1
            else:
                cells = _cells(_kind(path, kinds), before.get(path), after.get(path))
                changed.append([name, path, *cells])
    first, second = (markdown.text(_short(name)) for name in names)
    lines = [f"### {first} → {second}\n"]
    for name in sorted(base.keys() ^ head.keys()):
        there, lacking = (first, second) if name in base else (second, first)
        count = len(base.get(name) or head.get(name, {}))
        said = f"{markdown.text(_short(name))}, of which {there} has {count} figures"
        lines.append(f"Not in {lacking}: {said}.\n")
    lines.append(_table(names, changed) if changed else "No figure of both sides differs.\n")
    lines.append(f"{same} figures are the same on both sides.\n")
    return "\n".join(lines)


def _table(names: tuple[str, str], rows: list[list[str]]) -> str:
    head = ["system", "figure", "unit", *names, "change", ""]
    short = [[_short(cell) for cell in row] for row in (head, *rows)]
    return markdown.table(short[0], short[1:])


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _cells(kind: Kind, before: Leaf | None, after: Leaf | None) -> list[str]:
    """Unit with the better direction, both values, their difference, and which is better."""
    unit = " ".join(filter(None, [kind.unit, kind.better]))
    shown = [_shown(value, kind) for value in (before, after)]
    if not isinstance(before, Decimal) or not isinstance(after, Decimal):
        return [unit, *shown, "", ""]
    change = (after - before) * kind.factor
    if not change:
        return [unit, *shown, "0", ""]
    points = " points" if kind.factor == 100 else ""
    judged = "better" if (change > 0) == (kind.better == _HIGHER) else "worse"
    return [unit, *shown, f"{_digits(change, '+')}{points}", judged if kind.better else ""]


def _kinds(found: Figures) -> Mapping[str, Kind]:
    """How to read the figures of a system: only images have an accuracy."""
    images = any(path.endswith(".accuracy") for path in found)
    return _KINDS_OF_IMAGES if images else _KINDS_OF_TABLES


def _kind(path: str, kinds: Mapping[str, Kind]) -> Kind:
    group, *rest = path.split(".")
    if group == "size":
        return _BYTES
    kind = next((kinds[part] for part in reversed(rest) if part in kinds), Kind())
    if group == "change":  # a change of a change is neither better nor worse
        return Kind("points" if kind.unit == "%" else kind.unit, "", kind.factor)
    return kind


def _shown(value: Leaf | None, kind: Kind) -> str:
    if value is None:
        return "missing"
    return value if isinstance(value, str) else _digits(value * kind.factor)


def _digits(value: Decimal, sign: str = "") -> str:
    """All of them, or nine and an exponent where that is shorter."""
    if not value:
        return "0"  # which may have a sign
    whole = f"{value.normalize():{sign}f}"
    return whole if len(whole) <= 14 else f"{value:{sign}.9g}"


if __name__ == "__main__":
    main()
