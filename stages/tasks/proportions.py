"""The change of a share on the same rows: exact interval, p-values, and the rows it takes.

A model is right or wrong in each of n rows, and so is another. What tells them apart is the rows
that flip: b gained and c lost, trinomial with chances g and l. Asked is the change δ = g - l;
how often rows flip at all, π = g + l, is a nuisance. Everything here is one-sided at α = 2.5 %
for either end, and exact: whatever g and l are, an end misses δ at most that often.

1. An outcome is the more evidence of a high δ, the higher the lower end t of Tango's score interval
   (1998) is for it. At change d, with q the chance of a loss that fits best there,

       z(d) = (b - c - n d) / √(n (2 q + d (1 - d))),
       q = (B + √(B² + 8 n c d (1 - d))) / 4n,  B = b + c + d (b - c) - 2 n d,

   falls in d, and z(t) = z₀.₉₇₅. As much evidence as (b, c) give thus all (b', c') whose z(t) is
   not below z₀.₉₇₅: for each c' all b' from some threshold on.
2. Were π known, the p-value of "δ ≤ d" would be P(b' ≥ threshold(c')) at g = (π + d) / 2 and
   l = (π - d) / 2, a sum over c' of a binomial chance times a binomial tail. It rises with d.
3. π is not known. By Berger and Boos (1994) the largest p-value over an interval that misses π at
   most a share β = 10⁻⁴ of the time, here of Clopper and Pearson from b + c, plus β, is a p-value.
   Where d > π, which cannot be, d = π stands for it: so the p-value rises with d throughout.
4. The lower end is the largest d of a grid whose p-value is at most α. The grid has no point at
   0, and the p-value of "no change" is that of the grid's points beside it: so 0 is outside of the
   interval just where that p-value is at most 2 α. The upper end is that of b and c exchanged.

docs/statistics.md has this measured beside others.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv, gammaln, ndtri, xlog1py, xlogy

from octet.affine import Array
from stages.tasks.level import ALPHA, MOST_ROWS, POWER, two_digits_up

_NUISANCE = 1e-4
_Z = float(ndtri(1 - ALPHA))
# Changes are looked for at odd multiples of this.
_HALF_STEP = 2.0**-23
_SCORE_STEPS = 40
# Of the standard deviation of b + c: so fine is the grid of π.
_PI_STEP = 0.5
# Beyond, the score test has the power of the normal distribution to a percent.
_MANY_FLIPS = 2000
# Chances below are taken for 0.
_NEGLIGIBLE = 1e-15

Counts = npt.NDArray[np.float64]


def interval(rows: int, gained: int, lost: int) -> tuple[float, float]:
    """The interval of the change of the share, of 95 %: both ends miss at most 2.5 % of the time.

    Args:
        rows: n, at least 1.
        gained, lost: rows that only the second, or only the first model has right.
    """
    return _lower(rows, gained, lost), -_lower(rows, lost, gained)


def p_no_change(rows: int, gained: int, lost: int) -> float:
    """The two-sided p-value of "the share does not change"; arguments as `interval`.

    At most 5 % just where 0 is outside of `interval`.
    """
    return min(
        1.0, 2 * min(p_inferior(rows, *pair, 0.0) for pair in ((gained, lost), (lost, gained)))
    )


def p_inferior(rows: int, gained: int, lost: int, margin: float) -> float:
    """The one-sided p-value of "the share falls by the margin or more"; the rest as `interval`.

    At most 2.5 % just where the lower end of `interval` is not below minus the margin.
    """
    # Of the next point of the grid.
    step = math.ceil((-margin / _HALF_STEP - 1) / 2)
    return _Evidence(rows, gained, lost).p_value((2 * step + 1) * _HALF_STEP)


def rows_needed(rows: int, flips: int, margin: float) -> int:
    """How many rows show, four times in five, that a share does not fall by more than a margin.

    For a model that neither gains nor loses, and flips as large a share of the rows as was seen,
    one flip more counted: what has not happened yet may. Of many flips, (z₀.₉₇₅ + z₀.₈)² times
    their share / margin² rows; of few, as many as give the score test (step 1 above, at
    d = -margin) that power. Rounded up to two digits.

    Args:
        rows: how many were seen.
        flips: how many of them flipped, either way.
        margin: the decrease that is allowed, as a fraction of the rows.
    """
    share = min(1.0, (flips + 1) / (rows + 1))
    normal = share * ((_Z + float(ndtri(POWER))) / margin) ** 2
    if normal * share > _MANY_FLIPS:
        return two_digits_up(min(normal, MOST_ROWS))
    short, enough = 0, 1
    while _power(enough, share, margin) < POWER:
        short, enough = enough, 2 * enough
    while enough - short > 1:
        middle = (short + enough) // 2
        if _power(middle, share, margin) < POWER:
            short = middle
        else:
            enough = middle
    return two_digits_up(enough)


def _lower(rows: int, gained: int, lost: int) -> float:
    """Step 4, by interpolation of the p-values' normal quantiles: which way is one grid point."""
    evidence = _Evidence(rows, gained, lost)
    last = round(0.5 / _HALF_STEP)
    rejected, kept = -last - 1, last  # of these two, and all that is beyond, it is known
    height = {rejected: float(ndtri(_NUISANCE)), kept: float(ndtri(1 - _NUISANCE))}
    turn = 0
    while kept - rejected > 1:
        rise = height[kept] - height[rejected]
        share = 0.5 if turn % 3 == 2 or rise <= 0 else (-_Z - height[rejected]) / rise
        step = round(share * (kept - rejected))
        middle = rejected + min(max(step, 1), kept - rejected - 1)
        p_value = evidence.p_value((2 * middle + 1) * _HALF_STEP)
        height[middle] = float(ndtri(min(p_value, 1 - _NUISANCE)))
        if p_value <= ALPHA:
            rejected = middle
        else:
            kept = middle
        turn += 1
    return max(-1.0, (2 * rejected + 1) * _HALF_STEP)


