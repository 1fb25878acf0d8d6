"""The wealth of a gambler who bets that something changes, and does not know when, or into what.

A *test martingale* is the wealth of a gambler who starts with 1 and can expect no gain while
nothing has changed. By Ville's inequality (1939) it then ever reaches 1/α with probability α at
most, however often one looks: P(sup M ≥ 1/α) ≤ α. Large wealth is evidence; its logarithm is what
is printed.

Here the capital is divided twice beforehand: over the bets (what the change could be) and over the
blocks of rows at which each begins to be played (when). What has not begun lies idle. With shares π
of bets, shares w of blocks, both of sum one, and factors E, what a bet makes of 1 in a block:

    capital_b = (capital_{b−1} + w_b) · E_b   of each bet,    M_b = Σ π · capital_b + Σ_{i>b} w_i

This is the Shiryaev–Roberts recursion with weights. Where E[E_b | the blocks before] ≤ 1 of each
bet, so is E[M_b | the blocks before] ≤ M_{b−1}: a mixture of wealths is one. Unweighted it has no
bound on P(ever), but on how often alarms come (Shin, Ramdas and Rinaldo, "E-detectors", 2024).

Wealth that idles cannot be lost, so a change that comes late is found as surely as an early one;
the price is 1/w, which a bet that begins there must gain as well: 10^6 at the millionth row.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from octet.affine import Array

# Rows. Evidence is counted at the end of each; what is left over waits for the next rows.
BLOCK = 25
# Of the shares of blocks: what begins at the first row, and how what is left falls off.
_FIRST = 0.25
_SCALE = 1000 / BLOCK
_POWER = -0.25
# Wealth above is given away, and so is what one block would bring above: so all stay floats.
_MOST = 1e80
_MOST_AT_ONCE = 1e200
_BLOCKS_AT_ONCE = 16


@dataclass(frozen=True)
class Wealth:
    """The wealth of one stream. Of constant size, however many rows there were.

    Attributes:
        capital: of each bet, what has begun; and the same times the row where it began; (2, bets).
        blocks: so many were played.
        log_now: ln of the wealth now.
        log_peak: the largest that it was. exp(−log_peak) is a p-value, whenever one looks.
        change: the row after which the change began, as the wealth at its peak has it: the mean of
            where the bets that won began. Means something only where there is an alarm.
        log_alarm: ln of the wealth at which there is an alarm.
        alarm: the row of the first; 0 if there was none.
    """

    capital: Array
    blocks: int
    log_now: float
    log_peak: float
    change: int
    log_alarm: float
    alarm: int


def begin(bets: int, log_alarm: float) -> Wealth:
    """The wealth before the first row."""
    return Wealth(np.zeros((2, bets)), 0, 0.0, 0.0, 0, float(log_alarm), 0)


def play(wealth: Wealth, shares: Array, factors: Array) -> tuple[Wealth, Array]:
    """The wealth after some more blocks, and its logarithm after each of them, (blocks,).

    Args:
        wealth: before them.
        shares: of the bets, (bets,), of sum one.
        factors: what each bet makes of 1 in each block, (blocks, bets). Of expectation ≤ 1.
    """
    return play_all([wealth], shares, factors[:, None])[0]


def play_all(
    wealths: Sequence[Wealth], shares: Array, factors: Array
) -> list[tuple[Wealth, Array]]:
    """As `play`, of several wealths after as many blocks each, with the same bits.

    Args:
        wealths: before them.
        shares: of the bets, (bets,).
        factors: (blocks, wealths, bets).
    """
    if not len(factors):
        return [(wealth, np.zeros(0)) for wealth in wealths]
    blocks = np.arange(wealths[0].blocks, wealths[0].blocks + len(factors))
    idle = idle_after(blocks)
    begins = idle_after(blocks - 1) - idle
    entries = np.stack([begins, begins * blocks * BLOCK], axis=1)[:, :, None]
    capital = np.array([wealth.capital for wealth in wealths])
    sums, done, count = np.empty((len(blocks), len(wealths), 2)), 0, _BLOCKS_AT_ONCE
    room = np.empty((2, min(count, len(blocks)), *capital.shape))
    while done < len(blocks):
        some = slice(done, done + count)
        some_factors = np.minimum(factors[some], _MOST_AT_ONCE)[:, :, None]
        capitals, totals = _unbounded(capital, entries[some], some_factors, shares, room)
        rich = totals[:, :, 0] > _MOST
        # The blocks behind the first where one is rich are played again, without what it gives.
        whole = int(np.argmax(rich.any(axis=1))) + 1 if rich.any() else len(rich)
        kept = np.where(rich[whole - 1], _MOST / totals[whole - 1, :, 0], 1.0)[:, None]
        capital = capitals[whole - 1] * kept[:, None]
        totals[whole - 1] *= kept
        sums[done : done + whole] = totals[:whole]
        done, count = done + whole, 1 if rich.any() else min(2 * count, _BLOCKS_AT_ONCE)
    return [
        _recorded(wealth, own, each[:, 0] + idle, each[:, 1] / each[:, 0])
        for wealth, own, each in zip(wealths, capital, sums.swapaxes(0, 1), strict=True)
    ]


def _unbounded(
    capital: Array, entries: Array, factors: Array, shares: Array, room: Array
) -> tuple[Array, Array]:
    """The capitals after each block, (blocks, wealths, 2, bets), and the sums over their bets.

    Args:
        capital: before them, (wealths, 2, bets).
        entries: what begins in each block, (blocks, 2, 1).
        factors: (blocks, wealths, 1, bets).
        shares: of the bets, (bets,).
        room: for the capitals, twice; it is written over.
    """
    capitals, won = room[:, : len(entries)]
    with np.errstate(over="ignore", invalid="ignore"):
        for entry, factor, after in zip(entries, factors, capitals, strict=True):
            np.add(capital, entry, out=after)
            np.multiply(after, factor, out=after)
            capital = after
        # Not a dot product, whose bits might depend on how many wealths there are.
        return capitals, np.add.reduce(np.multiply(capitals, shares, out=won), axis=-1)


def idle_after(block: Array | np.ndarray) -> Array:
    """The share of the capital that has not begun after this block; 1 before the first, −1."""
    return np.where(block < 0, 1.0, (1 - _FIRST) * (1 + np.maximum(block, 0) / _SCALE) ** _POWER)


def _recorded(wealth: Wealth, capital: Array, trace: Array, changes: Array) -> tuple[Wealth, Array]:
    """With the wealth after each block on record, and the change that goes with its peak."""
    logs = np.log(trace)
    best = int(np.argmax(logs))
    alarm, peak, change = wealth.alarm, wealth.log_peak, wealth.change
    if logs[best] > peak:
        peak, change = float(logs[best]), round(float(changes[best]))
    if not alarm and peak >= wealth.log_alarm:
        alarm = (wealth.blocks + int(np.argmax(logs >= wealth.log_alarm)) + 1) * BLOCK
    blocks, now = wealth.blocks + len(trace), float(logs[-1])
    return Wealth(capital, blocks, now, peak, change, wealth.log_alarm, alarm), logs


def needed(alpha: float, streams: int) -> float:
    """The logarithm of the wealth at which one of so many streams alarms: alpha for all."""
    return math.log(streams / alpha)
