"""The range with which a rounding loses least at the outputs of a layer."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from octet.affine import Array, Integers
from octet.quantizer.config import Config, Rounding
from octet.quantizer.hessian import Hessians
from octet.quantizer.proof.exact import NODE_BUDGET, Certificate, exact
from octet.quantizer.rounding import Lattice, descend, gptq, nearest

# Factors on the two ends of the range, first over all of it and then around the best.
_COARSE = [0.05 * i for i in range(2, 25)]
_FINE = [0.01 * i for i in range(-5, 6)]
# How many ranges are rounded exactly, of those that gptq found best: 16 of rows of ten columns, and
# of longer ones, whose search takes far longer, fewer, down to 2.
_SHORTLISTED = 1600
# And how many nodes a row may take with each of them; with the range that is chosen, it may take
# `NODE_BUDGET`. Together they bound the work on a row, whatever its H.
_SHORTLIST_NODES = 50_000
# Numbers of the ranges that are rounded together.
_TOGETHER = 2**17
# Rows of more columns are not searched for a proof: it would not end.
_PROVABLE = 26


class Rounded(NamedTuple):
    """The codes of rows, and what is known of them.

    Attributes:
        codes: ``(rows, columns)``.
        certificates: of each row; none where nothing was to be proven.
    """

    codes: Integers
    certificates: tuple[Certificate, ...]


def round_rows(
    rows: Lattice,
    hessians: Hessians,
    how: Rounding,
    budget: int = NODE_BUDGET,
    wanted: Array | None = None,
) -> Rounded:
    """The codes of one of the roundings, and for exact the certificate of each row.

    Exact rounding of rows that are too long to be proven is gptq, mended code by code.

    Args:
        rows: values and grids.
        hessians: H of each group of rows, which are as many in each.
        how: which rounding.
        budget: how many nodes a row may take to be exact.
        wanted: errors ``(rows,)`` below which exact codes are looked for, see `exact`.
    """
    match how:
        case "nearest":
            return Rounded(nearest(rows), ())
        case "gptq":
            return Rounded(gptq(rows, hessians), ())
        case "exact":
            each = rows.shared_out(len(hessians.each))
            limits = np.full(len(rows.values), np.inf) if wanted is None else wanted
            groups = zip(each, hessians.each, np.split(limits, len(each)), strict=True)
            parts = [_exact(group, hessian, budget, below) for group, hessian, below in groups]
            codes = np.concatenate([codes for codes, _ in parts])
            return Rounded(codes, tuple(each for _, known in parts for each in known))


def _exact(
    rows: Lattice, hessian: Array, budget: int, wanted: Array
) -> tuple[Integers, tuple[Certificate, ...]]:
    if rows.values.shape[1] <= _PROVABLE:
        return exact(rows, hessian, budget, wanted)
    return descend(rows, gptq(rows, Hessians([hessian])), hessian), ()


def best_shrink(
    place: Callable[[Array | None], Lattice], hessians: Hessians, config: Config
) -> tuple[Array, Rounded | None]:
    """Factors on the ends of the range, by trying a grid of pairs and a finer one around the best.

    Exact rounding is tried only on the pairs that look best under gptq, and on the range as it is.

    Args:
        place: the lattice of a layer for factors ``(…, rows, 2)``; for None, the range as it is.
        hessians: H of the columns of the lattice, for each group of rows.
        config: how to quantize.

    Returns:
        ``(rows, 2)``: factors on the lower and the upper end. Rows differ only per channel;
        otherwise they share one range, and the sum of their errors decides. And what exact
        rounding gives with them, unless more nodes could prove more.
    """
    count, columns = place(None).values.shape
    quick: Rounding = "nearest" if config.rounding == "nearest" else "gptq"

    def errors(shrinks: Array) -> Array:
        """Errors at the outputs for each candidate: (candidates, rows, 2) -> (candidates, rows)."""
        each = np.empty(shrinks.shape[:2])
        size = max(1, _TOGETHER // (count * columns))
        for first in range(0, len(shrinks), size):
            part = slice(first, first + size)
            rows = place(shrinks[part])
            each[part] = hessians.lost(rows.errors(round_rows(rows, hessians, quick).codes))
        return _shared(each, config)

    coarse = np.repeat(_pairs(_COARSE, config.scheme), count, axis=1)
    coarse_errors = errors(coarse)
    fine = _best(coarse, coarse_errors, 1) + _pairs(_FINE, config.scheme)
    candidates = np.concatenate([coarse, fine])
    listed = max(2, min(16, _SHORTLISTED // len(hessians.each[0]) ** 2))
    short = _best(candidates, np.concatenate([coarse_errors, errors(fine)]), listed)
    if config.rounding != "exact":
        return np.asarray(short[0]), None
    # The range as it is comes along, lest a search by gptq's errors end up with a worse one.
    short = np.concatenate([short, np.ones((1, count, 2))])
    return _best_of_exact(short, place, hessians, config)


def _best_of_exact(
    shrinks: Array, place: Callable[[Array | None], Lattice], hessians: Hessians, config: Config
) -> tuple[Array, Rounded | None]:
    """What `best_shrink` returns, of a few candidates ``(candidates, rows, 2)``."""
    tried, each = list[Rounded](), np.empty(shrinks.shape[:2])
    count = shrinks.shape[1]
    # What is no better for a row than a range before need not be known, but for a sum of rows.
    apart = config.granularity == "per_channel" or count == 1
    least = np.full(count, np.inf)
    for i, shrink in enumerate(shrinks):
        rows, wanted = place(shrink), least if apart else None
        tried.append(round_rows(rows, hessians, "exact", _SHORTLIST_NODES, wanted))
        each[i] = hessians.lost(rows.errors(tried[-1].codes))
        least = np.minimum(least, each[i])
    best = np.argmin(_shared(each, config), axis=0)
    return shrinks[best, np.arange(count)], _chosen(tried, best.tolist())


def _shared(errors: Array, config: Config) -> Array:
    """The errors ``(candidates, rows)`` that decide: of all rows together if they share a range."""
    if config.granularity == "per_channel":
        return errors
    return np.broadcast_to(np.sum(errors, axis=1, keepdims=True), errors.shape)


def _chosen(tried: Sequence[Rounded], best: Sequence[int]) -> Rounded | None:
    """Of each row, what came of the candidate that is best for it; None if a proof is missing."""
    codes = np.stack([tried[j].codes[i] for i, j in enumerate(best)])
    certificates = tuple(
        tried[j].certificates[i] for i, j in enumerate(best) if tried[j].certificates
    )
    return Rounded(codes, certificates) if all(each.proven for each in certificates) else None


def _pairs(factors: list[float], scheme: str) -> Array:
    """Both ends apart, or together where the range is symmetric; ``(pairs, 1, 2)``."""
    both = list(zip(factors, factors, strict=True))
    pairs = both if scheme == "symmetric" else list(product(factors, factors))
    return np.array(pairs)[:, None]


def _best(candidates: Array, errors: Array, count: int) -> Array:
    """The candidates of least error, row by row: ``(count, rows, 2)``, best first."""
    order = np.argsort(errors, axis=0, kind="stable")[:count]
    return np.take_along_axis(candidates, order[..., None], axis=0)
