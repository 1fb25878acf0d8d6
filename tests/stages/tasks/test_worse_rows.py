"""The share of rows that got worse: counted, and its upper end enumerated."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from stages.tasks import worse_rows
from stages.tasks.level import ALPHA, MOST_ROWS


def test_rows_are_counted_whose_error_grows_by_more_than_the_tolerance() -> None:
    before = np.tile([2.0, -2.0], 50)  # of a median error of 2, however uncertain
    after = before.copy()
    after[:5] = 2.21, -2.19, 1, 9, -2.3
    truth = np.zeros(100)
    assert worse_rows.count(truth, before, after, 0.1) == 3
    assert worse_rows.count(truth, before, before, 0.1) == 0
    assert worse_rows.count(truth + 7, before + 7, after + 7, 0.1) == 3


@pytest.mark.parametrize("rows", [3, 7, 8, 20, 89])
def test_the_tolerance_is_of_an_error_that_is_surely_not_above_the_median(rows: int) -> None:
    """Errors of 1, 2, 3, … rows, each of which grows by itself: counted are those that matter."""
    before = np.arange(1.0, rows + 1)
    grown = np.array([worse_rows.count(np.zeros(rows), before, before + by, 1) for by in before])
    # The tolerance is the j-th: so many growths do not reach beyond it.
    j = int(np.sum(grown == 0))
    assert binom.cdf(j - 1, rows, 0.5) <= 0.005 if j else rows < 8
    assert binom.cdf(j, rows, 0.5) > 0.005


@pytest.mark.parametrize(("rows", "worse"), [(89, 0), (89, 3), (89, 89), (4128, 1), (60_000, 700)])
def test_the_upper_end_is_that_of_clopper_and_pearson(rows: int, worse: int) -> None:
    exact = binomtest(worse, rows).proportion_ci(0.96, method="exact").high
    assert worse_rows.high(rows, worse) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("rows", [3, 20, 89, 360])
def test_the_upper_end_is_below_the_true_share_at_most_as_often_as_is_said(rows: int) -> None:
    ends = np.array([worse_rows.high(rows, worse) for worse in range(rows + 1)])
    for share in np.linspace(0, 1, 301):
        chance = binom.pmf(np.arange(rows + 1), rows, share)
        assert np.sum(chance[ends < share]) <= ALPHA + 1e-12


@pytest.mark.parametrize("rows", [3, 20, 89])
def test_p_value_and_upper_end_never_contradict_each_other(rows: int) -> None:
    for worse in range(rows + 1):
        for margin in (0.001, 0.01, 0.05, 0.3, 0.9):
            p_value = worse_rows.p_inferior(rows, worse, margin)
            assert (p_value <= ALPHA) == (worse_rows.high(rows, worse) <= margin)


@pytest.mark.parametrize(
    ("rows", "worse", "margin"), [(89, 0, 0.05), (89, 1, 0.05), (4128, 8, 0.01), (4128, 8, 0.0025)]
)
def test_so_many_rows_as_are_needed_show_the_margin_four_times_in_five(
    rows: int, worse: int, margin: float
) -> None:
    needed = worse_rows.rows_needed(rows, worse, margin)
    shown = [worse_rows.high(needed, k) <= margin for k in range(needed + 1)]
    power = np.sum(binom.pmf(np.arange(needed + 1), needed, worse / rows)[shown])
    assert power >= 0.78
    if worse:
        assert power <= 0.95


@pytest.mark.parametrize("rows", [20, 89, 400])
def test_what_is_not_known_of_the_median_is_counted_in(rows: int) -> None:
    """Changes of about the tolerance, so that much hangs on it.

    4,000 test sets know 2.5 % to 0.25 %: 3.25 % are three of these above.
    """
    rng = np.random.default_rng(rows)
    before, change = rng.normal(size=(2, 4000, rows))
    after = before + 0.1 * np.sign(before) * np.abs(change)
    tolerance = 0.1
    many = np.abs(rng.normal(size=2_000_000))
    share = float(np.mean(0.1 * many > tolerance * 0.6744897501960817))
    missed = sum(
        worse_rows.high(rows, worse_rows.count(np.zeros(rows), *pair, tolerance)) < share
        for pair in zip(before, after, strict=True)
    )
    assert missed / 4000 <= ALPHA + 0.0075


def test_no_number_of_rows_shows_what_is_not_so() -> None:
    assert worse_rows.rows_needed(100, 5, 0.05) == MOST_ROWS
