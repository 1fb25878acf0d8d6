"""What users look for first: may it replace the float one, at how many bytes, at which width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.report import verdicts
from stages.report.evidence import Evidence
from stages.report.verdicts import Verdict
from stages.tasks import family
from stages.tasks.task import Claim

# What the picture of the answer shows, in margins: what is beyond is an arrow at its edge.
_FROM, _TO = -1.25, 2.25


@dataclass(frozen=True)
class Span:
    """An interval against its margin, as the picture of the answer shows it.

    Attributes:
        what: it is of, with what is allowed.
        low, high, value: places from left to right, 0 to 100; value is None where it is beyond.
        cut: whether it reaches beyond the left edge, and beyond the right one.
        words: for those who do not see it.
    """

    what: str
    low: float
    high: float
    value: float | None
    cut: tuple[bool, bool]
    words: str


@dataclass(frozen=True)
class Answer:
    """What there is to say of one system at a glance.

    Attributes:
        spans: one for each thing that the verdict must show.
        model: the quantized model, in a few words.
        share: its bytes of weights and scales, in percent of those of the float model.
        smallest: the same of the smallest width that may replace float, with its bits; or None.
        smallest_width: that in words.
    """

    name: str
    verdict: Verdict
    spans: Sequence[Span]
    model: str
    share: float
    smallest: tuple[int, float] | None
    smallest_width: str


def answer(evidence: Evidence) -> Answer:
    """The answer for one system.

    Raises:
        OctetError: a number is missing; it is named.
    """
    payload, whole = evidence.metrics.numbers("size.quantized_payload", "size.float_payload")
    return Answer(
        evidence.name,
        verdicts.judge(evidence),
        [_span(evidence, claim) for claim in evidence.kind.task.claims(evidence.gates)],
        verdicts.model_name(evidence.quantized),
        100 * payload / whole,
        _smallest(evidence),
        smallest_width(evidence),
    )


def place(margins: float) -> float:
    """From left to right, 0 to 100: where the picture of the answer shows so many margins."""
    return round(100 * (min(max(margins, _FROM), _TO) - _FROM) / (_TO - _FROM), 1)


def _span(evidence: Evidence, claim: Claim) -> Span:
    numbers = dict(
        zip(
            claim.keys,
            evidence.metrics.numbers(*(f"verdict.{key}" for key in claim.keys)),
            strict=True,
        )
    )
    low, value, high = claim.used(numbers, verdicts.change(evidence))
    got, _ = claim.judge(numbers)
    return Span(
        f"{claim.what}, {claim.allowed}",
        place(low),
        place(high),
        place(value) if _FROM <= value <= _TO else None,
        (low < _FROM, high > _TO),
        f"{got}; allowed is {claim.allowed}: {value:.2f} of the margin, at most {high:.2f} of it.",
    )


def smallest_width(evidence: Evidence) -> str:
    """The smallest width in a sentence, from the sweep with the rounding of the system.

    See `stages.tasks.family`. Empty where there was no sweep of it.

    Raises:
        OctetError: a number is missing; it is named.
    """
    tried = [each.bits for each in evidence.sweep if each.rounding == evidence.rounding]
    if not tried:
        return ""
    if (smallest := _smallest(evidence)) is None:
        return f"{max(tried)} bits, the most that were tried, are not shown to be enough"
    bits, share = smallest
    return f"{bits} bits are enough: {share:.0f} % of the bytes of weights and scales"


def _smallest(evidence: Evidence) -> tuple[int, float] | None:
    points = {each.bits: each for each in evidence.sweep if each.rounding == evidence.rounding}
    bits = family.smallest_width((bits, bool(each.non_inferior)) for bits, each in points.items())
    if bits is None:
        return None
    return bits, 100 * points[bits].payload / evidence.metrics.number("size.float_payload")


def together(systems: Sequence[Evidence]) -> str:
    """Of which systems "may replace" can be said in one breath, by Holm's procedure.

    Nothing is said of what was left float.

    Raises:
        OctetError: a number is missing; it is named.
    """
    judged = [each for each in systems if verdicts.model_name(each.quantized) != verdicts.FLOAT]
    if not judged:
        return ""
    p_values = {each.name: each.metrics.number("verdict.p_inferior") for each in judged}
    said = family.holm(p_values)
    names = [each.name for each in judged if each.name in said]
    if len(names) == len(judged):
        which = f"all {len(names)} of them" if len(names) > 1 else "it"
    else:
        which = ", ".join(names) or "none"
    return (
        f"Each system errs by itself at most 2.5 % of the time. That the scores of several stay "
        f"within their margins, with at most 2.5 % for any error among them (Holm), is shown of "
        f"{which}."
    )


def left_out(missing: Mapping[str, Path]) -> str:
    """A sentence on the systems that are not there, with the file that each lacks; or nothing."""
    if not missing:
        return ""
    each = ", ".join(f"{name} ({path})" for name, path in missing.items())
    first = next(iter(missing))
    return f"Not in this report, for want of a file: {each}. `dvc repro evaluate@{first}` makes it."
