"""Evidence that the mean of numbers from 0 to 1 is above a bound: how often two models differ, say.

**What is assumed** where nothing is wrong: whatever came before, the next number is in [0, 1] and
its expectation is at most the bound. Numbers need not be independent, nor alike; a number may be
the mean of many that depend on each other, like the share of the clipped activations of one image.

**What is promised**: P(the wealth ever reaches 1/α | nothing is wrong) ≤ α. No reference sample is
needed, and so these wealths are test supermartingales in every filtration that the numbers are
adapted to.

**How** (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024).
A bet on a mean ρ above the bound μ makes 1 + λ (x − μ) of 1, λ = (ρ − μ) / (μ (1 − μ)): not
negative, linear in x and of expectation ≤ 1 as long as that of x is ≤ μ. For x of 0 and 1 it is the
likelihood ratio of ρ to μ, the best there is.
"""

from dataclasses import dataclass, replace

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.monitor.wealth import BLOCK, Wealth, begin, play

# The means that are bet on: bound · (1 / bound)^share.
_MEANS = np.array([1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8])


@dataclass(frozen=True)
class Rate:
    """What is known of a stream of numbers from 0 to 1. Of constant size.

    Attributes:
        bound: what their mean may be, above 0 and below 1.
        rows: how many there were.
        pending: those since the last whole block, and NaN, (BLOCK,).
        wealth: the evidence.
    """

    bound: float
    rows: int
    pending: Array
    wealth: Wealth


def start(bound: float, log_alarm: float) -> Rate:
    """A stream before its first number.

    Args:
        bound: what the mean may be.
        log_alarm: ln of the wealth at which there is an alarm: wealth.needed.

    Raises:
        OctetError: the bound is not above 0 and below 1.
    """
    if not 0 < bound < 1:
        raise OctetError(f"bound {bound}: must be above 0 and below 1")
    return Rate(float(bound), 0, np.full(BLOCK, np.nan), begin(len(_MEANS), log_alarm))


def update(rate: Rate, numbers: Array) -> tuple[Rate, Array]:
    """The stream after some more numbers, (rows,). The same, to the bit, however they are cut.

    And ln of its wealth after each block that is whole by then, (blocks,).

    Raises:
        OctetError: a number is not from 0 to 1.
    """
    numbers = np.asarray(numbers, np.float64)
    if not np.all((numbers >= 0) & (numbers <= 1)):
        raise OctetError(f"numbers from {numbers.min()} to {numbers.max()}: allowed are 0 to 1")
    waiting = np.concatenate([rate.pending[: rate.rows % BLOCK], numbers])
    whole, left = np.split(waiting, [len(waiting) // BLOCK * BLOCK])
    pending = np.full(BLOCK, np.nan)
    pending[: len(left)] = left
    shares = np.full(len(_MEANS), 1 / len(_MEANS))
    factors = block_factors(whole.reshape(-1, BLOCK), rate.bound)
    wealth, logs = play(rate.wealth, shares, factors)
    return replace(rate, rows=rate.rows + len(numbers), pending=pending, wealth=wealth), logs


def block_factors(blocks: Array, bound: float) -> Array:
    """What each bet makes of 1 in each block of numbers, (blocks, rows) → (blocks, bets)."""
    slopes = (bound ** (1 - _MEANS) - bound) / (bound * (1 - bound))
    return np.asarray(np.prod(1 + slopes * (blocks[:, :, None] - bound), axis=1))
