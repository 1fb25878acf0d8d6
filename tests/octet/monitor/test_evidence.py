"""Evidence keeps its promise: exactly where outcomes can be counted, and by drawing elsewhere."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from octet.errors import OctetError
from octet.monitor import evidence, flat
from octet.monitor.bets import bets, cells
from octet.monitor.evidence import Counts, Stream, block_factors, start
from octet.monitor.wealth import BLOCK, begin, idle_after, needed, play

ALARM = needed(0.05, 1)


def update(stream: Stream, row_bins: Counts) -> Stream:
    ((after, _),) = evidence.update([stream], [row_bins])
    return after


def urn_probability(gaps: Counts, row_cells: Sequence[int]) -> float:
    """Of these cells, in this order: each row adds one to what its cell had."""
    urn, probability = gaps.copy(), 1.0
    for cell in row_cells:
        probability *= urn[cell] / urn.sum()
        urn[cell] += 1
    return probability


@pytest.mark.parametrize("gaps", [[1, 1], [1, 4, 1], [3, 2, 2], [7]])
def test_expected_wealth_is_one_over_all_outcomes(gaps: list[int]) -> None:
    before, rows = np.array(gaps), 6
    gambles = bets(before)
    factors, wealth = np.zeros(len(gambles.shares)), 0.0
    for row_cells in itertools.product(range(len(gaps)), repeat=rows):
        probability = urn_probability(before, row_cells)
        blocks = np.reshape(row_cells, (2, -1))
        counts = np.array([np.bincount(block, minlength=len(gaps)) for block in blocks])
        urns = before + np.array([np.zeros(len(gaps), int), counts[0]])
        each = block_factors(urns, counts, gambles)
        factors += probability * each[0] * each[1]
        _, logs = play(begin(len(gambles.shares), ALARM), gambles.shares, each)
        wealth += probability * np.exp(logs[-1])
    np.testing.assert_allclose(factors, 1, rtol=1e-9)
    assert wealth == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("rows", [*range(1, 40), 89, 500, 5000, 10**6])
def test_cells_share_the_gaps_out(rows: int) -> None:
    gaps = cells(rows)
    assert gaps.sum() == rows + 1
    assert (gaps > 0).all()
    assert len(gaps) < 80
    assert bets(gaps).shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("chances", [[0.3, 0.7], [0.0, 0.05, 0.9, 0.05], [1.0]])
def test_cells_of_rows_follow_the_urn_whatever_is_drawn(chances: list[float]) -> None:
    # What the level stands on: no chance of a bin, empty or certain, is in the chance of a cell.
    rng, draws = np.random.default_rng(0), 1000
    gaps = cells(5)
    pairs = np.zeros((len(gaps), len(gaps)))
    for seed in range(draws):
        reference = rng.multinomial(5, chances)
        stream = update(start(reference, seed, ALARM), rng.choice(len(chances), 2, p=chances))
        pairs[tuple(stream.pending[:2])] += 1
    for pair in itertools.product(range(len(gaps)), repeat=2):
        chance = urn_probability(gaps, pair)
        spread = np.sqrt(draws * chance * (1 - chance))
        assert abs(pairs[pair] - draws * chance) < 4.5 * spread


def test_few_of_many_streams_ever_alarm_and_many_if_the_reference_were_the_truth() -> None:
    rng, runs, size, rows = np.random.default_rng(1), 150, 60, 2000
    chances, alarms, believed = np.array([0.5, 0.3, 0.1, 0.06, 0.04]), 0, 0
    for seed in range(runs):
        stream = start(rng.multinomial(size, chances), seed, ALARM)
        row_bins = rng.choice(5, rows, p=chances)
        alarms += update(stream, row_bins).wealth.alarm > 0
        certain = replace(stream, urn=stream.urn * 10**9)  # rows add next to nothing to it
        believed += update(certain, row_bins).wealth.alarm > 0
    assert alarms <= 0.05 * runs + 3 * np.sqrt(0.05 * 0.95 * runs)
    assert believed > runs / 2


def normal_bins(rng: np.random.Generator, rows: int, shift: float = 0.0) -> Counts:
    return np.searchsorted([-2, -1, -0.5, 0, 0.5, 1, 2], rng.normal(shift, 1, rows))


@pytest.mark.parametrize("before", [0, 40, 100_000])
def test_a_change_is_found_however_late(before: int) -> None:
    rng = np.random.default_rng(2)
    stream = start(np.bincount(normal_bins(rng, 5000)), 3, needed(0.05, 8))
    stream = update(stream, normal_bins(rng, before))
    assert not stream.wealth.alarm
    stream = update(stream, normal_bins(rng, 2000, shift=0.5))
    assert before < stream.wealth.alarm <= before + 500
    assert abs(stream.wealth.change - before) < 200
    assert stream.wealth.log_peak > 30


def test_it_does_not_matter_how_rows_are_cut() -> None:
    rng = np.random.default_rng(3)
    row_bins = np.concatenate([normal_bins(rng, 3000), normal_bins(rng, 500, shift=2)])
    fresh = start(np.bincount(normal_bins(rng, 700), minlength=8), 4, ALARM)
    at_once, stream, first = update(fresh, row_bins), fresh, 0
    while first < len(row_bins):
        last = first + int(rng.integers(0, 120))
        stream, first = update(stream, row_bins[first:last]), last
    for name, array in flat.flatten(at_once).items():
        np.testing.assert_array_equal(flat.flatten(stream)[name], array, err_msg=name)
    assert at_once.wealth.alarm


def test_a_row_just_below_its_next_bin_has_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "uniform", lambda *drawn: np.full(drawn[-1], 1 - 2.0**-53))
    stream = update(start(np.ones(32, int), 0, ALARM), np.array([31, 0]))
    assert 31 + (1 - 2.0**-53) == 32
    assert stream.pending[:2].tolist() == [
        len(stream.edges),
        np.searchsorted(stream.edges, 1 - 2.0**-53, "right"),
    ]


def test_streams_together_are_what_they_are_apart() -> None:
    rng, sizes = np.random.default_rng(5), [700, 700, 90, 700]
    streams = [
        start(np.bincount(normal_bins(rng, size), minlength=8), seed, needed(0.05, 100))
        for seed, size in enumerate(sizes)
    ]
    together, apart = list(streams), list(streams)
    for rows in (40, 3, 1000):
        # The last of each size is the one that changes, and none of the last has as many rows.
        new = [normal_bins(rng, rows + (i == 3), shift=2.0 * (i > 1)) for i in range(4)]
        together = [stream for stream, _ in evidence.update(together, new)]
        apart = [update(stream, each) for stream, each in zip(apart, new, strict=True)]
    for one, other in zip(together, apart, strict=True):
        for name, array in flat.flatten(one).items():
            np.testing.assert_array_equal(flat.flatten(other)[name], array, err_msg=name)
    assert [one.wealth.alarm > 0 for one in together] == [False, False, True, True]


def test_the_order_within_a_block_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    counts = rng.multinomial(BLOCK, [0.5, 0.3, 0.2], 1)
    urns = np.array([[5, 3, 2]])
    (one,) = block_factors(urns, counts, bets(urns[0]))
    in_order = np.repeat(np.arange(3), counts[0])
    gambles = bets(urns[0])
    odds = urns[0] * gambles.factors / (gambles.factors @ urns[0])[:, None]
    expected = np.prod(odds[:, in_order], axis=1) / urn_probability(urns[0], in_order)
    np.testing.assert_allclose(one, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("reference", "row_bins", "alarms"),
    [
        ([500], np.zeros(1000, int), False),  # one bin: nothing can be seen
        ([0, 0, 500], np.full(1000, 2), False),  # all missing, as in the reference
        ([0, 300, 200, 0], np.full(100, 3), True),  # all in a bin that was empty
        ([0, 300, 200, 0], np.full(100, 0), True),
        ([1], np.zeros(1000, int), False),
        ([1, 0], np.ones(1000, int), False),  # of one row nobody knows what is usual
        ([500, 500], np.zeros(0, int), False),
    ],
)
def test_odd_references_and_rows(reference: list[int], row_bins: Counts, alarms: bool) -> None:
    stream = update(start(np.array(reference), 0, ALARM), row_bins)
    assert (stream.wealth.alarm > 0) == alarms
    assert stream.counts.tolist() == np.bincount(row_bins, minlength=len(reference)).tolist()
    assert all(np.isfinite(array).all() for array in flat.flatten(stream).values())


def test_wealth_stays_a_number_for_ever() -> None:
    stream = start(np.array([10**9, 0]), 0, ALARM)
    for _ in range(3):
        stream = update(stream, np.ones(100_000, int))
    assert 150 < stream.wealth.log_now <= stream.wealth.log_peak < 200


def test_what_idles_is_a_share_that_falls_to_nothing() -> None:
    shares = idle_after(np.arange(-1, 10**6))
    assert shares[0] == 1
    assert (np.diff(shares) < 0).all()
    assert idle_after(np.array([10**12]))[0] < 0.01


@pytest.mark.parametrize("reference", [[], [0, 0], [3, -1], [[1, 2]]])
def test_a_reference_of_nothing_is_refused(reference: list[int]) -> None:
    with pytest.raises(OctetError, match="reference counts"):
        start(np.array(reference, np.int64), 0, ALARM)


@pytest.mark.parametrize("bad", [[-1, 0], [0, 2]])
def test_a_bin_that_is_none_is_refused(bad: list[int]) -> None:
    with pytest.raises(OctetError, match="allowed are 0 to 1"):
        update(start(np.array([1, 1]), 0, ALARM), np.array(bad))


def test_a_state_comes_back_from_its_arrays_or_is_refused() -> None:
    fresh = start(np.array([5, 3, 40]), 7, ALARM)
    stream = update(fresh, np.arange(31) % 3)
    arrays = flat.flatten(stream, "age.")
    assert {array.dtype.str for array in arrays.values()} == {"<f8", "<i8"}
    back = flat.restore(fresh, arrays, "age.")
    assert isinstance(back, Stream)
    assert flat.flatten(back, "age.").keys() == arrays.keys()
    again = [flat.flatten(update(one, np.arange(60) % 3)) for one in (stream, back)]
    assert all((again[0][name] == again[1][name]).all() for name in again[0])
    for name in arrays:
        for bad in ({name: arrays[name].astype(np.float32)}, {name: np.zeros((9, 9, 9))}):
            with pytest.raises(OctetError, match=f"^{name}: is float"):
                flat.restore(fresh, arrays | bad, "age.")
        with pytest.raises(OctetError, match=f"^{name}: is nothing"):
            flat.restore(fresh, {key: arrays[key] for key in arrays if key != name}, "age.")


@pytest.mark.parametrize("share", [0.002, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("times", [2, 3])
def test_some_bet_gains_where_what_is_rare_becomes_less_so(share: float, times: int) -> None:
    # In each row half of what the best bet would gain, at least: no rate falls between two bets.
    rows = 50_000
    gaps = cells(rows)
    ranks, gambles = np.cumsum(gaps) / (rows + 1), bets(gaps)
    chances = np.diff(np.interp([0, *ranks], [0, 1 - share, 1], [0, 1 - times * share, 1]))
    gains = gambles.logs @ chances - np.log(gambles.factors @ gaps / (rows + 1))
    most = times * share * np.log(times)
    most += (1 - times * share) * np.log((1 - times * share) / (1 - share))
    assert gains.max() > 0.5 * most
