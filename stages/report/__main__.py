"""python -m stages.report: what the systems came to -> report/, a page and more."""

from pathlib import Path
from typing import TYPE_CHECKING

from stages import stage as command
from stages.report import answers, evidence, page, series, summary

if TYPE_CHECKING:
    from stages.params.file import Params

_FOLDER = Path("report")


def report(params: "Params") -> dict[Path, bytes]:
    """The page, its Markdown twin, and what `dvc plots` draws, of the systems that are there."""
    systems, missing = evidence.read_all(params)
    left_out = answers.left_out(missing)
    parts = [summary.as_markdown(systems), left_out and f"{left_out}\n"]
    return {
        _FOLDER / "index.html": page.page(systems, left_out).encode(),
        _FOLDER / "summary.md": "\n".join(filter(None, parts)).encode(),
        _FOLDER / "sweep.csv": series.sweep(systems),
        _FOLDER / "training.csv": series.training(systems),
    }


if __name__ == "__main__":
    command.run_for_all(report, "Report on all systems that are there.")
