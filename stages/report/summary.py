"""report/summary.md, which a pull request's comment begins with: the answers, then all tables."""

from collections.abc import Sequence

from stages import markdown
from stages.report import answers, tables, verdicts
from stages.report.evidence import Evidence

_TITLE = "# May the quantized model replace the float one?\n"
_COLUMNS = (
    "system",
    "answer",
    "change (95 % interval)",
    "model",
    "bytes of weights",
    "smallest width",
)


def as_markdown(systems: Sequence[Evidence]) -> str:
    """A row for each system, why those fail that do, and the rest folded; errors as `page.page`."""
    sentences = {each.name: verdicts.judge(each) for each in systems}
    failing = {name: verdict for name, verdict in sentences.items() if verdict.kind != "yes"}
    parts = [_TITLE, markdown.table(_COLUMNS, [_row(each) for each in systems])]
    together = answers.together(systems)
    parts += [_listed(failing), together and f"{together}\n"]
    parts.append(markdown.fold("Each system in a sentence", _sentences(systems, sentences)))
    parts += [
        markdown.fold(
            table.caption,
            markdown.table(table.columns, [[cell.text for cell in row] for row in table.rows]),
        )
        for table in tables.overview(systems)
    ]
    return "\n".join(filter(None, parts))


def _row(evidence: Evidence) -> list[str]:
    number, judged = evidence.metrics.number, evidence.kind.task.judged
    low, high = (100 * number(f"verdict.{key}") for key in ("low", "high"))
    payload, whole = evidence.metrics.numbers("size.quantized_payload", "size.float_payload")
    return [
        evidence.name,
        verdicts.judge(evidence).short,
        f"{judged.name} {100 * verdicts.change(evidence):+.2f} {judged.unit} "
        f"({low:+.2f} … {high:+.2f})",
        verdicts.model_name(evidence.quantized),
        f"{payload:,.0f} of {whole:,.0f}, {100 * payload / whole:.0f} %",
        answers.smallest_width(evidence).partition(" of ")[0],
    ]


def _sentences(systems: Sequence[Evidence], judged: dict[str, verdicts.Verdict]) -> str:
    widths = [(each.name, answers.smallest_width(each)) for each in systems]
    smallest = "".join(f"- **{name}**: {answer}.\n" for name, answer in widths if answer)
    return f"{smallest}\n{_listed(judged)}"


def _listed(judged: dict[str, verdicts.Verdict]) -> str:
    return "".join(
        f"- **{name}**: {markdown.text(verdict.sentence)}\n" for name, verdict in judged.items()
    )
