"""The page and its Markdown twin, from templates beside this file."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages import markdown
from stages.report import answers, tables, verdicts
from stages.report.chapter import chapter
from stages.report.evidence import Evidence

_FOLDER = Path(__file__).parent
_TITLE = "# May the quantized model replace the float one?\n"


def page(systems: Sequence[Evidence]) -> str:
    """One self-contained page of HTML: it loads nothing, and its own policy forbids it to.

    Raises:
        OctetError: a number is missing; it is named.
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
        chapters=[chapter(each, f"p{i}") for i, each in enumerate(systems)],
        digest=digest,
        overview=tables.overview(systems),
        together=answers.together(systems),
        script=script,
        style=style,
    )


def summary(systems: Sequence[Evidence]) -> str:
    """Verdicts and tables as Markdown; errors as `page`."""
    widths = [(each.name, answers.smallest_width(each)) for each in systems]
    smallest = "".join(f"- **{name}**: {answer}.\n" for name, answer in widths if answer)
    verdicts_of = "".join(
        f"- **{each.name}**: {verdicts.judge(each).sentence}\n" for each in systems
    )
    together = f"{answers.together(systems)}\n"
    parts = [
        f"**{table.caption}**\n\n"
        f"{markdown.table(table.columns, [[cell.text for cell in row] for row in table.rows])}"
        for table in tables.overview(systems)
    ]
    return "\n".join(filter(None, [_TITLE, smallest, verdicts_of, together, *parts]))
