"""Rates and means: what is promised of them, counted out where it can be."""

import itertools

import numpy as np
import pytest

from octet.affine import Array
from octet.errors import OctetError
from octet.monitor import flat, mean, rate
from octet.monitor.rate import Rate
from octet.monitor.wealth import needed

ALARM = needed(0.05, 1)


def update(stream: Rate, numbers: Array) -> Rate:
    return rate.update(stream, numbers)[0]


@pytest.mark.parametrize("bound", [0.001, 0.3, 0.9])
@pytest.mark.parametrize(("values", "chances"), [((0, 1), (0.5, 0.5)), ((0.2, 0.4), (0.9, 0.1))])
def test_no_bet_gains_where_the_mean_is_at_most_the_bound(
    bound: float, values: tuple[float, ...], chances: tuple[float, ...]
) -> None:
    high = np.array(values) * bound / np.dot(values, chances)
    for numbers in (high, 0.9 * high):
        if high.max() > 1:
            continue
        expected = 0.0
        for outcome in itertools.product(range(2), repeat=3):
            chance = np.prod([chances[i] for i in outcome])
            expected += chance * rate.block_factors(numbers[None, list(outcome)], bound)
        assert np.all(expected <= 1 + 1e-9)
        assert np.all(expected >= 1 - 1e-9) == (numbers is high)


def test_a_rate_above_its_bound_is_found_and_one_at_it_is_not() -> None:
    rng = np.random.default_rng(0)
    late = update(rate.start(0.01, ALARM), (rng.random(50_000) < 0.01).astype(float))
    assert not late.wealth.alarm
    late = update(late, (rng.random(5000) < 0.05).astype(float))
    assert 50_000 < late.wealth.alarm < 51_000
    assert abs(late.wealth.change - 50_000) < 500


def test_few_of_many_rates_at_their_bound_ever_alarm() -> None:
    rng, runs = np.random.default_rng(1), 150
    numbers = (rng.random((runs, 2000)) < 0.1).astype(float)
    alarms = sum(update(rate.start(0.1, ALARM), one).wealth.alarm > 0 for one in numbers)
    assert alarms <= 0.05 * runs + 3 * np.sqrt(0.05 * 0.95 * runs)


def test_it_does_not_matter_how_numbers_are_cut() -> None:
    numbers = np.random.default_rng(2).random(2000)
    once = flat.flatten(update(rate.start(0.4, ALARM), numbers))
    means, parts, average = mean.update(mean.Mean(), numbers), rate.start(0.4, ALARM), mean.Mean()
    for part in np.split(numbers, [1, 30, 55, 56, 700]):
        parts, average = update(parts, part), mean.update(average, part)
    assert average == means
    for name, array in flat.flatten(parts).items():
        np.testing.assert_array_equal(once[name], array, err_msg=name)


def test_wealth_of_a_rate_stays_a_number() -> None:
    stream = update(rate.start(1e-6, ALARM), np.ones(1000))
    assert 150 < stream.wealth.log_now < 200


@pytest.mark.parametrize("bound", [0, 1, -0.1, float("nan")])
def test_a_bound_that_is_no_rate_is_refused(bound: float) -> None:
    with pytest.raises(OctetError, match="must be above 0 and below 1"):
        rate.start(bound, ALARM)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_a_number_that_is_no_share_is_refused(bad: float) -> None:
    with pytest.raises(OctetError, match="allowed are 0 to 1"):
        update(rate.start(0.1, ALARM), np.array([0.5, bad]))


@pytest.mark.parametrize("true", [0.0, 0.003, 0.5, 1.0])
def test_an_interval_holds_the_mean_whenever_one_looks(true: float) -> None:
    rng, runs, missed = np.random.default_rng(3), 60, 0
    for _ in range(runs):
        so_far, ever = mean.Mean(), False
        for _ in range(60):
            so_far = mean.update(so_far, (rng.random(40) < true).astype(float))
            average, low, high = mean.interval(so_far, 0.05)
            assert 0 <= low <= average <= high <= 1
            ever |= not low <= true <= high
        missed += ever
    assert missed <= 0.05 * runs + 3 * np.sqrt(0.05 * 0.95 * runs)
    assert high - low < 0.16


def test_an_interval_without_numbers_is_all_there_is() -> None:
    assert mean.interval(mean.Mean(), 0.05) == (0.5, 0.0, 1.0)
