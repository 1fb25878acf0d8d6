"""python -m stages.commands.comment BASE: what a pull request comes to, as Markdown.

The answer comes first: whether dvc.lock and metrics are of this code, a row for each system, what
changed against the base. The rest is folded. All of it is short enough for a comment of GitHub's.
"""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import git, lock, markdown
from stages.commands import compare, gate
from stages.params.file import load_params
from stages.paths import METRICS

# GitHub takes 65,536 characters; comment.yml makes a few of them longer, and adds a head.
MOST = 60_000
_SUMMARY = Path("report/summary.md")
_TITLE = "# May the quantized model replace the float one?\n"
_REPRO = "`dvc repro`"
_LAST = 30  # lines of what a command printed
_FEW = 6  # names in a sentence

Fold = tuple[str, str]


def main() -> None:
    """Exit 0 with the text, or 1 with one line."""
    with one_line():
        parser = Parser(description="Say what this commit comes to, after `dvc repro`.")
        parser.add_argument("base", help="the revision to compare with")
        parser.add_argument("--failed", type=Path, help="what `dvc repro` printed before it failed")
        parser.add_argument(
            "--table",
            action="append",
            default=[],
            nargs=2,
            metavar=("COMMAND", "FILE"),
            help="a command of DVC's, and the table that it printed",
        )
        arguments = parser.parse_args()
        sys.stdout.write(comment(arguments.base, arguments.failed, arguments.table))


def comment(base: str, failed: Path | None, tables: Sequence[tuple[str, str]]) -> str:
    """The whole text; arguments as those of the command.

    Raises:
        OctetError: there is no such revision.
    """
    git.commit(base)
    answers, folds = _answers(_SUMMARY if failed is None else None)
    against, numbers = _against(base)
    front = [_TITLE, _state(failed is not None), answers, against]
    folds = [
        *([("The end of what dvc repro printed", _end(failed))] if failed else []),
        *numbers,
        *((command, _of_dvc(Path(file))) for command, file in tables),
        *folds,
    ]
    return fitted("\n".join(front), folds)


def fitted(text: str, folds: Sequence[Fold], most: int = MOST) -> str:
    """The text with the folds behind it; folds lose their last lines where all is too long.

    Args:
        text: Markdown, which loses lines only where it is more than half of all.
        folds: a title and Markdown each.
        most: characters, in all.
    """
    parts = [cut(markdown.tight(text), most // 2)]
    for i, (title, content) in enumerate(folds):
        frame = len(markdown.fold(title, "")) + 1
        room = (most - sum(map(len, parts)) - len(parts)) // (len(folds) - i) - frame
        parts.append(markdown.fold(title, cut(markdown.tight(content), room)))
    return "\n".join(parts)


def cut(text: str, most: int) -> str:
    """The text, or as many of its first lines as leave room to say how many are left out."""
    if len(text) <= most:
        return text
    lines = text.splitlines(keepends=True)

    def note(count: int) -> str:
        return f"\n{count:,} more lines are left out here.\n"

    ends = itertools.accumulate(map(len, lines), initial=len(note(len(lines))))
    kept = sum(end <= most for end in ends) - 1
    return "".join(lines[: max(kept, 0)]) + note(len(lines) - max(kept, 0))


def _state(failed: bool) -> str:
    """Whether what is committed is what this code gives, and what to do if not."""
    if failed:
        return f"**{_REPRO} failed**, so what follows is not complete: mend what it says below.\n"
    changed = git.changed(lock.PATH, METRICS)
    if not changed:
        return "dvc.lock and metrics are those that this code gives.\n"
    names = ", ".join(markdown.text(name) for name in changed[:_FEW])
    more = f" and {len(changed) - _FEW} more" if len(changed) > _FEW else ""
    try:
        stale = sorted(set(compare.read("HEAD").stale.values()))
    except OctetError as error:
        stale = [str(error)]
    why = f" ({markdown.text('; '.join(stale[:1]))})" if stale else ""
    return (
        f"**The committed dvc.lock and metrics are not from this code{why}:** run {_REPRO}, and "
        f"commit dvc.lock and metrics. The numbers below are of a run here, which changed {names}"
        f"{more}.\n"
    )


def _answers(summary: Path | None) -> tuple[str, list[Fold]]:
    """The report's own answers, or without a report the gates that fail; and what it folds."""
    try:
        checks = sorted(gate.every(load_params()))
    except OctetError as error:
        return f"**Nothing could be held against the gates**: {markdown.text(str(error))}\n", []
    failed = [check for check in checks if not check.passed]
    says = "All gates hold.\n"
    if failed:
        systems = ", ".join(dict.fromkeys(check.system for check in failed))
        says = f"**{len(failed)} of {len(checks)} gates fail**: {markdown.text(systems)}.\n"
    if summary is None or not summary.is_file():
        return f"{says}\n{gate.table(failed)}" if failed else says, []
    front, folds = markdown.unfolded(summary.read_text(encoding="utf-8"))
    return f"{says}\n{front.removeprefix(_TITLE).strip()}\n", folds


def _against(base: str) -> tuple[str, list[Fold]]:
    """What changed against the base: parameters, and what decides of each system; and all of it."""
    title = "## Against the base\n\n"
    try:
        before, after = compare.read(base), compare.read(None)
    except OctetError as error:  # a file of metrics with a conflict's marks in it, say
        return f"{title}Nothing can be compared: {markdown.text(str(error))}\n", []
    decides = (
        compare.headlines(before, after) or "No quantized model scores otherwise, or is larger.\n"
    )
    changed = f"{title}{compare.changed_parameters(before, after)}\n{decides}"
    return changed, [("Every number that changed", compare.base_to_head(before, after))]


def _of_dvc(path: Path) -> str:
    """A table that DVC printed as Markdown, with its cells escaped, which DVC does not do."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    escaped = ("|".join(f" {markdown.text(cell)} " for cell in line.split("|")) for line in lines)
    return "".join(f"{line.strip()}\n" for line in escaped) or "It printed nothing.\n"


def _end(path: Path) -> str:
    """The last lines that a command printed, as text."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "".join(f"{markdown.text(line)}  \n" for line in lines[-_LAST:] if line.strip())


if __name__ == "__main__":
    main()
