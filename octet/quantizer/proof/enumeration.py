"""Depth-first search of a box for the integer points that lie nearest to a point x.

The distance is f(z) - f(x) = g·(z - x) + (z - x)ᵀH(z - x): a slope g that is nowhere negative in
the box, and a curvature. In a basis with H = RᵀR, R upper triangular, the curvature is a sum of
squares, one for each coordinate, and a coordinate that is fixed has its square for good: so
coordinates are fixed from the last to the first, their values tried nearest first (Schnorr &
Euchner, Lattice Basis Reduction, 1994), and a branch ends where its sum exceeds the best known.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from octet.affine import Array
from octet.quantizer.proof.reduction import Basis

# A code this far outside the box is outside by more than rounding error, which can be 1e-5 for a
# nearly singular H. Codes are integers: the margin lets none through that is not in the box.
_OUTSIDE = 0.25


@dataclass(frozen=True)
class Box:
    """Where to search, in units of codes; everything is ``(n,)``.

    Attributes:
        top: the largest codes; the smallest are 0.
        centre: x, inside the box.
        slope: g; 0 where x is not on the boundary, else pointing out of the box.
    """

    top: Array
    centre: Array
    slope: Array


@dataclass(frozen=True)
class Level:
    """What fixing one coordinate y_k does.

    Attributes:
        length: R_kk: a step away from the best real value costs its square times the step's.
        along_y: how the best real values of the lower coordinates move with one step.
        along_z: how the codes at those values move.
        reach: how far the lower coordinates can still move each code for a unit of distance.
    """

    length: float
    along_y: list[float]
    along_z: list[float]
    reach: list[float]


def levels(basis: Basis) -> list[Level]:
    """One level for each coordinate; the last is fixed first."""
    size = len(basis.factor)
    to_codes = basis.to_codes()
    inverse = np.zeros((size, size))
    for j in range(size):
        inverse += basis.inverse[:, j, None] * to_codes[j]
    reach = np.sqrt(np.cumsum(to_codes**2, axis=1))
    return [
        Level(
            length=float(basis.factor[k, k]),
            along_y=(inverse[:k, k] * basis.factor[k, k]).tolist(),
            along_z=(to_codes[:, k] * basis.factor[k, k]).tolist(),
            reach=reach[:, k - 1].tolist() if k else [0.0] * size,
        )
        for k in range(size)
    ]


class Search:
    """One search, and what has come of it.

    Attributes:
        best: the distance of the best point known.
        point: it, unless none is better than the first.
        nodes: how many values were tried.
        unseen: no point that was not looked at is nearer than this; infinite if all were.
    """

    def __init__(self, basis: Basis, box: Box, best: float, tolerance: float, budget: int) -> None:
        """Search ``box`` for what is nearer than ``best``.

        Args:
            basis: of the lattice, with the triangular factor of H in it.
            box: where to search.
            best: a distance that is already reached.
            tolerance: how much of a distance may be rounding error.
            budget: how many values to try at most.
        """
        self.best, self.point = best, None
        self.nodes, self.unseen = 0, np.inf
        self._levels = levels(basis)
        self._top: list[float] = box.top.tolist()
        self._corner: list[float] = box.centre.tolist()
        self._slope: list[float] = box.slope.tolist()
        self._widened = 1 + tolerance
        self._budget = budget
        centre = np.sum(basis.inverse * box.centre, axis=1)
        self._visit(len(self._levels) - 1, 0.0, centre.tolist(), self._corner)

    point: list[int] | None

    def _visit(self, k: int, spent: float, y: list[float], z: list[float]) -> None:
        """Try the values of coordinate k, given those after it.

        Args:
            k: the coordinate.
            spent: curvature so far.
            y: the best real values of coordinates 0 … k, given those after them.
            z: the codes at y.
        """
        level = self._levels[k]
        # Where even the nearest value is too far, the window, which takes longest, is not needed.
        nearest = spent + (level.length * (round(y[k]) - y[k])) ** 2
        if nearest >= self.best * self._widened:
            return
        for value in _outwards(y[k], *self._window(level, spent, y[k], z)):
            off = value - y[k]
            distance = spent + (level.length * off) ** 2
            if distance >= self.best * self._widened:
                return
            if self.nodes >= self._budget:
                self.unseen = min(self.unseen, distance)
                return
            self.nodes += 1
            moved = [a + off * b for a, b in zip(z, level.along_z, strict=True)]
            if k == 0:
                self._take(distance, [round(a) for a in moved])
            else:
                centre = [a + off * b for a, b in zip(y, level.along_y, strict=False)]
                self._visit(k - 1, distance, centre, moved)

    def _window(
        self, level: Level, spent: float, centre: float, z: list[float]
    ) -> tuple[float, float]:
        """The values from which every code can still come into the box, for the distance left."""
        left = math.sqrt(max(self.best * self._widened - spent, 0.0))
        low, high = -math.inf, math.inf
        for code, along, top, reach in zip(z, level.along_z, self._top, level.reach, strict=True):
            below, above = -_OUTSIDE - reach * left - code, top + _OUTSIDE + reach * left - code
            if along == 0:
                if below > 0 or above < 0:
                    return 1.0, 0.0
                continue
            if along < 0:
                below, above = above, below
            # Not max and min, which are calls: most of the time of a search is spent here.
            if (least := below / along) > low:
                low = least
            if (most := above / along) < high:
                high = most
        return centre + low, centre + high

    def _take(self, curvature: float, z: list[int]) -> None:
        if not all(0 <= code <= top for code, top in zip(z, self._top, strict=True)):
            return
        climbs = zip(self._slope, z, self._corner, strict=True)
        distance = curvature + sum(slope * (code - corner) for slope, code, corner in climbs)
        if distance < self.best:
            self.best, self.point = distance, z


def _outwards(centre: float, low: float, high: float) -> Iterator[int]:
    """The integers from low to high, nearest to the centre first."""
    up = math.floor(centre) + 1 if low <= centre else math.ceil(low)
    down = math.floor(centre) if centre <= high else math.floor(high)
    while down >= low or up <= high:
        if up > high or (down >= low and centre - down <= up - centre):
            yield down
            down -= 1
        else:
            yield up
            up += 1
