"""python -m stages.report: what all systems came to -> report/index.html and report/summary.md."""

from pathlib import Path
from typing import TYPE_CHECKING

from stages import stage as command
from stages.report import comment, evidence, page

if TYPE_CHECKING:
    from stages.params.file import Params

_FOLDER = Path("report")


def report(params: "Params") -> dict[Path, bytes]:
    """The page and its Markdown twin."""
    systems = [evidence.read(name, params) for name in params.systems]
    return {
        _FOLDER / "index.html": page.page(systems).encode(),
        _FOLDER / "summary.md": comment.comment(systems).encode(),
    }


if __name__ == "__main__":
    command.run_for_all(report, "Report on all systems.")
