"""The change of the mean squared error on the same rows, and whether its rows can tell of it.

Of n rows with squared errors a (float) and b (quantized), asked is R = Σb / Σa - 1.

1. Row i moves R by d / n, where d = (b - (1 + R) a) / mean(a): the delta method. The d are 0 on
   average; their mean square v gives the standard error s = √(v / (n - 1)).
2. The interval is R ± s (t + k (1 + 2 t²)), where t is Student's quantile of n - 1 degrees and
   k = g / 6√n, of the skewness g of the d: the first term of Edgeworth's series for a studentized
   mean (Hall, The Bootstrap and Edgeworth Expansion, 1992, 2.4). It only ever widens: at the end
   where it would shorten, k is 0.
3. No interval of a mean is honest whatever the tails (Bahadur and Savage, 1956): a row that is rare
   and large enough is missing from most samples. What can be asked is whether the rows at hold
   look like tails of that kind. v is as if of m = (Σd²)² / Σd⁴ rows that count alike, the
   participation ratio, or n over the kurtosis. If d has a fourth moment, m grows like n; if not
   even a variance, m stays about where it is. Asked are m ≥ 1.5 √n: of a table that has more of a
   tail than its n can tell, few test sets pass, and what passes and is wrong is at most 2.5 %
   of all. docs/statistics.md has the simulations, and what each interval misses without it.
4. One row shall not decide: everything is judged with and without the row that moves R most.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from octet.affine import Array
from octet.errors import OctetError
from stages.tasks.level import ALPHA, MOST_ROWS, POWER, two_digits_up

_TAILS = 1.5
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Change:
    """The relative change of the mean squared error.

    Attributes:
        rows: n.
        value: R.
        error: its standard error, s.
        skewness: g.
        effective_rows: m.
    """

    rows: int
    value: float
    error: float
    skewness: float
    effective_rows: float

    @property
    def low(self) -> float:
        """The lower end of the interval, of 95 %."""
        return self.value - self._reach(-self.skewness)

    @property
    def high(self) -> float:
        """The upper end."""
        return self.value + self._reach(self.skewness)

    @property
    def heavy_tails(self) -> bool:
        """Whether there are fewer effective rows than needed."""
        return self.effective_rows < needed_effective_rows(self.rows)

    def p_inferior(self, margin: float) -> float:
        """The one-sided p-value of "it rises by the margin or more": the t whose end is there."""
        room = margin - self.value
        if self.error == 0 or room <= 0:
            return (
                float(room < 0)
                if self.error == 0
                else float(stdtr(self.rows - 1, -room / self.error))
            )
        skew = self._skew(self.skewness)
        # 2 k t² + t + k = room / s
        constant = skew - room / self.error
        t = -2 * constant / (1 + math.sqrt(max(0.0, 1 - 8 * skew * constant)))
        return float(stdtr(self.rows - 1, -t))

    def rows_needed(self, margin: float) -> int:
        """How many rows of this kind show, four times in five, no rise beyond the margin.

        For a model that does not change, (z₀.₉₇₅ + z₀.₈)² n s² / margin²; and of step 3, at this
        kurtosis. Rounded up to two digits.
        """
        deviations = float(ndtri(1 - ALPHA) + ndtri(POWER))
        for_margin = self.rows * (deviations * self.error / margin) ** 2
        for_tails = (_TAILS * self.rows / self.effective_rows) ** 2
        return two_digits_up(min(max(for_margin, for_tails, 3), MOST_ROWS))

    def _reach(self, skewness: float) -> float:
        t = float(stdtrit(self.rows - 1, 1 - ALPHA))
        return self.error * (t + self._skew(skewness) * (1 + 2 * t * t))

    def _skew(self, skewness: float) -> float:
        return max(0.0, skewness) / (6 * math.sqrt(self.rows))


@dataclass(frozen=True)
class Influence:
    """What single rows have to do with it.

    Attributes:
        row: the index of the row that moves the change most.
        without: the change without it.
        half: how many rows hold half of the variance, the largest first.
    """

    row: int
    without: Change
    half: int


def needed_effective_rows(rows: float) -> float:
    """How many effective rows of so many rows it takes for the interval to be believed, step 3."""
    return _TAILS * math.sqrt(rows)


def change(squares: Array, changed: Array) -> Change:
    """The change, and how sure it is.

    Args:
        squares, changed: squared errors before and after, ``(rows,)``.

    Raises:
        OctetError: fewer than two rows, or no error before.
    """
    rows, mean = len(squares), float(np.mean(squares))
    if rows < 2:
        raise OctetError(f"test rows: got {rows}; an interval takes at least 3")
    if mean == 0:
        raise OctetError("the float model's test error is 0; a relative change of it has no value")
    value = float(np.mean(changed)) / mean - 1
    moves = _moves(squares, changed)
    variance = float(np.mean(moves**2))
    # What differs by less than rounding does differs in nothing.
    if variance <= _ROUNDING**2 * float(np.mean(changed**2)) / mean**2:
        return Change(rows, value, 0.0, 0.0, float(rows))
    unit = moves / math.sqrt(variance)
    return Change(
        rows,
        value,
        math.sqrt(variance / (rows - 1)),
        float(np.mean(unit**3)),
        rows / float(np.mean(unit**4)),
    )


def influence(squares: Array, changed: Array) -> Influence:
    """The row that moves the change most, and how few rows hold half of the variance.

    Arguments and errors as `change`, of at least three rows.
    """
    if len(squares) < 3:
        raise OctetError(f"test rows: got {len(squares)}; an interval takes at least 3")
    left = np.sum(squares) - squares
    with np.errstate(divide="ignore", invalid="ignore"):
        without = np.where(left > 0, (np.sum(changed) - changed) / left - 1, np.inf)
    whole = np.sum(changed) / np.sum(squares) - 1 if np.sum(squares) else 0.0
    row = int(np.argmax(np.abs(without - whole)))
    shares = np.sort(_moves(squares, changed) ** 2)[::-1]
    held = np.cumsum(shares)
    half = int(np.sum(held < held[-1] / 2)) + 1
    return Influence(row, change(np.delete(squares, row), np.delete(changed, row)), half)


def _moves(squares: Array, changed: Array) -> Array:
    """The d of step 1."""
    mean = np.mean(squares)
    return np.asarray((changed - np.mean(changed) / mean * squares) / mean)
