"""Several promises at once: of systems (Holm), and of widths (fixed sequence)."""

from collections.abc import Iterable, Mapping

from stages.tasks.level import ALPHA


def holm(p_values: Mapping[str, float], alpha: float = ALPHA) -> set[str]:
    """The systems that may be said, all together, to replace their float ones.

    The smallest of k p-values is held against alpha / k, the next against alpha / (k - 1), and so
    on up to the first that is above: then the chance that any of the sentences said is wrong is at
    most alpha, however the systems depend on each other (Holm, 1979).

    Args:
        p_values: of each system, that of "it is worse than allowed".
        alpha: the chance.
    """
    said: set[str] = set()
    ordered = sorted(p_values, key=lambda name: (p_values[name], name))
    for i, name in enumerate(ordered):
        if p_values[name] * (len(ordered) - i) > alpha:
            break
        said.add(name)
    return said


def smallest_width(shown: Iterable[tuple[int, bool]]) -> int | None:
    """The smallest width that may replace float; None if not even the widest may.

    Widths are tested from the widest down, each at the full level, and the first that fails ends
    it. A wrong sentence would take that the first width which is truly worse than allowed passes,
    of which the chance is alpha: no correction is needed for as many widths as there are (Maurer,
    Hothorn and Lehmacher, 1995). A narrower width that would pass after one that failed is luck.

    Args:
        shown: widths in bits, and whether each is shown to be as good; in any order.
    """
    smallest = None
    for bits, passed in sorted(shown, reverse=True):
        if not passed:
            break
        smallest = bits
    return smallest