class _Evidence:
    """All outcomes that are as much evidence of a high change as the one that was seen."""

    def __init__(self, rows: int, gained: int, lost: int) -> None:
        """Take the thresholds, step 1, of all losses that step 3 can come upon."""
        self._rows = rows
        self._flips = _flip_shares(rows, gained + lost)
        _, most = _likely(rows, self._flips)
        self._least = _least_gained(
            rows, np.arange(most + 1, dtype=np.float64), _score_lower(rows, gained, lost)
        )
        if lost < len(self._least):  # the outcome itself, whatever was rounded
            self._least[lost] = min(self._least[lost], gained)

    def p_value(self, change: float) -> float:
        """Of "the share changes by this or less", steps 2 and 3."""
        if self._flips[-1] < -change:
            return _NUISANCE
        flips = np.maximum(self._flips, -change)
        flips = flips[max(0, int(np.sum(self._flips < -change)) - 1) :]
        chances = _chances(self._rows, self._least, flips, np.minimum(flips, change))
        return min(1.0, _NUISANCE + float(np.max(chances)))


def _chances(rows: int, least: Counts, flips: Array, changes: Array) -> Array:
    """The chance of at least so many gains, for each pair of π and δ.

    Args:
        rows: n.
        least: how many gains it takes with 0, 1, 2, … losses.
        flips, changes: π and δ, ``(pairs,)``.
    """
    loss = np.maximum((flips - changes) / 2, 0.0)
    gain = np.maximum((flips + changes) / 2, 0.0)
    first, last = _likely(rows, loss)
    lost = np.arange(first, min(last, len(least) - 1) + 1, dtype=np.float64)
    logarithms = (
        gammaln(rows + 1)
        - gammaln(lost + 1)
        - gammaln(rows - lost + 1)
        + xlogy(lost, loss[:, None])
        + xlog1py(rows - lost, -loss[:, None])
    )
    chance = np.exp(logarithms)
    pair, column = np.nonzero(chance > _NEGLIGIBLE)
    others = rows - lost[column]
    needed = least[first + column]
    among_others = np.minimum(gain / np.maximum(1 - loss, np.finfo(np.float64).tiny), 1.0)[pair]
    # A binomial tail is an incomplete beta function.
    tail = betainc(np.maximum(needed, 1), np.maximum(others - needed + 1, 1), among_others)
    tail = np.where(needed <= 0, 1.0, np.where(needed > others, 0.0, tail))
    return np.asarray(np.bincount(pair, chance[pair, column] * tail, len(flips)), np.float64)


