"""Short, nearly orthogonal bases of a lattice, by Lenstra, Lenstra and Lovász (1982)."""

import math
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
    # By columns, the inverse by rows; lists, for arrays of so few numbers take longer to call.
    r: list[list[float]] = factor(hessian).T.tolist()
    vectors: list[list[int]] = np.eye(size, dtype=np.int64).tolist()
    inverse: list[list[int]] = np.eye(size, dtype=np.int64).tolist()
    # Of each column of one and row of the other, a bound on its largest integer.
    reach, inverse_reach = [1.0] * size, [1.0] * size
    k, swaps = 1, 0
    while k < size and swaps < _MOST_SWAPS * size:
        for j in reversed(range(k)):
            if 2 * abs(r[k][j]) <= r[j][j]:
                continue
            times = round(r[k][j] / r[j][j])
            if abs(times) * max(reach[j], inverse_reach[k]) > _LARGEST:
                reach[j] = float(max(map(abs, vectors[j])))
                inverse_reach[k] = float(max(map(abs, inverse[k])))
                if abs(times) * max(reach[j], inverse_reach[k]) > _LARGEST:
                    continue
            r[k] = [a - times * b for a, b in zip(r[k], r[j], strict=True)]
            vectors[k] = [a - times * b for a, b in zip(vectors[k], vectors[j], strict=True)]
            inverse[j] = [a + times * b for a, b in zip(inverse[j], inverse[k], strict=True)]
            reach[k] += abs(times) * reach[j]
            inverse_reach[j] += abs(times) * inverse_reach[k]
        if r[k][k] ** 2 + r[k][k - 1] ** 2 >= _DELTA * r[k - 1][k - 1] ** 2:
            k += 1
            continue
        swaps += 1
        swap, swapped = slice(k - 1, k + 1), slice(k, k - 2 if k > 1 else None, -1)
        r[swap], vectors[swap], inverse[swap] = r[swapped], vectors[swapped], inverse[swapped]
        reach[swap], inverse_reach[swap] = reach[swapped], inverse_reach[swapped]
        _make_triangular_again(r, k)
        k = max(k - 1, 1)
    return Basis(np.array(vectors).T, np.array(inverse), np.array(r).T)


def _make_triangular_again(r: list[list[float]], k: int) -> None:
    """Rotate rows k-1 and k so that R is upper triangular with a positive diagonal (Givens)."""
    a, b = r[k - 1][k - 1 : k + 1]
    length = math.sqrt(a * a + b * b)
    cos, sin = a / length, b / length
    sign = -1.0 if cos * r[k][k] - sin * r[k][k - 1] < 0 else 1.0
    for column in r[k - 1 :]:
        upper, lower = column[k - 1 : k + 1]
        column[k - 1 : k + 1] = cos * upper + sin * lower, sign * (cos * lower - sin * upper)
    r[k - 1][k] = 0.0
