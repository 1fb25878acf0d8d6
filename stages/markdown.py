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


def fold(title: str, content: str) -> str:
    """Markdown that a reader opens by a click on its title, which is Markdown too."""
    return f"<details><summary>{title}</summary>\n\n{content.strip()}\n\n</details>\n"


def unfolded(content: str) -> tuple[str, list[tuple[str, str]]]:
    """What stands before the first fold; and title and content of each, as `fold` took them."""
    folds = re.findall(
        r"^<details><summary>(.*?)</summary>\n\n(.*?)\n\n</details>$",
        content,
        re.DOTALL | re.MULTILINE,
    )
    return content.partition("<details>")[0], folds


def tight(content: str) -> str:
    """Markdown in which no table is aligned any more: a third of its characters are padding."""
    lines = content.splitlines(keepends=True)
    return "".join(
        re.sub("-{4,}", "---", re.sub(" {2,}", " ", line)) if line.startswith("|") else line
        for line in lines
    )