def _likely(rows: int, chances: Array) -> tuple[int, int]:
    """From where to where a binomial count can be with any of these chances, but for 10⁻¹¹."""
    ends = []
    for chance, sign in ((float(np.min(chances)), -1), (float(np.max(chances)), 1)):
        mean = rows * chance
        ends.append(mean + sign * (7 * math.sqrt(mean * (1 - chance)) + 20))
    return max(0, math.floor(ends[0])), min(rows, math.ceil(ends[1]))


def _flip_shares(rows: int, flips: int) -> Array:
    """A grid of π over the interval of Clopper and Pearson that misses it β of the time."""
    low = betaincinv(flips, rows - flips + 1, _NUISANCE / 2) if flips else 0.0
    high = betaincinv(flips + 1, rows - flips, 1 - _NUISANCE / 2) if flips < rows else 1.0
    # On this scale the standard deviation is 1 / (2 √n) everywhere.
    first, last = math.asin(math.sqrt(low)), math.asin(math.sqrt(high))
    steps = math.ceil((last - first) * 2 * math.sqrt(rows) / _PI_STEP)
    return np.asarray(np.sin(np.linspace(first, last, steps + 1)) ** 2)


def _score(rows: int, gained: Counts, lost: Counts, change: float) -> Counts:
    """z(d) of step 1; arguments broadcast."""
    linear = gained + lost + change * (gained - lost) - 2 * rows * change
    root = np.sqrt(np.maximum(linear**2 + 8 * rows * lost * change * (1 - change), 0.0))
    loss = (linear + root) / (4 * rows)
    variance = rows * np.maximum(2 * loss + change * (1 - change), 0.0)
    excess = gained - lost - rows * change
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(excess == 0, 0.0, excess / np.sqrt(variance)))


def _score_lower(rows: int, gained: int, lost: int) -> float:
    """The t of step 1, rounded down to a grid."""
    low, step = -1.0, 1.0
    counts = np.array(gained, np.float64), np.array(lost, np.float64)
    for _ in range(_SCORE_STEPS):
        if low + step < 1 and _score(rows, *counts, low + step) >= _Z:
            low += step
        step /= 2
    return low


def _least_gained(rows: int, lost: Counts, change: float) -> Counts:
    """The fewest gains with which z(change) reaches z₀.₉₇₅; one more than there can be if none."""
    below, enough = np.full(len(lost), -1.0), rows - lost + 1
    while np.any(enough - below > 1):
        middle = np.floor((below + enough) / 2)
        reached = _score(rows, middle, lost, change) >= _Z
        between = enough - below > 1
        enough = np.where(between & reached, middle, enough)
        below = np.where(between & ~reached, middle, below)
    return np.asarray(enough)


def _power(rows: int, share: float, margin: float) -> float:
    """How often the score test shows it, for a model that gains and loses alike."""
    flips = np.array([share])
    _, most = _likely(rows, flips / 2)
    least = _least_gained(rows, np.arange(most + 1, dtype=np.float64), -margin)
    return float(_chances(rows, least, flips, np.zeros(1))[0])
