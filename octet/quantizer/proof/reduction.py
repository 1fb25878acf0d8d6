"""Short, nearly orthogonal bases of a lattice, by Lenstra, Lenstra and Lovász (1982)."""

from dataclasses import dataclass

import numpy as np

from octet.affine import Array, Integers
from octet.quantizer.hessian import factor

_DELTA = 0.99
# No step makes integers larger than this, at which their products with floats stay exact. Inputs
# that would need one are decades apart, and do with a basis that is less short.
_LARGEST = 2.0**40
# For each vector; far more than it takes, and an end should rounding errors make it go in circles.
_MOST_SWAPS = 1000


@dataclass(frozen=True)
class Basis:
    """A basis of the integers in which a quadratic form is nearly diagonal.

    Attributes:
        vectors: U, the new directions as columns, integers of determinant ±1, ``(n, n)``.
        inverse: U⁻¹, integers.
        factor: R, upper triangular, with RᵀR = UᵀHU.
    """

    vectors: Integers
    inverse: Integers
    factor: Array

    def to_codes(self) -> Array:
        """U R⁻¹, ``(n, n)``: how a step of unit error along each coordinate moves the codes.

        (U R⁻¹)(U R⁻¹)ᵀ is H⁻¹, in whatever basis.
        """
        moved = np.zeros(self.factor.shape)
        for k in range(len(self.factor)):
            rest = np.zeros(len(self.factor))
            for j in range(k):
                rest += moved[:, j] * self.factor[j, k]
            moved[:, k] = (self.vectors[:, k] - rest) / self.factor[k, k]
        return moved


def unit_basis(hessian: Array) -> Basis:
    """The codes themselves as coordinates."""
    unit = np.eye(len(hessian), dtype=np.int64)
    return Basis(unit, unit, factor(hessian))


def reduce_basis(hessian: Array) -> Basis:
    """Directions that change the output little and are nearly independent of each other.

    Correlated inputs make the original directions nearly parallel, and a search along them visits
    thousands of codes that a search along these need not (Agrell et al., Closest Point Search in
    Lattices, 2002). The algorithm is Cohen's 2.6.3 (A Course in Computational Algebraic Number
    Theory), on the triangular factor.

    Args:
        hessian: H in units of codes, ``(n, n)``, definite.
    """
    size = len(hessian)
    vectors, inverse = np.eye(size, dtype=np.int64), np.eye(size, dtype=np.int64)
    r = factor(hessian)
    # Of each column of one and row of the other, a bound on its largest integer.
    reach, inverse_reach = [1.0] * size, [1.0] * size
    k, swaps = 1, 0
    while k < size and swaps < _MOST_SWAPS * size:
        for j in reversed(range(k)):
            if 2 * abs(r[j, k]) <= r[j, j]:
                continue
            multiple = float(np.rint(r[j, k] / r[j, j]))
            if abs(multiple) * max(reach[j], inverse_reach[k]) > _LARGEST:
                reach[j] = float(np.max(np.abs(vectors[:, j])))
                inverse_reach[k] = float(np.max(np.abs(inverse[k])))
                if abs(multiple) * max(reach[j], inverse_reach[k]) > _LARGEST:
                    continue
            times = int(multiple)
            r[:, k] -= times * r[:, j]
            vectors[:, k] -= times * vectors[:, j]
            inverse[j] += times * inverse[k]
            reach[k] += abs(multiple) * reach[j]
            inverse_reach[j] += abs(multiple) * inverse_reach[k]
        if r[k, k] ** 2 + r[k - 1, k] ** 2 >= _DELTA * r[k - 1, k - 1] ** 2:
            k += 1
            continue
        swaps += 1
        swap, swapped = [k - 1, k], [k, k - 1]
        r[:, swap], vectors[:, swap] = r[:, swapped], vectors[:, swapped]
        inverse[swap] = inverse[swapped]
        for bounds in (reach, inverse_reach):
            bounds[k - 1], bounds[k] = bounds[k], bounds[k - 1]
        _make_triangular_again(r, k)
        k = max(k - 1, 1)
    return Basis(vectors, inverse, r)


def _make_triangular_again(r: Array, k: int) -> None:
    """Rotate rows k-1 and k so that R is upper triangular with a positive diagonal (Givens)."""
    a, b = r[k - 1, k - 1], r[k, k - 1]
    length = np.sqrt(a * a + b * b)
    cos, sin = a / length, b / length
    upper, lower = r[k - 1].copy(), r[k].copy()
    r[k - 1] = cos * upper + sin * lower
    r[k] = cos * lower - sin * upper
    r[k, k - 1] = 0.0
    if r[k, k] < 0:
        r[k] = -r[k]
