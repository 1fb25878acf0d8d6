"""Evidence that rows no longer come from where a finite reference sample came from.

**What is assumed** where nothing has changed: reference rows and rows of the stream are drawn
independently from one distribution, of which nothing is known (or are exchangeable, and the stream
goes on for ever, which is the same by de Finetti). The bins were fixed without a look at the rows
that are counted in them: bounds that are quantiles come from other rows.

**What is promised**: P(the wealth ever reaches 1/α | nothing has changed) ≤ α, for each number of
reference rows, and over the drawing of the reference too. The estimates of the reference are not
taken for the truth: a model made from 100 rows is watched as honestly as one from 10⁷, with less
power.

**What is not**: rows that depend on each other (a time series, bursts of one customer) are not
exchangeable, and are rightly found to be not so. The promise is not given conditional on one
reference: α is a share of models, each with its reference. No alarm is no proof: what keeps all
proportions of bins is not seen. Changes that come slowly enough are found late, but are found: all
rows so far are what the next are compared with.

**How.** A row of bin k becomes the number x = k + U, with U uniform on [0, 1), seeded. So do the
reference rows. Under the null hypothesis all x are independent of one continuous distribution F, so
those of the n reference rows cut the line into n + 1 gaps whose probabilities are of the flat
Dirichlet distribution, be F what it may (Wilks, 1942: the spacings of uniform order statistics).
Gaps are joined to cells whose number of gaps r_j depends on n alone. Then the cells of the rows of
the stream follow a Pólya urn,

    P(row in cell j | cells of the rows before) = (r_j + rows before in j) / (n + 1 + rows before),

exactly, with no unknown in it. This is conformal prediction with its smoothed ranks (Vovk,
Nouretdinov and Gammerman, "Testing exchangeability on-line", 2003; Vovk et al., "Retrain or not
retrain", 2021, who watch a deployed model so), with ranks known to a cell. Without U no such thing
exists: in the filtration of the data there is no test martingale for exchangeability but the
constant (Ramdas, Ruf, Larsson and Koolen, 2022).

A bet on a block of B rows names, from the urn a_j of N = Σ a_j before it, the probabilities q_j =
a_j h_j / Σ a h. If d_j rows of the block fall in cell j, what it makes of 1 is the ratio of two
probabilities of the same rows,

    E = Π_j q_j^d_j / [ Π_j a_j (a_j + 1) … (a_j + d_j − 1) / (N (N + 1) … (N + B − 1)) ],

so E[E | blocks before] = 1: it adds the numerator up over all outcomes. The order of rows in a
block does not matter. wealth.py puts the bets together, and bets.py says what they are.

The promise holds for a stream by itself. Streams of several columns know different things
(filtrations), and their wealths must not be averaged: combine.py says what may be done.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.errors import OctetError
from octet.monitor.bets import Bets, bets, cells
from octet.monitor.draws import uniform
from octet.monitor.wealth import BLOCK, Wealth, begin, play_all

Counts = npt.NDArray[np.int64]
_STEPS = 16  # of a bin
_AT_ONCE = 128  # blocks


@dataclass(frozen=True)
class Stream:
    """What is known of a stream of bins. Of constant size: a few kilobytes.

    Attributes:
        reference: rows of the reference in each bin, (bins,).
        counts: rows of the stream in each bin, (bins,).
        edges: of the cells, among the numbers bin + U; (cells − 1,). Drawn once, and kept.
        urn: gaps of the reference and rows of whole blocks, in each cell, (cells,).
        pending: the cells of the rows since the last whole block, and −1, (BLOCK,).
        seed: of U.
        wealth: the evidence.
    """

    reference: Counts
    counts: Counts
    edges: Array
    urn: Counts
    pending: Counts
    seed: int
    wealth: Wealth

    @property
    def rows(self) -> int:
        """How many rows there were."""
        return int(self.counts.sum())


def start(reference: Counts, seed: int, log_alarm: float) -> Stream:
    """A stream before its first row.

    Args:
        reference: how many reference rows were in each bin, (bins,). Neighbours beside each other,
            and what the reference may well not have (other, missing) at either end: so changes are
            found sooner. No promise depends on it.
        seed: of what breaks ties. Two monitors of one seed are one monitor.
        log_alarm: ln of the wealth at which there is an alarm: wealth.needed.

    Raises:
        OctetError: the reference has no row, or a count below 0.
    """
    reference = np.asarray(reference, np.int64)
    if reference.ndim != 1 or (reference < 0).any() or reference.sum() < 1:
        raise OctetError(
            f"reference counts {reference.tolist()}: give counts of at least 0, and one row or more"
        )
    gaps = cells(int(reference.sum()))
    edges = _edges(reference, np.cumsum(gaps)[:-1], np.random.default_rng([seed, 0]))
    wealth = begin(len(_bets(int(reference.sum())).shares), log_alarm)
    pending = np.full(BLOCK, -1, np.int64)
    return Stream(reference, np.zeros_like(reference), edges, gaps, pending, seed, wealth)


def _edges(reference: Counts, ranks: Counts, rng: "np.random.Generator") -> Array:
    """The reference rows of these ranks (from 1, ascending), each a number bin + U.

    Of n uniform numbers, with the r-th at u, the s-th is at u + (1 − u) Beta(s − r, n − s + 1).
    """
    ends = np.cumsum(reference)
    edges, last_bin, last_rank, u = np.empty(len(ranks)), -1, 0, 0.0
    for i, rank in enumerate(ranks.tolist()):
        k = int(np.searchsorted(ends, rank))
        if k != last_bin:
            last_bin, last_rank, u = k, int(ends[k] - reference[k]), 0.0
        u += (1 - u) * rng.beta(rank - last_rank, ends[k] - rank + 1)
        edges[i], last_rank = k + u, rank
    return edges


def update(
    streams: Sequence[Stream], bins: Sequence[npt.NDArray[np.integer]]
) -> list[tuple[Stream, Array]]:
    """The streams after some more rows each. The same, to the bit, however rows are cut into calls.

    And of each ln of its wealth after each block that is whole by then, (blocks,). Those go
    together, in less time, that have as many reference rows, rows so far, and new ones.

    Args:
        streams: before them.
        bins: of each stream the rows, in order, (rows,).

    Raises:
        OctetError: there is no such bin.
    """
    alike: dict[tuple[int, int, int], list[int]] = {}
    for i, (stream, new) in enumerate(zip(streams, bins, strict=True)):
        alike.setdefault((int(stream.reference.sum()), stream.rows, len(new)), []).append(i)
    updated: dict[int, tuple[Stream, Array]] = {}
    for (rows, _, _), places in alike.items():
        together = _together([streams[i] for i in places], [bins[i] for i in places], _bets(rows))
        updated |= zip(places, together, strict=True)
    return [updated[i] for i in range(len(streams))]


def _together(
    streams: Sequence[Stream], bins: Sequence[npt.NDArray[np.integer]], gambles: Bets
) -> list[tuple[Stream, Array]]:
    """As `update`, of streams that are alike."""
    first = streams[0]
    pending = np.array([stream.pending[: first.rows % BLOCK] for stream in streams])
    waiting = np.concatenate([pending, _cells_of(streams, bins)], axis=1)
    done = waiting.shape[1] // BLOCK * BLOCK
    size = len(first.urn)
    counts = _counts(waiting[:, :done].ravel(), size).reshape(len(streams), -1, size)
    urns = np.array([stream.urn for stream in streams])[:, None] + np.cumsum(counts, 1) - counts
    factors = block_factors(urns.reshape(-1, size), counts.reshape(-1, size), gambles)
    played = play_all(
        [stream.wealth for stream in streams],
        gambles.shares,
        factors.reshape(len(streams), -1, len(gambles.shares)).swapaxes(0, 1),
    )
    pending = np.full((len(streams), BLOCK), -1, np.int64)
    pending[:, : waiting.shape[1] - done] = waiting[:, done:]
    updated = [
        replace(
            stream,
            counts=stream.counts + np.bincount(bins[i], minlength=len(stream.reference)),
            urn=stream.urn + counts[i].sum(axis=0),
            pending=pending[i],
            wealth=played[i][0],
        )
        for i, stream in enumerate(streams)
    ]
    return [(stream, logs) for stream, (_, logs) in zip(updated, played, strict=True)]


def _cells_of(streams: Sequence[Stream], bins: Sequence[npt.NDArray[np.integer]]) -> Counts:
    """The cells of some rows of each stream, ties broken: as many edges as are not above them."""
    rows, places = streams[0].rows, np.array(bins, np.float64)
    sizes = np.array([len(stream.reference) for stream in streams])
    lows, highs = places.min(axis=1, initial=0), places.max(axis=1, initial=0)
    for low, high, size in zip(lows, highs, sizes, strict=True):
        if low < 0 or high >= size:
            raise OctetError(f"bins from {low:g} to {high:g}: allowed are 0 to {size - 1}")
    places += [uniform((one.seed, 1), rows, places.shape[1]) for one in streams]
    tables = [_edges_below(len(one.reference), one.edges.tobytes()) for one in streams]
    edges = np.array([np.append(stream.edges, np.inf) for stream in streams])
    first_steps = np.cumsum([0, *map(len, tables[:-1])])[:, None]
    first_edges = (np.arange(len(streams)) * edges.shape[1])[:, None]
    # From what the table says it is one edge more or none, mostly. A bin and U just below 1 may be
    # rounded up to the next bin, which the last has not.
    steps = np.minimum((places * _STEPS).astype(np.int64), sizes[:, None] * _STEPS - 1)
    steps += first_steps
    below = (np.concatenate(tables)[steps] + first_edges).ravel()
    places, edges = places.ravel(), edges.ravel()
    above = np.flatnonzero(places >= edges[below])
    while len(above):
        below[above] += 1
        above = above[places[above] >= edges[below[above]]]
    cells_of: Counts = below.reshape(len(streams), -1) - first_edges
    return cells_of


@lru_cache(1024)
def _edges_below(bins: int, edges: bytes) -> Counts:
    """How many edges are below each step, a part of a bin, (bins · _STEPS,)."""
    return np.searchsorted(np.floor(np.frombuffer(edges) * _STEPS), np.arange(bins * _STEPS))


@lru_cache
def _bets(rows: int) -> Bets:
    """Those of so many reference rows."""
    return bets(cells(rows))


def _counts(whole: Counts, size: int) -> Counts:
    """How many rows of each whole block are in each cell, (blocks, cells)."""
    blocks = len(whole) // BLOCK
    flat = whole + np.repeat(np.arange(blocks) * size, BLOCK)
    return np.bincount(flat, minlength=blocks * size).reshape(blocks, size)


def block_factors(urns: Counts, counts: Counts, gambles: Bets) -> Array:
    """What each bet makes of 1 in each block: E of this file's head, (blocks, bets).

    Args:
        urns: a, before each block, (blocks, cells).
        counts: d, of rows in each block, (blocks, cells); of one sum B.
        gambles: h.
    """
    rows, total = (each.sum(axis=1, keepdims=True, dtype=np.float64) for each in (counts, urns))
    surprise, factors = _surprise(urns, counts)[:, None], np.empty((len(counts), len(gambles.logs)))
    # Some at a time, in place: what is made anew and large costs more than what is done with it.
    for start in range(0, len(counts), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        logs = np.matmul(counts[some].astype(np.float64), gambles.logs.T, out=factors[some])
        expected = urns[some].astype(np.float64) @ gambles.factors.T
        expected /= total[some]
        logs -= np.multiply(np.log(expected, out=expected), rows[some], out=expected)
        logs += surprise[some]
        np.exp(logs, out=logs)
    return factors


def _surprise(urns: Counts, counts: Counts) -> Array:
    """The logarithm of Π a^d / (a (a + 1) …), times N (N + 1) … / N^B."""
    rows = int(counts.sum(axis=1).max(initial=0))
    whole = np.log1p(np.arange(1, rows)[:, None] / urns.sum(axis=1))
    logs, flat_urns, flat_counts = np.zeros(len(counts)), urns.ravel(), counts.ravel()
    crowded = np.flatnonzero(flat_counts > 1)
    for i in range(1, rows):
        if len(crowded):
            crowded = crowded[flat_counts[crowded] > i]
            odds = np.log1p(i / flat_urns[crowded])
            logs -= np.bincount(crowded // counts.shape[1], odds, len(counts))
        logs += whole[i - 1]
    return logs
