"""The change of a share: every outcome enumerated, by sums that share nothing with the code."""

import math
from functools import cache

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, multinomial

from octet.affine import Array
from stages.tasks import proportions
from stages.tasks.level import ALPHA
from tests.stages.tasks.enumeration import largest_size, least_gained

MARGINS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05)
# What is measured may exceed what is promised by this: the grid of the nuisance parameter.
GRID = 0.0005


def outcomes(rows: int) -> list[tuple[int, int]]:
    return [(b, c) for b in range(rows + 1) for c in range(rows - b + 1)]


@cache
def lower(rows: int, gained: int, lost: int) -> float:
    return proportions.interval(rows, gained, lost)[0]


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("rows", [50, 100, 360, 1000])
def test_a_model_at_the_margin_passes_at_most_as_often_as_is_said(rows: int, margin: float) -> None:
    """All outcomes, and all rates of flips from the least, at which nothing is gained, to 1."""
    assert largest_size(rows, margin, most_flips=1.0) <= ALPHA + GRID


@pytest.mark.parametrize("margin", MARGINS)
def test_nor_of_ten_thousand_rows_of_which_few_flip(margin: float) -> None:
    assert largest_size(10_000, margin, most_flips=margin + 0.01) <= ALPHA + GRID


@pytest.mark.slow
@pytest.mark.release  # minutes; whoever touches the test runs it
@pytest.mark.parametrize("margin", MARGINS)
def test_nor_of_ten_thousand_rows_of_which_any_flip(margin: float) -> None:
    assert largest_size(10_000, margin, most_flips=1.0) <= ALPHA + GRID


def test_either_end_misses_the_true_change_at_most_as_often_as_is_said() -> None:
    """At every true change, not at a margin alone: 20 rows, all outcomes, 800 models."""
    rows, grid = 20, np.linspace(0, 1, 41)
    ends = np.array([proportions.interval(rows, b, c) for b, c in outcomes(rows)])
    flips = np.array([(b, c, rows - b - c) for b, c in outcomes(rows)])
    for gain in grid:
        for loss in grid[grid <= 1 - gain + 1e-12]:
            chance = multinomial.pmf(flips, rows, [gain, loss, max(0.0, 1 - gain - loss)])
            change = gain - loss
            assert np.sum(chance[ends[:, 0] > change + 1e-12]) <= ALPHA + GRID
            assert np.sum(chance[ends[:, 1] < change - 1e-12]) <= ALPHA + GRID


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 15])
def test_p_values_interval_and_verdict_never_contradict_each_other(rows: int) -> None:
    for gained, lost in outcomes(rows):
        low, high = proportions.interval(rows, gained, lost)
        assert -1 <= low <= (gained - lost) / rows <= high <= 1
        no_change = proportions.p_no_change(rows, gained, lost)
        assert (no_change <= 2 * ALPHA) == (not low <= 0 <= high)
        for margin in (*MARGINS, 0.1, 0.3, 0.5, 0.75, -low if -1 < low < 0 else 0.2):
            p_value = proportions.p_inferior(rows, gained, lost, margin)
            assert (p_value <= ALPHA) == (low >= -margin)


@pytest.mark.parametrize("rows", [1, 2, 8, 15])
def test_a_gain_more_or_a_loss_less_is_never_worse(rows: int) -> None:
    for gained, lost in outcomes(rows):
        if gained + lost < rows:
            assert lower(rows, gained + 1, lost) >= lower(rows, gained, lost)
            assert lower(rows, gained, lost + 1) <= lower(rows, gained, lost)
        if lost:
            assert lower(rows, gained + 1, lost - 1) >= lower(rows, gained, lost)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (3, 1), (0, 20), (7, 90)])
def test_gains_and_losses_are_mirror_images(gained: int, lost: int) -> None:
    low, high = proportions.interval(500, gained, lost)
    assert proportions.interval(500, lost, gained) == (-high, -low)
    assert proportions.p_no_change(500, gained, lost) == proportions.p_no_change(500, lost, gained)


@pytest.mark.parametrize("rows", [10, 89, 360, 10_000])
def test_without_a_flip_the_rule_of_three_is_left(rows: int) -> None:
    """No loss in n rows has the chance (1 - m)ⁿ if a share m is lost and nothing gained."""
    low, high = proportions.interval(rows, 0, 0)
    assert high == -low
    assert -low == pytest.approx(1 - (ALPHA - 1e-4) ** (1 / rows), abs=3e-7)


