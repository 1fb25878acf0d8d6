"""All streams of a model together: what they were started with, and what rows have done to them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.modelfile.reference import CLIPPING, DISAGREEMENT, ERRORS, GROUPS, Reference, Summary
from octet.monitor import combine, evidence, mean, rate
from octet.monitor.draws import uniform
from octet.monitor.evidence import Stream
from octet.monitor.mean import Mean
from octet.monitor.rate import Rate
from octet.monitor.reference import (
    Numbers,
    disagreement,
    numbers_of_inputs,
    numbers_of_outputs,
    run,
)
from octet.monitor.wealth import BLOCK, needed
from octet.network import Network
from octet.runtime import inference
from octet.runtime.predict import Engine, Predicted
from octet.signature import Input

ROWS, UNUSABLE = "rows", "unusable"
ALL = (ROWS, *GROUPS)
_MOST_POINTS = 200  # of history
_FIRST = 1024  # rows between two points of a new history
_SEEDS = 2**20  # of the streams of one life
# Which rows, counted from 0, and a number of each.
Placed = tuple[npt.NDArray[np.int64], Array]
_NOTHING: Placed = (np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True)
class Life:
    """What is fixed when a monitor starts, for as long as its level is to hold.

    Attributes:
        model: the MD5 of the model file.
        against: that of the float model that it is compared with; empty if with none.
        share: of the rows, that it is compared on.
        margin: how often they may say another class; 0: as often as on the rows of the reference.
        alpha: the probability of ever an alarm while nothing has changed, at most.
        seed: of all that is drawn.
    """

    model: str
    against: str
    share: float
    margin: float
    alpha: float
    seed: int


@dataclass(frozen=True)
class Watched:
    """One summary as it was, and as it is now.

    Attributes:
        summary: of the reference.
        scores: what each bin counts for in the estimate, as `scores`.
        stream: the evidence that it has changed, or is above a margin.
        estimate: the mean of the scores so far.
    """

    summary: Summary
    scores: Array
    stream: Stream | Rate
    estimate: Mean

    @property
    def counts(self) -> Array:
        """How many rows were in each bin since the start, ``(bins,)``."""
        if isinstance(self.stream, Stream):
            return self.stream.counts.astype(np.float64)
        return np.array([self.estimate.rows - self.estimate.total, self.estimate.total])


@dataclass(frozen=True)
class History:
    """The evidence as it grew, thinned out: of constant size.

    Attributes:
        every: rows between two points; doubled when there are too many.
        rows: after how many of all rows each point is, ``(points,)``.
        logs: ln of the largest wealth in each group of `ALL` then, ``(points, groups)``.
    """

    every: int
    rows: npt.NDArray[np.int64]
    logs: Array


@dataclass(frozen=True)
class Watch:
    """What a monitor knows.

    Attributes:
        life: what it was started with.
        resets: how often it was started again.
        rows: so many came since, with those that could not be used.
        watched: each stream.
        history: of the evidence.
    """

    life: Life
    resets: int
    rows: int
    watched: tuple[Watched, ...]
    history: History

    @property
    def log_peaks(self) -> Array:
        """Ln of the largest wealth of each stream."""
        return np.array([one.stream.wealth.log_peak for one in self.watched])

    @property
    def alarm(self) -> bool:
        """Whether something has changed, at the level of the whole life."""
        return combine.changed(self.log_peaks, self.life.alpha)


def start(reference: Reference, life: Life, resets: int = 0) -> Watch:
    """A watch before its first row."""
    rows = np.array([reference.rows, 0])
    summaries = [Summary(ROWS, UNUSABLE, np.array([0.5]), False, None, rows)]
    for group in GROUPS:
        of_group = [one for one in reference.summaries if one.group == group]
        summaries += of_group if group != DISAGREEMENT or life.against else []
    log_alarm = needed(life.alpha, len(summaries))
    seed = (life.seed * 2**16 + resets) * _SEEDS

    def begun(one: Summary, i: int) -> Stream | Rate:
        if one.group == DISAGREEMENT and life.margin:
            return rate.start(life.margin, log_alarm)
        return evidence.start(one.counts, seed + 1 + i, log_alarm)

    watched = tuple(
        Watched(one, scores(one), begun(one, i), Mean()) for i, one in enumerate(summaries)
    )
    history = History(_FIRST, np.zeros(0, np.int64), np.zeros((0, len(ALL))))
    return Watch(life, resets, 0, watched, history)


def engine(network: Network, reference: Reference) -> Engine:
    """What gives the outputs of rows, and behind them how many of its codes each layer clips."""
    names = [one.name for one in reference.summaries if one.group == CLIPPING]

    def outputs_and_clipping(x: Input) -> Array:
        outputs, clipped = run(network, x)
        counts = [clipped[CLIPPING, name][:, None] for name in names]
        return np.concatenate([outputs, *counts], axis=1)

    return outputs_and_clipping


def watcher(
    network: Network, reference: Reference, in_float: Network | None
) -> Callable[[Watch, Predicted], Watch]:
    """What makes of a watch the one after some more rows, predicted by `engine`."""
    names = [one.name for one in reference.summaries if one.group == CLIPPING]

    def after(watch: Watch, predicted: Predicted) -> Watch:
        width = predicted.outputs.shape[1] - len(names)
        outputs = predicted.outputs[:, :width]
        bad = _bad(predicted)
        good = np.flatnonzero(~bad)
        numbers: Numbers = {
            **numbers_of_inputs(network.signature.inputs, predicted.x),
            **{(CLIPPING, name): predicted.outputs[:, width + i] for i, name in enumerate(names)},
            **numbers_of_outputs(network, outputs, predicted.truth),
        }
        placed = {key: (good, values) for key, values in numbers.items()}
        placed[ROWS, UNUSABLE] = (np.arange(len(bad)), bad.astype(np.float64))
        if in_float is not None and len(good):
            picked = _picked(watch, len(good))
            others = inference.run(in_float, predicted.x[picked])
            ((key, values),) = disagreement(network, outputs[picked], others).items()
            placed[key] = (good[picked], values)
        return _after(watch, placed, len(bad))

    return after


def _bad(predicted: Predicted) -> npt.NDArray[np.bool_]:
    """Of each row, in order, whether it could not be used."""
    places = np.concatenate([predicted.places, np.array(predicted.bad, np.int64)])
    bad = np.arange(len(places)) >= len(predicted.places)
    return bad[np.argsort(places, kind="stable")]


def _picked(watch: Watch, count: int) -> npt.NDArray[np.bool_]:
    """Which of the next usable rows are compared: the same, however rows are cut into calls."""
    (before,) = (int(one.counts[0]) for one in watch.watched if one.summary.group == ROWS)
    seed = (watch.life.seed * 2**16 + watch.resets) * _SEEDS
    return np.asarray(uniform(seed, before, count) < watch.life.share)


def _after(watch: Watch, placed: Mapping[tuple[str, str], Placed], rows: int) -> Watch:
    """The watch after so many rows: for each stream, which of them it sees, and as what number."""
    keys = [(one.summary.group, one.summary.name) for one in watch.watched]
    which, numbers = zip(*(placed.get(key, _NOTHING) for key in keys), strict=True)
    bins = [one.summary.bins(own) for one, own in zip(watch.watched, numbers, strict=True)]
    streams, traces = zip(*_streams(watch.watched, bins), strict=True)
    watched = tuple(
        replace(one, stream=stream, estimate=mean.update(one.estimate, one.scores[own]))
        for one, stream, own in zip(watch.watched, streams, bins, strict=True)
    )
    history = _history(watch, which, traces, watch.rows + rows)
    return replace(watch, rows=watch.rows + rows, watched=watched, history=history)


def _streams(
    watched: Sequence[Watched], bins: Sequence[npt.NDArray[np.int64]]
) -> Iterator[tuple[Stream | Rate, Array]]:
    """Each stream after some more rows, or none; and ln of its wealth after each whole block."""
    pairs = [*zip(watched, bins, strict=True)]
    updated = iter(
        evidence.update(
            [one.stream for one in watched if isinstance(one.stream, Stream)],
            [own for one, own in pairs if isinstance(one.stream, Stream)],
        )
    )
    for one, own in pairs:
        yield (
            rate.update(one.stream, one.scores[own])
            if isinstance(one.stream, Rate)
            else next(updated)
        )


def _history(
    watch: Watch,
    which: Sequence[npt.NDArray[np.int64]],
    traces: Sequence[Array],
    rows: int,
) -> History:
    """With its points up to so many rows: where they are does not depend on how rows were cut.

    Args:
        watch: before the rows.
        which: of the rows since, counted from 0, each stream saw.
        traces: ln of its wealth after each block that they made whole.
        rows: of all.
    """
    history, last = watch.history, watch.rows
    while (point := (last // history.every + 1) * history.every) <= rows:
        logs = dict[str, float]()
        for one, places, trace in zip(watch.watched, which, traces, strict=True):
            before, group = one.stream.wealth, one.summary.group
            count = one.stream.rows + int(np.searchsorted(places, point - watch.rows))
            whole = count // BLOCK - before.blocks
            now = float(trace[whole - 1]) if whole else before.log_now
            logs[group] = max(logs.get(group, now), now)
        history, last = _longer(history, point, logs), point
    return history


def _longer(history: History, point: int, logs: Mapping[str, float]) -> History:
    """The history with one more point, or with every other one; a group may have no streams."""
    rows = np.append(history.rows, point)
    all_logs = np.vstack([history.logs, [logs.get(group, 0.0) for group in ALL]])
    if len(rows) < _MOST_POINTS:
        return History(history.every, rows, all_logs)
    return History(2 * history.every, rows[1::2], all_logs[1::2])


def scores(summary: Summary) -> Array:
    """What each bin counts for in the estimate that people are shown, 0 to 1, ``(bins,)``.

    Of what is clipped, unusable, of another class or wrong, 1 but for the first bin: the estimate
    is a share. Of classes and categories, 1 for the one that was most frequent. Of other numbers,
    the share of reference rows in lower bins and half of those in its own: the estimate is the
    probability to be above a row of the reference, one half if nothing has changed.
    """
    counts = summary.counts
    if summary.categories:
        return np.asarray(np.arange(len(counts)) == np.argmax(counts), np.float64)
    if is_share(summary):
        return np.asarray(np.arange(len(counts)) > 0, np.float64)
    return np.asarray((np.cumsum(counts) - counts / 2) / counts.sum())


def is_share(summary: Summary) -> bool:
    """Whether what counts is if the number is 0 or not."""
    only = len(summary.points) == 1 and summary.points[0] == 0.5
    return summary.group in (ROWS, CLIPPING) or (summary.group in (DISAGREEMENT, ERRORS) and only)
