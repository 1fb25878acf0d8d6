"""How often a model that is exactly at the margin passes: every outcome, every rate of flips."""

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from octet.affine import Array
from stages.tasks import proportions
from stages.tasks.level import ALPHA

_REST = 1e-7


def least_gained(rows: int, margin: float, lost: npt.NDArray[np.int_]) -> npt.NDArray[np.int_]:
    """The fewest gains with which so many losses pass; more than there can be if none.

    It rises with the losses (a test of its own says so), so one walk along the edge finds all.
    """

    def passes(gained: int, losses: int) -> bool:
        return proportions.p_inferior(rows, gained, losses, margin) <= ALPHA

    below, enough = -1, rows - int(lost[0]) + 1
    while enough - below > 1:
        middle = (below + enough) // 2
        below, enough = (below, middle) if passes(middle, int(lost[0])) else (middle, enough)
    least = []
    for losses in lost.tolist():
        while enough <= rows - losses and not passes(enough, losses):
            enough += 1
        least.append(enough)
    return np.array(least)


def largest_size(rows: int, margin: float, most_flips: float) -> float:
    """The largest chance to pass of any model that loses a share of exactly the margin more.

    Args:
        rows: n.
        margin: the share.
        most_flips: rates of flips are tried from the margin to this.
    """
    spread = np.linspace(np.arcsin(np.sqrt(margin)), np.arcsin(np.sqrt(most_flips)), 120)
    flips: Array = np.sin(spread) ** 2
    first = int(binom.ppf(_REST, rows, margin))
    last = int(binom.isf(_REST, rows, min(1.0, (most_flips + margin) / 2)))
    lost = np.arange(first, last + 1)
    least = least_gained(rows, margin, lost)
    gain, loss = np.maximum(flips - margin, 0) / 2, np.minimum((flips + margin) / 2, 1)
    chance = binom.pmf(lost[:, None], rows, loss)
    among_others = np.minimum(gain / np.maximum(1 - loss, 1e-300), 1)
    tail = binom.sf(least[:, None] - 1, (rows - lost)[:, None], among_others)
    return float(np.max(np.sum(chance * tail, axis=0))) + 2 * _REST
