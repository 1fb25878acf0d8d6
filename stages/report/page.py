"""The page, from templates beside this file."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tqdm import tqdm

from stages.report import answers, tables
from stages.report.chapter import chapter
from stages.report.evidence import Evidence

_FOLDER = Path(__file__).parent


def page(systems: Sequence[Evidence], left_out: str = "") -> str:
    """One self-contained page of HTML: it loads nothing, and its own policy forbids it to.

    Args:
        systems: those that are there.
        left_out: what is said of those that are not.

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
        chapters=[
            chapter(each, f"p{i}")
            for i, each in enumerate(tqdm(systems, "report", unit=" systems", disable=None))
        ],
        digest=digest,
        left_out=left_out,
        place=answers.place,
        overview=tables.overview(systems),
        together=answers.together(systems),
        script=script,
        style=style,
    )
