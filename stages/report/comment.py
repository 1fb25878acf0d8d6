"""The text of a pull request's comment, report/summary.md: verdicts and tables as Markdown."""

from collections.abc import Sequence

from stages import markdown
from stages.report import answers, tables, verdicts
from stages.report.evidence import Evidence

_TITLE = "# May the quantized model replace the float one?\n"


def comment(systems: Sequence[Evidence]) -> str:
    """Verdicts and tables as Markdown; errors as `page.page`."""
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
