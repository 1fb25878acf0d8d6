"""What `dvc plots` draws: a file for all systems, so that a new one needs no line in dvc.yaml."""

import csv
import io
from collections.abc import Sequence

from stages import point
from stages.paths import plot_path
from stages.report.evidence import Evidence

_TRAINING = ("system", "step", "loss", "accuracy")


def training(systems: Sequence[Evidence]) -> bytes:
    """The course of the training of each network as CSV; accuracy is empty where there is none.

    Not of what was fitted in one step.
    """
    file = io.StringIO()
    rows = csv.DictWriter(file, _TRAINING, restval="", extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    for each in systems:
        path = plot_path(each.name, "training.csv")
        steps = [*csv.DictReader(path.read_text(encoding="utf-8").splitlines())]
        if len(steps) > 1:
            rows.writerows({"system": each.name, **step} for step in steps)
    return file.getvalue().encode()


def sweep(systems: Sequence[Evidence]) -> bytes:
    """The points of every sweep as CSV, of each system as `stages.point` writes them."""
    head = point.dump("", ())
    return head + b"".join(
        point.dump(each.name, each.sweep).removeprefix(head) for each in systems if each.sweep
    )
