"""What a change could look like, as bets on the cell of the reference sample that a row falls into.

The cells cut the ranks of the reference: where nothing has changed, cell j has probability gaps[j]
/ Σ gaps, whatever is measured. A bet is a factor for each cell, that says how much more often rows
would be there. Ranks are read as those of a normal distribution, so a shift by half a deviation is
one whatever the column's unit and shape.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from octet.affine import Array

# Cells alike, and the gaps in each at least: where rows are few, a cell costs more than it tells.
_EQUAL_CELLS = 32
_LEAST_GAPS = 8
_SHIFTS = (0.1, 0.2, 0.4, 0.8, 1.6)
_SCALES = (0.5, 0.75, 1.33, 2.0)
# What of the ranks becomes more frequent: eighths, from each sixteenth on; and by how much.
_PARTS = 8
_SURGE = 2.0
# The ends of the ranks, of this share or of one gap, and by how much they become more frequent:
# what was missing, unknown, clipped, wrong or out of range in a few reference rows, or in none.
_ENDS = ((0.0, (2**3, 2**6, 2**9, 2**12, 2**15)), *((2.0**-k, (1.7, 4.0)) for k in range(3, 11)))
# Rows that a bet leaves as they were: one that it did not foresee must not ruin it.
_UNCHANGED = 0.05
# The shares of the kinds of bets.
_SHARES = {"shift": 0.4, "scale": 0.1, "end": 0.2, "lost": 0.1, "surge": 0.2}
# Factors are multiples of it, so that sums of them are exact, and the same in whatever order.
_GRAIN = 2.0**20
_LOG_GRAIN = 2.0**40


@dataclass(frozen=True)
class Bets:
    """The bets of one stream.

    Attributes:
        factors: h, (bets, cells), not yet normalized.
        logs: ln h, rounded down, (bets, cells).
        shares: of the capital, (bets,), of sum one.
    """

    factors: Array
    logs: Array
    shares: Array


def cells(rows: int) -> npt.NDArray[np.int64]:
    """How many of the rows + 1 gaps between the ranks of the reference lie in each cell.

    It depends on the number of rows and on nothing else of them: else no level could be promised.
    Cells are alike, but at either end, where they become as small as one gap: it holds what the
    reference has not.
    """
    gaps = rows + 1
    width = max(gaps // _EQUAL_CELLS, _LEAST_GAPS)
    end = [2**i for i in range(64) if 2 ** (i + 1) <= width and 2 ** (i + 2) - 2 < gaps]
    middle = gaps - 2 * sum(end)
    parts = max(middle // width, 1)
    edges = np.arange(parts + 1) * middle // parts
    return np.concatenate([end, np.diff(edges), end[::-1]]).astype(np.int64)


def bets(gaps: npt.NDArray[np.int64]) -> Bets:
    """The bets on these cells."""
    ranks = np.concatenate([[0], np.cumsum(gaps)]) / np.sum(gaps)
    kinds = {
        "shift": [_normal(ranks, sign * by, 1.0) for by in _SHIFTS for sign in (1, -1)],
        "scale": [_normal(ranks, 0.0, by) for by in _SCALES],
        "end": [_more(ranks, lo, hi, by) for lo, hi, by in _ends(ranks)],
        "lost": [_more(ranks, i / _PARTS, (i + 1) / _PARTS, 0.3) for i in range(_PARTS)],
        "surge": [
            _more(ranks, i / (2 * _PARTS), (i + 2) / (2 * _PARTS), _SURGE)
            for i in range(2 * _PARTS - 1)
        ],
    }
    factors = np.array([factor for kind in kinds.values() for factor in kind])
    factors = np.ceil(factors * _GRAIN) / _GRAIN
    shares = [_SHARES[kind] / len(each) for kind, each in kinds.items() for _ in each]
    logs = np.floor(np.log(factors) * _LOG_GRAIN) / _LOG_GRAIN
    return Bets(factors, logs, np.array(shares) / np.sum(shares))


def _normal(ranks: Array, shift: float, scale: float) -> Array:
    """Of each cell, its probability under another normal distribution over its own."""
    standard, other = NormalDist(), NormalDist(shift, scale)
    inner = [other.cdf(standard.inv_cdf(rank)) for rank in ranks[1:-1]]
    odds = np.diff([0.0, *inner, 1.0]) / np.diff(ranks)
    return np.asarray((1 - _UNCHANGED) * odds + _UNCHANGED)


def _more(ranks: Array, lo: float, hi: float, by: float) -> Array:
    """A factor for the ranks from lo to hi, and one elsewhere; in between where they cut a cell."""
    inside = np.clip(ranks[1:], lo, hi) - np.clip(ranks[:-1], lo, hi)
    return np.asarray(1 + (by - 1) * inside / np.diff(ranks))


def _ends(ranks: Array) -> list[tuple[float, float, float]]:
    """Lowest rank, highest, and factor of the bets on the ends. One gap is the least there is."""
    first, last = float(ranks[1]), float(ranks[-2])
    ends = [
        [(0.0, max(share, first), by), (min(1 - share, last), 1.0, by)]
        for share, surges in _ENDS
        for by in surges
    ]
    return [end for pair in ends for end in pair]
