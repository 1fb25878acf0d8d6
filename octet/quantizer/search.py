"""The range with which a rounding loses least at the outputs of a layer."""

from collections.abc import Callable
from itertools import product

import numpy as np

from octet.affine import Array, Integers
from octet.quantizer.config import Config, Rounding
from octet.quantizer.hessian import factor, output_error
from octet.quantizer.proof.exact import Certificate, exact
from octet.quantizer.rounding import Lattice, descend, gptq, nearest

# Factors on the two ends of the range, first over all of it and then around the best.
_COARSE = [0.05 * i for i in range(2, 25)]
_FINE = [0.01 * i for i in range(-5, 6)]
# How many ranges are rounded exactly, of those that gptq found best: 16 of rows of ten columns, and
# of longer ones, whose search takes far longer, fewer, down to 2.
_SHORTLISTED = 1600
# Rows of more columns are not searched for a proof: it would not end.
_PROVABLE = 26


def round_rows(
    rows: Lattice, hessian: Array, how: Rounding
) -> tuple[Integers, tuple[Certificate, ...]]:
    """The codes of one of the roundings, and for exact the certificate of each row.

    Exact rounding of rows that are too long to be proven is gptq, mended code by code.
    """
    match how:
        case "nearest":
            return nearest(rows), ()
        case "gptq":
            return gptq(rows, hessian), ()
        case "exact" if rows.values.shape[1] <= _PROVABLE:
            return exact(rows, hessian)
        case "exact":
            return descend(rows, gptq(rows, hessian), hessian), ()


def best_shrink(place: Callable[[Array | None], Lattice], hessian: Array, config: Config) -> Array:
    """Factors on the ends of the range, by trying a grid of pairs and a finer one around the best.

    Exact rounding is tried only on the pairs that look best under gptq, and on the range as it is.

    Args:
        place: the lattice of a layer for factors ``(rows, 2)``, or for None, the range as it is.
        hessian: H of the columns of the lattice, ``(columns, columns)``.
        config: how to quantize.

    Returns:
        ``(rows, 2)``: factors on the lower and the upper end. Rows differ only per channel;
        otherwise they share one range, and the sum of their errors decides.
    """
    r = factor(hessian)
    count = len(place(None).values)

    def errors(shrinks: Array, how: Rounding) -> Array:
        """Errors at the outputs for each candidate: (candidates, rows, 2) -> (candidates, rows)."""
        lost = np.empty(shrinks.shape[:2])
        for i, shrink in enumerate(shrinks):
            rows = place(shrink)
            lost[i] = output_error(rows.errors(round_rows(rows, hessian, how)[0]), r)
        if config.granularity != "per_channel":
            lost[:] = np.sum(lost, axis=1, keepdims=True)
        return lost

    quick: Rounding = "nearest" if config.rounding == "nearest" else "gptq"
    coarse = np.repeat(_pairs(_COARSE, config.scheme), count, axis=1)
    coarse_errors = errors(coarse, quick)
    fine = _best(coarse, coarse_errors, 1) + _pairs(_FINE, config.scheme)
    candidates = np.concatenate([coarse, fine])
    listed = max(2, min(16, _SHORTLISTED // len(hessian) ** 2))
    short = _best(candidates, np.concatenate([coarse_errors, errors(fine, quick)]), listed)
    if config.rounding == "exact":
        # The range as it is comes along, lest a search by gptq's errors end up with a worse one.
        short = np.concatenate([short, np.ones((1, count, 2))])
        short = _best(short, errors(short, "exact"), 1)
    return np.asarray(short[0])


def _pairs(factors: list[float], scheme: str) -> Array:
    """Both ends apart, or together where the range is symmetric; ``(pairs, 1, 2)``."""
    both = list(zip(factors, factors, strict=True))
    pairs = both if scheme == "symmetric" else list(product(factors, factors))
    return np.array(pairs)[:, None]


def _best(candidates: Array, errors: Array, count: int) -> Array:
    """The candidates of least error, row by row: ``(count, rows, 2)``, best first."""
    order = np.argsort(errors, axis=0, kind="stable")[:count]
    return np.take_along_axis(candidates, order[..., None], axis=0)
