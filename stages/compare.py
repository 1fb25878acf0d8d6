"""python -m stages.compare BASE [HEAD]: what changed between two revisions, as Markdown.

Without HEAD, the workspace as it is. Metrics are in git, so a plain clone is enough.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from scmrepo.exceptions import SCMError

from octet.errors import OctetError
from stages import markdown, tracked

Leaf = Decimal | str
# A figure by its path in the file of a system: "quantized.r2".
Figures = Mapping[str, Leaf]

_HIGHER, _LOWER = "↑", "↓"


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
# By the last part of a figure's path, or by its group.
_KINDS = {
    "r2": Kind("", _HIGHER),
    "r2_train": Kind("", _HIGHER),
    "mse": Kind("target²", _LOWER),
    "mae": Kind("target", _LOWER),
    "accuracy": Kind("%", _HIGHER, 100),
    "accuracy_noisy": Kind("%", _HIGHER, 100),
    "agreement": Kind("%", _HIGHER, 100),
    "log_loss": Kind("nats", _LOWER),
    "mean_abs": Kind("target", _LOWER),
    "max_abs": Kind("target", _LOWER),
    "sqnr_db": Kind("dB", _HIGHER),
    "output_error": Kind("", _LOWER),
    "rows": Kind("rows"),
    "rows_searched": Kind("rows"),
    "rows_proven": Kind("rows", _HIGHER),
    "gained": Kind("images", _HIGHER),
    "lost": Kind("images", _LOWER),
    "low": Kind("%", "", 100),
    "high": Kind("%", "", 100),
    "margin": Kind("%", "", 100),
    "smallest_effect": Kind("%", _LOWER, 100),
    "non_inferior": Kind("", _HIGHER),
    "count": Kind("parameters"),
    "only": Kind("", _HIGHER),
    "all_but": Kind("", _HIGHER),
    "moved": Kind("", _LOWER),
    "noise": Kind("", _LOWER),
    "scaling": Kind("", _LOWER),
    "size": _BYTES,
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
    parser = argparse.ArgumentParser(description="Compare the metrics of two revisions.")
    parser.add_argument("base", help="a git revision")
    parser.add_argument("head", nargs="?", help="a git revision; the workspace if left out")
    arguments = parser.parse_args()
    try:
        base, head = read(arguments.base), read(arguments.head)
    except (OctetError, OSError) as error:
        sys.exit(f"error: {error}")
    names = arguments.base, arguments.head or "workspace"
    sys.stdout.write(f"{float_to_quantized(head)}\n{base_to_head(base, head, names)}")


def read(revision: str | None) -> dict[str, Figures]:
    """The figures of every system, as a revision or the workspace has them.

    Raises:
        OctetError: there is no such revision, or a file that holds no metrics.
    """
    try:
        files = DVCFileSystem(rev=revision)
        paths = sorted(files.glob(f"{tracked.METRICS}/*.json"))
        texts = {PurePosixPath(path).stem: files.read_text(path) for path in paths}
    except (DvcException, SCMError) as error:
        reason = " ".join(str(error).split())
        raise OctetError(f"revision {revision}: {reason}; `git log` lists what there is") from None
    except UnicodeDecodeError:
        raise OctetError(f"revision {revision}: a file in metrics/ is no text") from None
    return {
        name: figures(text, f"{revision or 'workspace'}: {tracked.metrics_path(name)}")
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
    except (ValueError, TypeError, RecursionError):
        raise OctetError(f"{where}: not a file of metrics; `dvc repro` makes it") from None


def _leaves(group: Mapping[str, object], path: str) -> Iterator[tuple[str, Leaf]]:
    for key, value in group.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value if isinstance(value, Decimal) else str(value)


def float_to_quantized(systems: Mapping[str, Figures]) -> str:
    """A section with the scores and bytes of both models of each system."""
    rows = []
    for name in sorted(systems):
        found = systems[name]
        for title, before, after in _PAIRS:
            if before in found or after in found:
                rows.append([name, title, *_cells(before, found.get(before), found.get(after))])
    return f"### float → quantized\n\n{markdown.table(_head('float', 'quantized'), rows)}"


def base_to_head(
    base: Mapping[str, Figures], head: Mapping[str, Figures], names: tuple[str, str]
) -> str:
    """A section with what differs, and folded away how much does not.

    Args:
        base, head: the figures of each system.
        names: of the two revisions.
    """
    changed, same = [], 0
    for name in sorted(base.keys() | head.keys()):
        before, after = base.get(name, {}), head.get(name, {})
        for path in sorted(before.keys() | after.keys()):
            if before.get(path) == after.get(path):
                same += 1
            else:
                row = [name, path, *_cells(path, before.get(path), after.get(path))]
                changed.append(row)
    first, second = map(markdown.text, names)
    lines = [f"### {first} → {second}\n"]
    for name in sorted(base.keys() ^ head.keys()):
        side = second if name in base else first
        lines.append(f"`{markdown.text(name)}`: not in {side}\n")
    lines.append(markdown.table(_head(*names), changed) if changed else "No figure differs.\n")
    if same and changed:
        lines.append(f"{same} figures are the same on both sides.\n")
    return "\n".join(lines)


def _head(before: str, after: str) -> list[str]:
    return ["system", "figure", "unit", before, after, "change", ""]


def _cells(path: str, before: Leaf | None, after: Leaf | None) -> list[str]:
    """Unit with the better direction, both values, their difference, and which is better."""
    kind = _kind(path)
    unit = " ".join(filter(None, [kind.unit, kind.better]))
    shown = [_shown(value, kind) for value in (before, after)]
    if not isinstance(before, Decimal) or not isinstance(after, Decimal):
        return [unit, *shown, "", ""]
    change = (after - before) * kind.factor
    if not change:
        return [unit, *shown, "0", ""]
    points = " points" if kind.unit == "%" else ""
    judged = "better" if (change > 0) == (kind.better == _HIGHER) else "worse"
    return [unit, *shown, f"{_digits(change, '+')}{points}", judged if kind.better else ""]


def _kind(path: str) -> Kind:
    group, _, rest = path.partition(".")
    if group == "size":
        return _BYTES
    if group == "change":  # a change of a change is in the unit, but neither better nor worse
        last = _KINDS.get(rest.rpartition(".")[2], Kind())
        return Kind(last.unit, "", last.factor)
    parts = reversed(path.split("."))
    return next((_KINDS[part] for part in parts if part in _KINDS), Kind())


def _shown(value: Leaf | None, kind: Kind) -> str:
    if value is None:
        return "missing"
    return value if isinstance(value, str) else _digits(value * kind.factor)


def _digits(value: Decimal, sign: str = "") -> str:
    """All of them, or nine and an exponent where that is shorter."""
    whole = f"{value.normalize():{sign}f}"
    return whole if len(whole) <= 14 else f"{value:{sign}.9g}"


if __name__ == "__main__":
    main()
