"""The share of rows that got worse by more than a tolerance: what heavy tails cannot spoil.

A row got worse if the quantized model's absolute error is above the float one's by more than a
tolerance: a fraction of the float model's median error, which a few wild rows do not move. Each
row did or did not, so k of n is binomial whatever the errors are, and the upper end of Clopper and
Pearson (1934) for its share,

    u with P(at most k of n at u) = 2 %,

is below the true share at most 2 % of the time, for every n and all tails. The median is not known
either: for it stands the lower end of its interval, the j-th smallest error with
P(fewer than j of n are below the median) ≤ 0.5 %, so that at least as many rows count as do at the
true tolerance. Together that is 2.5 %, exactly, of any errors.

The mean absolute
error, the other candidate, has less of a tail than the squared one, but it has one: on California
Housing one row of 4,128 moves it by more than all of its change.
"""

import math

import numpy as np
from scipy.special import bdtr, betainc, betaincc, betaincinv

from octet.affine import Array
from stages.tasks.level import ALPHA, MOST_ROWS, POWER, two_digits_up

_MEDIAN = 0.005


def count(truth: Array, reference: Array, predicted: Array, tolerance: float) -> int:
    """How many rows got worse.

    Args:
        truth, reference, predicted: targets, float and quantized predictions, ``(rows,)``.
        tolerance: as a fraction of the float model's median absolute error.
    """
    before, after = np.abs(truth - reference), np.abs(truth - predicted)
    return int(np.sum(after - before > allowed(before, tolerance)))


def allowed(errors: Array, tolerance: float) -> float:
    """By how much the error of a row may grow, in the unit of the target.

    Args:
        errors: absolute, of the float model, ``(rows,)``.
        tolerance: as a fraction of their median.
    """
    return tolerance * _median_at_least(errors)


def high(rows: int, worse: int) -> float:
    """The upper end of the share of rows that get worse, exceeded at most 2.5 % of the time."""
    level = 1 - (ALPHA - _MEDIAN)
    return 1.0 if worse >= rows else float(betaincinv(worse + 1, rows - worse, level))


def p_inferior(rows: int, worse: int, margin: float) -> float:
    """The one-sided p-value of "at least this share of rows gets worse".

    At most 2.5 % just where `high` is at most the margin.
    """
    if worse >= rows:
        return 1.0
    return min(1.0, _MEDIAN + float(betaincc(worse + 1, rows - worse, margin)))


def _median_at_least(errors: Array) -> float:
    """The lower end of an interval of the median, above it at most 0.5 % of the time.

    0 of fewer than eight errors, of which none is surely below the median.
    """
    ranks = np.arange(len(errors))
    surely = int(np.sum(bdtr(ranks.astype(np.float64), len(errors), 0.5) <= _MEDIAN))
    return float(np.sort(errors)[surely - 1]) if surely else 0.0


def rows_needed(rows: int, worse: int, margin: float) -> int:
    """How many rows show, four times in five, that no larger share gets worse than the margin.

    Of a model that makes as large a share worse as was seen; with none seen, of one that makes
    none worse. Rounded up to two digits; 10⁹ where no number would do.
    """
    share = worse / rows
    if share >= margin:
        return MOST_ROWS
    most = 0
    # The fewest rows that show it with at most so many worse; the power rises with them.
    while True:
        enough = _fewest(most, margin)
        if enough >= MOST_ROWS or 1 - betainc(most + 1, enough - most, share) >= POWER:
            return two_digits_up(min(enough, MOST_ROWS))
        most = max(most + 1, math.ceil(most * 1.05))


def _fewest(worse: int, margin: float) -> int:
    """The fewest rows of which so many worse show a share below the margin."""
    short, enough = worse, worse + 1
    while enough < MOST_ROWS and p_inferior(enough, worse, margin) > ALPHA:
        short, enough = enough, 2 * enough
    while enough - short > 1:
        middle = (short + enough) // 2
        if p_inferior(middle, worse, margin) > ALPHA:
            short = middle
        else:
            enough = middle
    return enough
