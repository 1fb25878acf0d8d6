"""python -m tests.simulate_monitor [--runs N]: how often the monitor errs, how soon it is right.

The tables of docs/monitor-figures.md. Its 1,000 runs take half an hour of one core.
"""

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass

import joblib
import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp, norm

from octet.monitor import combine, evidence, rate
from octet.monitor.reference import places
from octet.monitor.wealth import BLOCK, needed

ALPHA = 0.05
COLUMNS = 8
REFERENCE = 5_000
ROWS = 1_000_000
LOOK = 100
CHUNK = 5_000
# Medians need fewer runs; and after a change, none goes on for longer.
FEWER = 100
LONGEST = 200_000
LONGEST_APART = 20_000
# Bin bounds of a standard normal column, and the bins besides: unknown before, missing after.
BOUNDS = norm.ppf(places(15))
UNKNOWN, MISSING = 0, 22
BINS = 23
Numbers = npt.NDArray[np.float64]
Bins = npt.NDArray[np.int64]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000)
    runs = parser.parse_args().runs
    fewer = min(runs, FEWER)
    print("\n".join(["", *no_drift(runs), "", *drift(fewer), "", *disagreement(fewer)]))


# Nothing changes. Only ranks matter to any of the methods, so a column is a table of what bin each
# percentile is in: numbers, a category of five uneven levels, and numbers of which 3 % are missing.
PERCENT = np.arange(100)
KINDS = [
    *[1 + PERCENT // 5] * 6,
    np.searchsorted([50, 75, 90, 98], PERCENT, side="right") + 1,
    np.where(PERCENT < 97, 1 + PERCENT * 20 // 97, MISSING),
]


@dataclass(frozen=True)
class Alarms:
    """The first alarm of each method in one run: after how many rows; 0 for none."""

    octet: int
    ks: int
    ks_corrected: int
    psi: int
    psi_of_1000: int


def no_drift(runs: int) -> list[str]:
    """How many runs ever alarm where nothing changes."""
    work = (joblib.delayed(quiet)(run) for run in range(runs))
    found: list[Alarms] = joblib.Parallel(n_jobs=2)(work)
    methods = {
        "Octet, level 5 % over the life": [each.octet for each in found],
        "KS on each batch of 100, p < 0.05": [each.ks for each in found],
        "the same, p < 0.05 / 8": [each.ks_corrected for each in found],
        "PSI > 0.2 on each batch of 100": [each.psi for each in found],
        "PSI > 0.2 on each batch of 1,000": [each.psi_of_1000 for each in found],
    }
    lines = [
        "| method | runs that ever alarm, % | median row of the first alarm |",
        "|---|---|---|",
    ]
    for name, rows in methods.items():
        alarms = [row for row in rows if row]
        first = f"{np.median(alarms):,.0f}" if alarms else "none"
        lines.append(f"| {name} | {100 * len(alarms) / runs:.1f} | {first} |")
    return lines


def quiet(run: int) -> Alarms:
    """One run where nothing changes: a new reference, then a million rows of eight columns."""
    rng = np.random.default_rng([0, run])
    streams, references, batches, samples, columns = [], [], [], [], []
    for column, kind in enumerate(KINDS):
        reference = rng.integers(0, 100, REFERENCE)
        counts = np.bincount(kind[reference], minlength=BINS)
        stream = evidence.start(counts, run * COLUMNS + column, needed(ALPHA, COLUMNS))
        rows = rng.integers(0, 100, ROWS, dtype=np.uint8)
        streams.append(stream)
        references.append(counts)
        batches.append(kind[rows])
        samples.append(reference + rng.random(REFERENCE))
        columns.append(rows)
    for i in range(0, ROWS, CHUNK):
        updated = evidence.update(streams, [rows[i : i + CHUNK] for rows in batches])
        streams = [stream for stream, _ in updated]
    alarms = [stream.wealth.alarm for stream in streams if stream.wealth.alarm]
    assert bool(alarms) == combine.changed([s.wealth.log_peak for s in streams], ALPHA)
    return Alarms(
        min(alarms, default=0),
        kolmogorov_smirnov(samples, columns, ALPHA),
        kolmogorov_smirnov(samples, columns, ALPHA / COLUMNS),
        stability(references, batches, 100),
        stability(references, batches, 1_000),
    )


def kolmogorov_smirnov(
    references: list[Numbers], columns: list[npt.NDArray[np.uint8]], level: float
) -> int:
    """The row of the first batch that differs in one column at this level; ties are broken."""
    rng = np.random.default_rng(0)
    for row in range(0, ROWS, LOOK):
        for reference, rows in zip(references, columns, strict=True):
            batch = rows[row : row + LOOK] + rng.random(LOOK)
            if ks_2samp(reference, batch, method="asymp").pvalue < level:
                return row + LOOK
    return 0


def stability(references: list[Bins], columns: list[Bins], size: int) -> int:
    """The row of the first batch of this size whose population stability index is above 0.2.

    In ten bins for numbers, and those of the reference for the rest; an empty one has half a row.
    """
    firsts = []
    for reference, rows in zip(references, columns, strict=True):
        batch = np.repeat(np.arange(ROWS // size) * BINS, size)
        counts = np.bincount(rows + batch, minlength=ROWS // size * BINS).reshape(-1, BINS)
        both = [pairs(counts, reference), pairs(reference[None], reference)]
        now, then = [np.maximum(each, 0.5) / each.sum(axis=1, keepdims=True) for each in both]
        index = np.sum((now - then) * np.log(now / then), axis=1)
        firsts += ((np.flatnonzero(index > 0.2)[:1] + 1) * size).tolist()
    return min(firsts, default=0)


def pairs(counts: Bins, reference: Bins) -> Bins:
    """Twentieths joined to tenths; what the reference has not is left out."""
    if np.count_nonzero(reference) >= 20:
        tenths = counts[:, 1:21].reshape(len(counts), 10, 2).sum(axis=2)
        counts = np.concatenate([tenths, counts[:, MISSING:]], axis=1)
        reference = np.append(np.ones(10, int), reference[MISSING])
    return counts[:, reference > 0]


@dataclass(frozen=True)
class Change:
    """A change of one column of standard normal numbers, or of the share of bins they did not use.

    Attributes:
        drawn: of numbers without it, those with it.
        gain: ln of how much likelier a number is with it: what an oracle adds up.
        before: what the oracle holds numbers without it for; they are that for its threshold.
    """

    drawn: Callable[[np.random.Generator, Numbers], Numbers]
    gain: Callable[[Numbers], Numbers]
    before: Callable[[np.random.Generator, Numbers], Numbers] = lambda _, x: x


def shifted(by: float) -> Change:
    return Change(lambda _, x: x + by, lambda x: by * x - by**2 / 2)


def scaled(by: float) -> Change:
    return Change(lambda _, x: x * by, lambda x: x**2 / 2 * (1 - by**-2) - np.log(by))


def replaced(value: float, share: float) -> Change:
    """What no reference row is. Who holds it for impossible alarms at the first: so 1 in 5,001."""

    def drawn(rng: np.random.Generator, x: Numbers, part: float) -> Numbers:
        return np.where(rng.random(len(x)) < part, value, x)

    def gain(x: Numbers) -> Numbers:
        hit = np.isnan(x) if np.isnan(value) else x == value
        return np.where(hit, np.log(share / rare), np.log((1 - share) / (1 - rare)))

    rare = 1 / (REFERENCE + 1)
    return Change(lambda rng, x: drawn(rng, x, share), gain, lambda rng, x: drawn(rng, x, rare))


CHANGES = {
    "mean + 0.1 deviations": shifted(0.1),
    "mean + 0.25": shifted(0.25),
    "mean + 0.5": shifted(0.5),
    "mean + 1": shifted(1.0),
    "scale × 1.5": scaled(1.5),
    "5 % missing": replaced(np.nan, 0.05),
    "a new category, 5 %": replaced(np.inf, 0.05),
}
BEFORE = (0, 10_000, 1_000_000)


def drift(runs: int) -> list[str]:
    """How many rows after a change in one of eight columns the monitor alarms, beside an oracle."""
    head = "| change of one column | oracle |" + "".join(
        f" after {before:,} rows | ratio |" for before in BEFORE
    )
    lines = [head, "|---|---|" + "---|---|" * len(BEFORE)]
    for name, change in CHANGES.items():
        limit = threshold(change, runs)
        oracle = np.median(each(oracle_delay, runs, name, limit))
        cells = []
        for before in BEFORE:
            delays = each(delay_of, runs if before < ROWS else runs // 5, name, before)
            delay = np.nanmedian(delays)
            cells.append(f" {delay:,.0f} | {delay / oracle:.1f} |")
        lines.append(f"| {name} | {oracle:,.0f} |{''.join(cells)}")
    return lines


def each(function: Callable[..., float], runs: int, *arguments: object) -> list[float]:
    """What a function gives of each run."""
    work = (joblib.delayed(function)(run, *arguments) for run in range(max(runs, 1)))
    found: list[float] = joblib.Parallel(n_jobs=2)(work)
    return found


def binned(x: Numbers) -> Bins:
    """The bins of a column: between its bounds, and what is unknown (infinite) or missing."""
    bins = np.searchsorted(BOUNDS, x) + 1
    return np.where(np.isnan(x), MISSING, np.where(np.isinf(x), UNKNOWN, bins))


def delay_of(run: int, name: str, before: int) -> float:
    """Rows from the change to the alarm, NaN if it came before; the level is of eight columns."""
    rng, change = np.random.default_rng([1, run]), CHANGES[name]
    reference = np.bincount(binned(rng.normal(size=REFERENCE)), minlength=BINS)
    stream = evidence.start(reference, run, needed(ALPHA, COLUMNS))
    for i in range(0, before, CHUNK):
        ((stream, _),) = evidence.update(
            [stream], [binned(rng.normal(size=min(CHUNK, before - i)))]
        )
    if stream.wealth.alarm:
        return float("nan")
    while not stream.wealth.alarm and stream.rows < before + LONGEST:
        ((stream, _),) = evidence.update(
            [stream], [binned(change.drawn(rng, rng.normal(size=20 * BLOCK)))]
        )
    return stream.wealth.alarm - before if stream.wealth.alarm else np.inf


def cusum(gains: Numbers) -> Numbers:
    """Page's sums: of the gains up to each row, the largest sum of any that end there, or 0."""
    sums = np.cumsum(gains)
    return sums - np.minimum.accumulate(np.minimum(sums, 0))


def threshold(change: Change, runs: int) -> float:
    """What the CUSUM of this change reaches in one of twenty runs of a million rows without it."""

    def largest(run: int) -> float:
        rng = np.random.default_rng([2, run])
        return float(cusum(change.gain(change.before(rng, rng.normal(size=ROWS)))).max())

    return float(np.quantile([largest(run) for run in range(runs)], 1 - ALPHA))


def oracle_delay(run: int, name: str, limit: float) -> float:
    """Rows from the change to the alarm of who knows the column and both distributions.

    It looks at each row. Rows without the change come before: it is in the midst of its work.
    """
    rng, change = np.random.default_rng([3, run]), CHANGES[name]
    quiet_rows = change.before(rng, rng.normal(size=1_000))
    rows = np.concatenate([quiet_rows, change.drawn(rng, rng.normal(size=20_000))])
    return float(np.argmax(cusum(change.gain(rows))[1_000:] >= limit) + 1)


RELEASED = (0.002, 0.01, 0.05)
TIMES = (2, 3, 5, 10)
Watched = evidence.Stream | rate.Rate


def disagreement(runs: int) -> list[str]:
    """Rows until it is found that two models differ more often than was released."""
    head = "".join(f" {times} times |" for times in TIMES)
    lines = [f"| released rate | known from |{head}", "|---|---|" + "---|" * len(TIMES)]
    for released in RELEASED:
        for source in (REFERENCE, 50_000, 0):
            delays = [
                np.median(each(until_above, runs, released, source, times)) for times in TIMES
            ]
            cells = "".join(f" {delay:,.0f} |" for delay in delays).replace("inf", "later")
            known = f"{source:,} reference rows" if source else "a bound"
            lines.append(f"| {100 * released:g} % | {known} |{cells}")
    return lines


def until_above(run: int, released: float, source: int, times: int) -> float:
    """Compared rows until the alarm where so many times more rows differ.

    The released rate is that of so many reference rows; of none, it is a bound.
    """
    rng = np.random.default_rng([4, run])
    differ, needs = rng.binomial(source, released), needed(ALPHA, COLUMNS)
    stream: Watched = rate.start(released, needs)
    if source:
        stream = evidence.start(np.array([source - differ, differ]), run, needs)
    while not stream.wealth.alarm and stream.rows < LONGEST_APART:
        rows = rng.random(20 * BLOCK) < released * times
        if isinstance(stream, evidence.Stream):
            ((stream, _),) = evidence.update([stream], [rows.astype(np.int64)])
        else:
            stream, _ = rate.update(stream, rows.astype(np.float64))
    return stream.wealth.alarm or np.inf


if __name__ == "__main__":
    # By its module's name, joblib finds the functions in other processes too.
    importlib.import_module("tests.simulate_monitor").main()
