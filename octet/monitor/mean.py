"""What the mean of numbers from 0 to 1 is, with an interval that holds however often one looks.

The *confidence sequence* is that of the empirical Bernstein inequality (Howard, Ramdas, McAuliffe
and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021, theorem 4).
With x̂ a forecast of each number from those before, here their mean, with μ its expectation given
those, and V = Σ (x − x̂)²,

    exp(λ Σ (x − μ) − ψ(λ) V),   ψ(λ) = −ln(1 − λ) − λ,

is at most a test supermartingale, for each λ in [0, 1); and so for 1 − x. By Ville's inequality it
is below 2 G / α for each λ of a grid of G, at both sides, for ever, with probability 1 − α. So the
average of the expectations, which is the mean where nothing changes, stays within min over λ of
(ln(2 G / α) + ψ(λ) V) / (λ rows) of the average.
"""

import math
from dataclasses import dataclass

import numpy as np

from octet.affine import Array

_GRID = 2.0 ** -np.arange(1, 17)


@dataclass(frozen=True)
class Mean:
    """The numbers so far.

    Attributes:
        rows: how many.
        total: their sum.
        squares: V, about forecasts.
    """

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0


def update(mean: Mean, numbers: Array) -> Mean:
    """With some more numbers, (rows,). The same, to the bit, however they are cut into calls."""
    totals = np.cumsum(np.concatenate([[mean.total], numbers]))
    rows = mean.rows + np.arange(len(numbers))
    # Before the first, one half: as if half a success had been seen in one.
    forecasts = (totals[:-1] + 0.5) / (rows + 1)
    squares = np.cumsum(np.concatenate([[mean.squares], (numbers - forecasts) ** 2]))
    return Mean(mean.rows + len(numbers), float(totals[-1]), float(squares[-1]))


def interval(mean: Mean, alpha: float) -> tuple[float, float, float]:
    """The average, and two ends that hold for ever with probability 1 − alpha."""
    if not mean.rows:
        return 0.5, 0.0, 1.0
    price = math.log(2 * len(_GRID) / alpha) + (-np.log1p(-_GRID) - _GRID) * mean.squares
    radius = float(np.min(price / _GRID)) / mean.rows
    average = mean.total / mean.rows
    return average, max(average - radius, 0.0), min(average + radius, 1.0)
