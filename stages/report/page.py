"""The page and its Markdown twin, from templates beside this file."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from octet.signature import Images
from stages import markdown
from stages.report import figures, sheets, tables, verdicts
from stages.report.evidence import Evidence, sweep_path
from stages.report.figures import Picture
from stages.report.sheets import Confusion, Sheet
from stages.report.tables import Table
from stages.report.verdicts import Verdict

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Chapter:
    """What the page shows of one system.

    Attributes:
        sheets: contact sheets of images.
        disagreements: the first images on which the models differ, of so many in all.
        missing: what is not shown, and what to do about it.
    """

    name: str
    verdict: Verdict
    tables: Sequence[Table]
    pictures: Sequence[Picture]
    confusions: Sequence[Confusion] = ()
    sheets: Sequence[Sheet] = ()
    disagreements: Sequence[Sheet] = ()
    disagreeing: int = 0
    of_images: bool = False
    missing: Sequence[str] = ()


def page(systems: Sequence[Evidence]) -> str:
    """One self-contained page of HTML: it loads nothing, and its own policy forbids it to.

    Raises:
        OctetError: a figure is missing; it is named.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    script, style = ((_FOLDER / name).read_text("utf-8") for name in ("page.js", "page.css"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template("page.html").render(
        chapters=[_chapter(each, f"p{i}") for i, each in enumerate(systems)],
        digest=digest,
        overview=tables.overview(systems),
        script=script,
        style=style,
    )


def summary(systems: Sequence[Evidence]) -> str:
    """Verdicts and tables as Markdown; errors as `page`."""
    verdicts_of = "".join(
        f"- **{each.name}**: {verdicts.judge(each).sentence}\n" for each in systems
    )
    parts = [
        f"**{table.caption}**\n\n"
        f"{markdown.table(table.columns, [[cell.text for cell in row] for row in table.rows])}"
        for table in tables.overview(systems)
    ]
    return "\n".join(["# May the quantized model replace the float one?\n", verdicts_of, *parts])


def _chapter(evidence: Evidence, key: str) -> Chapter:
    name, data = evidence.name, evidence.data
    missing = []
    if not evidence.sweep:
        missing.append(f"{sweep_path(name)} is not there: `dvc repro sweep@{name}` makes it.")
    if not tables.activation_ranges(evidence):
        missing.append("Activations stay in float, so there are no ranges to calibrate.")
    chapter = Chapter(
        name=name,
        verdict=verdicts.judge(evidence),
        tables=[tables.layers(evidence), *([tables.sweep(evidence)] if evidence.sweep else [])],
        pictures=figures.pictures(evidence, key),
        missing=missing,
    )
    if not isinstance(data.signature.inputs, Images):
        return chapter
    shown, disagreeing = sheets.disagreements(evidence, data)
    noise = sheets.noise(data, evidence.reference)
    drawn = [sheets.views(evidence.views)] if evidence.views else []
    return replace(
        chapter,
        confusions=sheets.confusions(evidence, data),
        sheets=[*drawn, *([noise] if noise else [])],
        disagreements=shown,
        disagreeing=disagreeing,
        of_images=True,
    )
