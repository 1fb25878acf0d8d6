"""The codes of least output error, with a proof: closest-vector search inside a box.

For one row, with t the real-valued codes and H in units of codes, the error of the codes z is
f(z) = (z - t)ᵀH(z - t), over integers 0 ≤ z ≤ top. The search

1.  relaxes: x minimises f over real numbers. For every z, with g = 2H(x - t),
    f(z) = f(x) + g·(z - x) + (z - x)ᵀH(z - x), and in the box g·(z - x) ≥ 0 since x is a minimum;
2.  guesses: the better of nearest and gptq, mended one direction at a time, bounds f from above;
3.  fixes: where x_i is on the boundary and |g_i| alone exceeds what is left between x and the
    guess, z_i = x_i in every better solution;
4.  reduces: a short basis U of the coordinates that are left, z = Uy, lest correlated inputs make
    the next step long;
5.  enumerates: depth first over y, nearest first (Schnorr & Euchner, 1994), and turns back where
    the error so far, or the way that is still to go into the box, exceeds the best known.

It ends with the optimum, proven, or out of nodes with a lower bound on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from octet.network import Array
from stages.quantize.hessian import factor, output_error
from stages.quantize.reduction import Basis, Integers, reduce_basis
from stages.quantize.relaxation import relax
from stages.quantize.rounding import Codes, Lattice, gptq, nearest

NODE_BUDGET = 200_000
# Codes whose errors agree to this share count as equally good: H itself is no more certain.
_TIE = 1e-9
# Mending only sharpens the first bound; the search does not rely on it.
_SWEEPS = 50
# A coordinate this far outside the box, in codes, is outside by more than rounding error.
_OUTSIDE = 1e-6


@dataclass(frozen=True)
class Certificate:
    """What is known of the codes of one row.

    Attributes:
        proven: no codes in the box have a smaller output error.
        error: eᵀHe of the codes that were found.
        bound: no codes have less than this; equal to ``error`` where proven (to one in 10⁹).
        nodes: how many partial solutions were looked at.
    """

    proven: bool
    error: float
    bound: float
    nodes: int


def exact(
    rows: Lattice, hessian: Array, budget: int = NODE_BUDGET
) -> tuple[Codes, tuple[Certificate, ...]]:
    """Codes that minimise the output error of each row, and the certificate of each.

    Args:
        rows: values and grids, ``(rows, columns)``.
        hessian: H of the columns, ``(columns, columns)``, definite.
        budget: how many nodes a row may take.
    """
    problems = [_relaxed(rows, hessian, i) for i in range(len(rows.values))]
    reals = np.stack([row.reals for row in problems])
    guesses = nearest(rows), gptq(rows, hessian), gptq(Lattice(reals, rows.grids), hessian)
    codes = np.empty(rows.values.shape, np.int64)
    bounds = []
    nodes = []
    for i, row in enumerate(problems):
        guess = min((guess[i] for guess in guesses), key=row.excess)
        codes[i], unseen, visited = _solve(row, guess, budget)
        bounds.append(row.floor - row.slack + unseen)
        nodes.append(visited)
    errors = output_error(rows.errors(codes), factor(hessian)).tolist()
    return codes, tuple(
        Certificate(bound == np.inf, error, min(error, max(bound, 0.0)), visited)
        for error, bound, visited in zip(errors, bounds, nodes, strict=True)
    )


@dataclass(frozen=True)
class _Row:
    """One row in units of codes, seen from its relaxed solution x.

    Attributes:
        hessian: H in units of codes.
        top: the largest codes.
        relaxed: x, real numbers that minimise f in the box.
        reals: what x stands for, in units of the weights.
        floor: f(x).
        gradient: of f at x.
        slope: the part of the gradient that points out of the box, as at a minimum all of it does.
        slack: what the rest, which is rounding error, can make of f(z) anywhere in the box.
    """

    hessian: Array
    top: Array
    relaxed: Array
    reals: Array
    floor: float
    gradient: Array
    slope: Array
    slack: float

    def excess(self, z: Codes) -> float:
        """f(z) - f(x), without the cancellation of a difference of two large numbers."""
        off = z - self.relaxed
        return float(np.sum(self.gradient * off) + np.sum(self.hessian * np.outer(off, off)))


def _relaxed(rows: Lattice, hessian: Array, i: int) -> _Row:
    """Step 1 of the docstring above."""
    scale = np.array([grid.scale[i] for grid in rows.grids], np.float64)
    zero_point = np.array([grid.zero_point[i] for grid in rows.grids], np.float64)
    top = np.array([grid.top for grid in rows.grids], np.float64)
    in_codes = hessian * np.outer(scale, scale)
    target = rows.values[i] / scale + zero_point
    relaxed = relax(target, top, in_codes)
    off = relaxed - target
    gradient = 2 * np.sum(in_codes * off, axis=1)
    outwards = ((relaxed <= 0) & (gradient > 0)) | ((relaxed >= top) & (gradient < 0))
    slope = np.where(outwards, gradient, 0.0)
    return _Row(
        hessian=in_codes,
        top=top,
        relaxed=relaxed,
        reals=(relaxed - zero_point) * scale,
        floor=float(np.sum(in_codes * np.outer(off, off))),
        gradient=gradient,
        slope=slope,
        slack=float(np.sum(np.abs(gradient - slope) * top)),
    )


def _solve(row: _Row, guess: Codes, budget: int) -> tuple[Codes, float, int]:
    """Steps 2 to 5: codes, the least excess of those not seen (none: infinite), and nodes."""
    corner = np.rint(row.relaxed).astype(np.int64)
    guess = _mend(row, guess, np.eye(len(guess), dtype=np.int64))
    free = np.flatnonzero(np.abs(row.slope) < row.excess(guess) + row.slack)
    while free.size:
        basis = reduce_basis(row.hessian[np.ix_(free, free)])
        directions = np.zeros((len(guess), free.size), np.int64)
        directions[free] = basis.vectors
        guess = _mend(row, guess, directions)
        still_free = np.flatnonzero(np.abs(row.slope) < row.excess(guess) + row.slack)
        if still_free.size == free.size:
            break
        free = still_free
    else:
        return min(guess, corner, key=row.excess), np.inf, 0

    search = _Search(
        _levels(basis),
        top=row.top[free].tolist(),
        corner=row.relaxed[free].tolist(),
        slope=row.slope[free].tolist(),
        best=(row.excess(guess) + row.slack) * (1 - _TIE),
        budget=budget,
    )
    centre = np.sum(basis.inverse * row.relaxed[free], axis=1)
    search.visit(free.size - 1, 0.0, centre.tolist(), search.corner)
    if search.found is not None:
        corner[free] = search.found
        guess = min(guess, corner, key=row.excess)
    return guess, search.unseen, search.nodes


def _mend(row: _Row, z: Codes, directions: Integers) -> Codes:
    """Go to the best integer point along each direction, over and over, while that helps."""
    curves = [(u, np.sum(row.hessian * u, axis=1)) for u in directions.T]
    excess = row.excess(z)
    for _ in range(_SWEEPS):
        before = excess
        for u, curve in curves:
            downhill = -np.sum(row.gradient * u) / 2 - np.sum(curve * (z - row.relaxed))
            steps = round(float(downhill / np.sum(curve * u)))
            moved = z + _inside(z, steps, u, row.top) * u if steps else z
            if row.excess(moved) < excess:
                z, excess = moved, row.excess(moved)
        if excess >= before * (1 - _TIE):
            break
    return z


def _inside(z: Codes, steps: int, u: Codes, top: Array) -> int:
    """``steps``, or as many in that direction as leave z + steps · u inside the box."""
    way = np.sign(steps) * u
    room = np.where(way > 0, top - z, z)[way != 0] // np.abs(way[way != 0])
    return int(np.sign(steps)) * min(abs(steps), int(np.min(room)))


@dataclass(frozen=True)
class _Level:
    """What fixing one coordinate of y does, in the reduced basis.

    Attributes:
        length: R_kk, by which a step away from the centre costs.
        along_y: how the centres of the lower coordinates move with one step.
        along_z: how the codes at those centres move.
        reach: how far each code can still move for a unit of the square root of error.
    """

    length: float
    along_y: list[float]
    along_z: list[float]
    reach: list[float]


def _levels(basis: Basis) -> list[_Level]:
    """One level for each coordinate; the last is fixed first."""
    size = len(basis.factor)
    inverse = np.eye(size)  # of the factor, column by column
    for k in range(size):
        for i in reversed(range(k + 1)):
            rest = np.sum(basis.factor[i, i + 1 :] * inverse[i + 1 :, k])
            inverse[i, k] = ((i == k) - rest) / basis.factor[i, i]
    to_codes = np.zeros((size, size))  # U R⁻¹
    for j in range(size):
        to_codes += basis.vectors[:, j, None] * inverse[j]
    reach = np.sqrt(np.cumsum(to_codes**2, axis=1))
    return [
        _Level(
            length=float(basis.factor[k, k]),
            along_y=(inverse[:k, k] * basis.factor[k, k]).tolist(),
            along_z=(to_codes[:, k] * basis.factor[k, k]).tolist(),
            reach=reach[:, k - 1].tolist() if k else [0.0] * size,
        )
        for k in range(size)
    ]


@dataclass
class _Search:
    """Depth-first enumeration of the integer points that are better than the best known.

    Errors here are what f(z) exceeds f(x) by: the curvature (z - x)ᵀH(z - x), summed up on the
    way down, and the slope g·(z - x), which is not negative in the box and is added at the end.
    """

    levels: list[_Level]
    top: list[float]
    corner: list[float]
    slope: list[float]
    best: float
    budget: int
    nodes: int = 0
    found: list[int] | None = None
    unseen: float = np.inf

    def visit(self, k: int, spent: float, y: list[float], z: list[float]) -> None:
        """Try the values of coordinate k, given those after it.

        Args:
            k: the coordinate.
            spent: curvature so far.
            y: the best real values of coordinates 0 … k, given those after them.
            z: the codes at y.
        """
        level = self.levels[k]
        for value in _outwards(y[k]):
            off = value - y[k]
            error = spent + (level.length * off) ** 2
            if error >= self.best:
                return
            if self.nodes >= self.budget:
                self.unseen = min(self.unseen, error)
                return
            self.nodes += 1
            moved = [a + off * b for a, b in zip(z, level.along_z, strict=True)]
            if k == 0:
                self._take(error, [round(a) for a in moved])
            elif self._can_enter(self.best - error, moved, level.reach):
                centre = [a + off * b for a, b in zip(y, level.along_y, strict=False)]
                self.visit(k - 1, error, centre, moved)

    def _can_enter(self, left: float, z: list[float], reach: list[float]) -> bool:
        """Whether the error that is left lets every code come back into the box."""
        for code, top, most in zip(z, self.top, reach, strict=True):
            outside = -code if code < 0 else code - top
            if outside > _OUTSIDE and outside * outside > left * most * most:
                return False
        return True

    def _take(self, curvature: float, z: list[int]) -> None:
        if not all(0 <= code <= top for code, top in zip(z, self.top, strict=True)):
            return
        climbs = zip(self.slope, z, self.corner, strict=True)
        error = curvature + sum(slope * (code - corner) for slope, code, corner in climbs)
        if error < self.best:
            self.best, self.found = error, z


def _outwards(centre: float) -> Iterator[int]:
    """The integers, nearest to the centre first (Schnorr & Euchner)."""
    value = round(centre)
    way = 1 if centre > value else -1
    for step in range(1, 2**62):
        yield value
        value += way * step
        way = -way
