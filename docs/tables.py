"""python -m docs.tables: writes the tables of docs/figures.yaml into docs/figures.md."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stages import markdown

FOLDER = Path(__file__).parent
PAGE = FOLDER / "figures.md"
PROMISED: dict[str, Any] = yaml.safe_load((FOLDER / "figures.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Experiment:
    """A command, and the figures that it gives for one system.

    Attributes:
        group: of the experiments that are shown in one table.
        name: as DVC knows it.
        setting: what it tries, in words.
        figures: by their key in metrics/<system>.json, such as ``quantized.r2``; text, for the
            value is promised to as many digits as are written.
    """

    group: str
    name: str
    setting: str
    command: str
    system: str
    figures: dict[str, str]


def experiments() -> Iterator[Experiment]:
    """Every experiment of docs/figures.yaml, once for each system that it has figures of."""
    for group, by_name in PROMISED["experiments"].items():
        for name, entry in by_name.items():
            for system, figures in entry["figures"].items():
                yield Experiment(group, name, entry["setting"], entry["command"], system, figures)


def table(group: str) -> str:
    """The experiments of one group as Markdown: a row for each, or where they are few, a column."""
    shown = [experiment for experiment in experiments() if experiment.group == group]
    keys = list(dict.fromkeys(key for experiment in shown for key in experiment.figures))
    columns = [
        [experiment.name, experiment.system, *(experiment.figures.get(key, "") for key in keys)]
        for experiment in shown
    ]
    head = ["experiment", "system", *keys]
    if len(columns) > len(keys):
        return markdown.table(head, columns)
    (first, *names), *rows = zip(head, *columns, strict=True)
    return markdown.table([first, *names], rows)


def commands(group: str) -> str:
    """The commands of one group, each below what it tries."""
    tried = {e.command: e.setting for e in experiments() if e.group == group}
    return "".join(f"# {setting}\n{command}\n" for command, setting in tried.items())


def filled(page: str) -> str:
    """The page with its tables and commands as docs/figures.yaml has them now.

    Each stands between ``<!-- table GROUP -->``, or ``commands``, and ``<!-- end -->``.
    """
    for group in PROMISED["experiments"]:
        page = between(page, f"<!-- table {group} -->", table(group))
        page = between(page, f"<!-- commands {group} -->", f"```sh\n{commands(group)}```\n")
    return page


def between(page: str, mark: str, text: str) -> str:
    """The page with this text between a mark and the next ``<!-- end -->``."""
    before, found, rest = page.partition(f"{mark}\n")
    _, end, after = rest.partition("<!-- end -->\n")
    if not (found and end):
        raise ValueError(f"no {mark} … <!-- end -->")
    return f"{before}{mark}\n\n{text}\n<!-- end -->\n{after}"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
