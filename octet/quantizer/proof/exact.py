"""One row after another through the search of this package, and what is known at its end."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from octet.affine import Array, Integers
from octet.quantizer.hessian import Hessians, factor, output_error
from octet.quantizer.proof.enumeration import Box, Search
from octet.quantizer.proof.reduction import Basis, reduce_basis, unit_basis
from octet.quantizer.proof.relaxation import relax
from octet.quantizer.rounding import Lattice, gptq, nearest

NODE_BUDGET = 200_000
# Codes whose errors agree to this share are equally good. A row whose Hessian is so badly
# conditioned that rounding error is a larger share of its errors is not called proven.
TOLERANCE = 1e-6
# Nor is one whose codes the search knows no better than this.
_BLURRED = 0.1
# Codes that all together can change no larger share of an error than this are not searched.
_LIGHT = 1e-9
# And one of which no search could prove anything has so many at most: what makes the codes of a
# nearly singular H good is mending them along the directions that it hardly sees.
_HOPELESS = 1_000
# Mending only sharpens the first bound; the search does not rely on it.
_SWEEPS = 50
# Rows on grids of one scale, and all ranges that are tried for them, search in the same few bases.
_REMEMBERED = 64


@dataclass(frozen=True)
class Certificate:
    """What is known of the codes of one row.

    Attributes:
        proven: no codes in the box have a smaller output error, to one part in 10⁶; or, where
            `exact` was told what is wanted, none have less than that, and these codes may be any.
        error: eᵀHe of the codes.
        bound: no codes have less than this; equal to ``error`` where proven. Where `exact` was
            told what is wanted, the smaller of the two is what none have less than.
        nodes: how many partial solutions were looked at.
    """

    proven: bool
    error: float
    bound: float
    nodes: int


def exact(
    rows: Lattice, hessian: Array, budget: int = NODE_BUDGET, wanted: Array | None = None
) -> tuple[Integers, tuple[Certificate, ...]]:
    """Codes that minimise the output error of each row, and the certificate of each.

    Args:
        rows: values and grids, ``(rows, columns)``.
        hessian: H of the columns, ``(columns, columns)``, definite.
        budget: how many nodes a row may take.
        wanted: ``(rows,)``, if given: where a row has no codes of less error than this, any may
            come of it, and what its certificate says is then only that.
    """
    codes = nearest(rows)
    coupled = np.flatnonzero(np.count_nonzero(hessian, axis=1) > 1)
    apart = np.diag(hessian) * rows.errors(codes) ** 2
    apart[:, coupled] = 0.0
    others_of = np.sum(apart, axis=1)
    limits = np.full(len(codes), np.inf) if wanted is None else wanted - others_of
    searches = [(np.inf, 0)] * len(codes)
    if coupled.size:
        part = Lattice(rows.values[:, coupled], tuple(rows.grids[j] for j in coupled))
        among = hessian[np.ix_(coupled, coupled)]
        codes[:, coupled], searches = _search(part, among, limits, budget)
    errors = output_error(rows.errors(codes), factor(hessian))
    certificates = []
    for error, others, (least, nodes) in zip(
        errors.tolist(), others_of.tolist(), searches, strict=True
    ):
        bound = min(error, max(least, 0.0) + others)
        certificates.append(Certificate(least == np.inf, error, bound, nodes))
    return codes, tuple(certificates)


def _search(
    rows: Lattice, hessian: Array, limits: Array, budget: int
) -> tuple[Integers, list[tuple[float, int]]]:
    """Codes, and of each row the least error of any that were not ruled out, and nodes."""
    problems = [_relaxed(rows, hessian, i) for i in range(len(rows.values))]
    reals = np.stack([row.reals for row in problems])
    alone = Hessians([hessian])
    guesses = nearest(rows), gptq(rows, alone), gptq(Lattice(reals, rows.grids), alone)
    codes = np.empty(rows.values.shape, np.int64)
    searches = []
    for i, (row, limit) in enumerate(zip(problems, limits.tolist(), strict=True)):
        guess = min((guess[i] for guess in guesses), key=row.excess)
        codes[i], least, nodes = _solve(row, guess, limit, budget)
        searches.append((least, nodes))
    return codes, searches


@dataclass(frozen=True)
class _Row:
    """One row in units of codes, seen from its relaxed solution x.

    Attributes:
        hessian: H in units of codes.
        form: the same in units of the largest scale; of one scale for all columns, it is that of
            every row.
        unit: the largest scale.
        top: the largest codes.
        relaxed: x, real numbers that minimise f in the box.
        reals: what x stands for, in units of the weights.
        floor: f(x).
        gradient: of f at x.
        slope: the part of the gradient that points out of the box, as at a minimum all of it does.
        slack: what the rest, which is rounding error, can make of f(z) anywhere in the box.
    """

    hessian: Array
    form: Array
    unit: float
    top: Array
    relaxed: Array
    reals: Array
    floor: float
    gradient: Array
    slope: Array
    slack: float

    def excess(self, z: Integers) -> float:
        """f(z) - f(x), without the cancellation of a difference of two large numbers."""
        off = z - self.relaxed
        return float(np.sum(self.gradient * off) + np.sum(self.hessian * np.outer(off, off)))

    def radius(self, guess: Integers) -> float:
        """√(z - x)ᵀH(z - x) is no more for any z that is no worse than the guess."""
        return math.sqrt(max(self.excess(guess) + self.slack, 0.0))

    def changes(self, guess: Integers) -> Array:
        """What each code can change of f(z), wherever in the box it is, if z is no worse than that.

        f(z) - f(x) is g·(z - x) and the square of a norm, which changes by √Hᵢᵢ a step at most.
        """
        farthest = np.sqrt(np.diag(self.hessian)) * self.top
        of_norm = (2 * self.radius(guess) + farthest) * farthest
        return np.asarray(of_norm + np.abs(self.gradient) * self.top)

    def not_fixed(self, guess: Integers, light: npt.NDArray[np.bool_]) -> Integers:
        """What matters and may differ from x in a solution better than the guess."""
        return np.flatnonzero((np.abs(self.slope) < self.excess(guess) + self.slack) & ~light)

    def reduced(self, free: Integers) -> Basis:
        """A reduced basis of some of the coordinates."""
        basis = _reduced(self.form[np.ix_(free, free)].tobytes(), len(free))
        return replace(basis, factor=self.unit * basis.factor)


@lru_cache(_REMEMBERED)
def _reduced(form: bytes, size: int) -> Basis:
    return reduce_basis(np.frombuffer(form).reshape(size, size))


def _relaxed(rows: Lattice, hessian: Array, i: int) -> _Row:
    """Step 1 of the package."""
    scale = np.array([grid.scale[i] for grid in rows.grids], np.float64)
    zero_point = np.array([grid.zero_point[i] for grid in rows.grids], np.float64)
    top = np.array([grid.top for grid in rows.grids], np.float64)
    in_codes, ratio = hessian * np.outer(scale, scale), scale / np.max(scale)
    target = rows.values[i] / scale + zero_point
    relaxed = relax(target, top, in_codes)
    off = relaxed - target
    gradient = 2 * np.sum(in_codes * off, axis=1)
    outwards = ((relaxed <= 0) & (gradient > 0)) | ((relaxed >= top) & (gradient < 0))
    slope = np.where(outwards, gradient, 0.0)
    return _Row(
        hessian=in_codes,
        form=hessian * np.outer(ratio, ratio),
        unit=float(np.max(scale)),
        top=top,
        relaxed=relaxed,
        reals=(relaxed - zero_point) * scale,
        floor=float(np.sum(in_codes * np.outer(off, off))),
        gradient=gradient,
        slope=slope,
        slack=float(np.sum(np.abs(gradient - slope) * top)),
    )


def _solve(row: _Row, guess: Integers, limit: float, budget: int) -> tuple[Integers, float, int]:
    """Steps 2 to 5: codes, the least error of any that were not ruled out (inf: all), and nodes."""
    # What is above it by no more than rounding is looked for, too.
    reach = limit * (1 + TOLERANCE) - row.floor + row.slack
    if reach < 0:
        return guess, np.inf, 0
    guess = _mend(row, guess, np.eye(len(guess), dtype=np.int64))
    changes = row.changes(guess)
    light = changes < _LIGHT * row.excess(guess) / len(guess)
    ignored = float(np.sum(changes[light]))
    free = row.not_fixed(guess, light)
    while free.size:
        basis = row.reduced(free)
        directions = np.zeros((len(guess), free.size), np.int64)
        directions[free] = basis.vectors
        guess = _mend(row, guess, directions)
        still_free = row.not_fixed(guess, light)
        if still_free.size == free.size:
            break
        free = still_free
    corner = np.rint(row.relaxed).astype(np.int64)
    if not free.size:
        guess = min(guess, corner, key=row.excess)
        return guess, _least(row, guess, np.inf, ignored), 0

    hessian = row.hessian[np.ix_(free, free)]
    box = Box(row.top[free], row.relaxed[free], row.slope[free])
    # A factor of H is off by some n·2⁻⁵³ of its largest terms, Hᵢᵢ(H⁻¹)ᵢᵢ times what counts.
    inverse = np.sum(basis.to_codes() ** 2, axis=1)
    rounding = 4 * free.size * 2.0**-53
    uncertain = rounding * float(np.sum(np.diag(hessian) * inverse))
    # And codes are off by as much of the farthest that they go in a search.
    if rounding * math.sqrt(np.max(inverse)) * row.radius(guess) > _BLURRED:
        uncertain = max(uncertain, 1.0)
    if uncertain > TOLERANCE:
        budget, reach = min(budget, _HOPELESS), np.inf
    nodes, unseen = 0, -np.inf
    for coordinates in (basis, unit_basis(hessian)):
        distance = min(row.excess(guess) + row.slack, reach) + ignored
        search = Search(coordinates, box, distance, max(uncertain, 1e-9), budget // 2)
        if search.point is not None:
            better = corner.copy()
            better[free] = search.point
            guess = min(guess, better, key=row.excess)
        nodes += search.nodes
        unseen = max(unseen, search.unseen)
        if unseen == np.inf and uncertain <= TOLERANCE:
            break
    if uncertain > TOLERANCE:
        unseen = min(unseen, row.excess(guess)) * max(0.0, 1 - uncertain)
    return guess, _least(row, guess, unseen, ignored), nodes


def _least(row: _Row, guess: Integers, unseen: float, ignored: float) -> float:
    """The least error of codes that were not ruled out, if those searched have ``unseen``.

    What was ignored matters to those that are far better than where the search began.
    """
    excess = row.excess(guess)
    if 4 * ignored > TOLERANCE * (row.floor + excess):
        unseen = min(unseen, excess)
    return row.floor - row.slack - ignored + unseen


def _mend(row: _Row, z: Integers, directions: Integers) -> Integers:
    """Go to the best integer point along each direction, over and over, while that helps."""
    curves = [np.sum(row.hessian * u, axis=1) for u in directions.T]
    along = [
        (u, curve, -np.sum(row.gradient * u) / 2, np.sum(curve * u))
        for u, curve in zip(directions.T, curves, strict=True)
    ]
    excess = row.excess(z)
    for _ in range(_SWEEPS):
        before = excess
        for u, curve, downhill, curvature in along:
            times = round(float((downhill - np.sum(curve * (z - row.relaxed))) / curvature))
            if times:
                moved = z + _inside(z, times, u, row.top) * u
                if (reached := row.excess(moved)) < excess:
                    z, excess = moved, reached
        if excess >= before * (1 - TOLERANCE):
            break
    return z


def _inside(z: Integers, times: int, u: Integers, top: Array) -> int:
    """``times``, or as many in that direction as leave z + times · u inside the box."""
    way = np.sign(times) * u
    room = np.where(way > 0, top - z, z)[way != 0] // np.abs(way[way != 0])
    return int(np.sign(times)) * min(abs(times), int(np.min(room)))
