"""What users look for first: the smallest width that may replace float, and all systems at once."""

from collections.abc import Sequence

from stages.report.evidence import Evidence
from stages.tasks import family


def smallest_width(evidence: Evidence) -> str:
    """The smallest width in a sentence, from the sweep with the rounding of the system.

    See `stages.tasks.family`. Empty where there was no sweep of it.

    Raises:
        OctetError: a number is missing; it is named.
    """
    points = {each.bits: each for each in evidence.sweep if each.rounding == evidence.rounding}
    if not points:
        return ""
    shown = [(bits, bool(point.non_inferior)) for bits, point in points.items()]
    smallest = family.smallest_width(shown)
    if smallest is None:
        return f"{max(points)} bits, the most that were tried, are not shown to be enough"
    payload = points[smallest].payload
    share = payload / evidence.metrics.number("size.float_payload")
    return f"{smallest} bits are enough: {100 * share:.0f} % of the bytes of weights and scales"


def together(systems: Sequence[Evidence]) -> str:
    """Of which systems "may replace" can be said in one breath, by Holm's procedure.

    Raises:
        OctetError: a number is missing; it is named.
    """
    p_values = {each.name: each.metrics.number("verdict.p_inferior") for each in systems}
    said = family.holm(p_values)
    names = [each.name for each in systems if each.name in said]
    if len(names) == len(systems):
        which = f"all {len(names)} of them" if len(names) > 1 else "it"
    else:
        which = ", ".join(names) or "none"
    return (
        f"Each system errs by itself at most 2.5 % of the time. That the scores of several stay "
        f"within their margins, with at most 2.5 % for any error among them (Holm), is shown of "
        f"{which}."
    )