@pytest.mark.parametrize(
    ("rows", "gained", "lost", "change"),
    [(6, 2, 1, -0.3), (12, 0, 3, -0.4), (12, 5, 2, 0.1), (12, 1, 1, -0.05)],
)
def test_the_p_value_is_the_largest_over_the_nuisance_parameter(
    rows: int, gained: int, lost: int, change: float
) -> None:
    """Steps 1 to 3 of the docstring by brute force: a likelihood maximised, all outcomes summed."""
    start = score_lower(rows, gained, lost)
    as_much = [(b, c) for b, c in outcomes(rows) if z(rows, b, c, start) >= 1.96 - 4e-5]
    low, high = (binom_limit(rows, gained + lost, tail) for tail in ("low", "high"))
    largest = 0.0
    for flips in np.linspace(max(low, abs(change)), high, 400):
        gain, loss = (flips + change) / 2, (flips - change) / 2
        shares = [gain, loss, 1 - flips]
        chance = sum(multinomial.pmf([b, c, rows - b - c], rows, shares) for b, c in as_much)
        largest = max(largest, float(chance))
    for_next = -change - 1e-12
    p_value = proportions.p_inferior(rows, gained, lost, for_next)
    assert p_value == pytest.approx(largest + 1e-4, abs=GRID)


def binom_limit(rows: int, flips: int, tail: str) -> float:
    grid = np.linspace(0, 1, 20_001)
    if tail == "low":
        return float(grid[np.argmax(binom.sf(flips - 1, rows, grid) >= 5e-5)])
    inside = binom.cdf(flips, rows, grid) >= 5e-5
    return float(grid[np.nonzero(inside)[0][-1]])


def z(rows: int, gained: int, lost: int, change: float) -> float:
    """Tango's score, its loss rate found by maximising the likelihood."""

    def against(loss: float) -> float:
        shares = np.array([loss + change, loss, 1 - 2 * loss - change])
        counts = np.array([gained, lost, rows - gained - lost])
        with np.errstate(divide="ignore"):
            logarithms = np.where(counts > 0, np.log(np.maximum(shares, 1e-300)), 0.0)
        return -float(counts @ logarithms)

    bounds = max(0.0, -change), (1 - change) / 2
    loss = minimize_scalar(against, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    variance = rows * (2 * loss + change - change**2)
    return (gained - lost - rows * change) / math.sqrt(max(variance, 1e-300))


def score_lower(rows: int, gained: int, lost: int) -> float:
    low, high = -1.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if z(rows, gained, lost, middle) >= 1.959964 else (low, middle)
    return low


@pytest.mark.parametrize(
    ("rows", "flips", "margin"),
    [(360, 0, 0.005), (360, 6, 0.02), (10_000, 20, 0.001), (100, 10, 0.05), (1000, 100, 0.02)],
)
def test_so_many_rows_as_are_needed_show_the_margin_four_times_in_five(
    rows: int, flips: int, margin: float
) -> None:
    needed = proportions.rows_needed(rows, flips, margin)
    share = (flips + 1) / (rows + 1)
    assert 0.77 <= power(needed, share, margin) <= 0.92
    assert power(needed // 2, share, margin) < 0.7


def power(rows: int, share: float, margin: float) -> float:
    """How often a model that gains and loses a half of this share each passes."""
    most = int(binom.isf(1e-6, rows, share / 2))
    lost = np.arange(most + 1)
    least = least_gained(rows, margin, lost)
    chance = binom.pmf(lost, rows, share / 2)
    tail: Array = binom.sf(least - 1, rows - lost, share / 2 / (1 - share / 2))
    return float(np.sum(chance * tail))


def test_rows_needed_do_not_change_with_the_last_bit_and_end() -> None:
    assert proportions.rows_needed(360, 0, 0.005) == proportions.rows_needed(
        360, 0, math.nextafter(0.005, 1)
    )
    assert proportions.rows_needed(360, 360, 1e-9) == 10**9
    assert proportions.rows_needed(100_000, 0, 0.05) < 100


@pytest.mark.parametrize(("gained", "lost"), [(0, 4), (40, 60), (1100, 1000), (20_000, 20_500)])
def test_sixty_thousand_rows_are_no_trouble(gained: int, lost: int) -> None:
    low, high = proportions.interval(60_000, gained, lost)
    change = (gained - lost) / 60_000
    reach = 1.96 * math.sqrt(gained + lost) / 60_000
    assert low == pytest.approx(change - reach, abs=max(0.1 * reach, 5e-5))
    assert high == pytest.approx(change + reach, abs=max(0.1 * reach, 5e-5))
