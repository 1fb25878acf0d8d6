"""The files of a report: read, and damaged."""

import contextlib
import json
from pathlib import Path

from stages.params.file import load_params
from stages.report import evidence
from stages.report.evidence import Evidence
from tests.stages import small


def read_all() -> list[Evidence]:
    params = load_params()
    return [evidence.read(name, params) for name in small.systems()]


def read(tree: Path) -> list[Evidence]:
    with contextlib.chdir(tree):
        return read_all()


def edit(path: Path, key: str, value: object) -> None:
    """Put a figure into a file of metrics, or take it away with None."""
    content = json.loads(path.read_text())
    *groups, last = key.split(".")
    section = content
    for group in groups:
        section = section[group]
    if value is None:
        del section[last]
    else:
        section[last] = value
    path.write_text(json.dumps(content))
