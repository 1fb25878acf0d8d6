"""Tables as Markdown, aligned for terminals; names in them cannot become anything but text."""

import html
import re
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of cells, every column as wide as its widest cell."""
    cells = [list(map(text, row)) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    lines = [" | ".join(map(str.ljust, row, widths)) for row in cells]
    return "".join(f"| {line} |\n" for line in lines)


def text(value: str) -> str:
    """The value on one line, with what Markdown, HTML or a terminal would act on made harmless."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(value.split()))
    plain = html.escape(line, quote=False)
    return re.sub(r"([\\`*~\[\]|@]|_(?=\W|$)|(?<!\w)_)", r"\\\1", plain)
