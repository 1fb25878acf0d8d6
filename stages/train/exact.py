"""Real numbers as integers, in which sums and products are exact in any order, on any CPU."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.products import multiply

Whole = npt.NDArray[np.object_]

# Float64 has every integer up to 2 to this.
_EXACT_BITS = 53
_LEAST_EXPONENT = -1074


@dataclass(frozen=True)
class Sum:
    """Real numbers, exactly.

    Attributes:
        numbers: integers.
        bits: over 2 to this many.
    """

    numbers: Whole
    bits: int

    def __add__(self, other: Self) -> "Sum":
        bits = max(self.bits, other.bits)
        return Sum(self.over(bits) + other.over(bits), bits)

    def over(self, bits: int) -> Whole:
        """The integers that they are over 2 to so many bits, not fewer than there are."""
        return np.asarray(self.numbers << (bits - self.bits))


def products(x: Array, counts: Array) -> Sum:
    """Σ c x xᵀ of rows x ``(rows, columns)`` that count c ``(rows,)``, exactly, as fast as BLAS.

    A column is taken apart into slices, each of few bits below the largest that is left of it, so
    that sums of products of slices are integers that float64 has, in whatever order BLAS adds
    (Ozaki et al., Error-free transformations of matrix multiplication by using fast routines of
    matrix multiplication, Numerical Algorithms, 2012). So sums of parts add up to that of all rows.

    Returns:
        ``(columns, columns)``.
    """
    factors = _factors(counts)
    most = max(int(np.max(np.abs(factor), initial=1)) for _, factor in factors)
    width = (_EXACT_BITS - (len(x) * most).bit_length()) // 2
    slices = [(j, *each) for j, column in enumerate(x.T) for each in _slices(column, width)]
    lowest = min((exponent for _, exponent, _ in slices), default=0)
    least = min(exponent for exponent, _ in factors)
    total: Whole = np.full((x.shape[1], x.shape[1]), 0, object)
    stacked = np.array([whole for *_, whole in slices])
    for exponent, factor in factors if slices else ():
        # BLAS computes the product of a matrix with itself in half the time.
        weighted = stacked if np.all(factor == 1) else stacked * factor
        sums = multiply(weighted, stacked.T).tolist()
        for (i, high, _), row in zip(slices, sums, strict=True):
            for (j, other, _), value in zip(slices, row, strict=True):
                total[i, j] += int(value) << (high + other - 2 * lowest + exponent - least)
    bits = -2 * lowest - least
    return Sum(total, bits) if bits >= 0 else Sum(total << -bits, 0)


def _factors(counts: Array) -> list[tuple[int, Array]]:
    """The slices of counts: one, where they are whole and small."""
    width = (_EXACT_BITS - len(counts).bit_length()) // 3
    if np.max(counts, initial=1) <= 2**width and np.array_equal(counts, np.rint(counts)):
        return [(0, counts)]
    return _slices(counts, width)


def _slices(column: Array, width: int) -> list[tuple[int, Array]]:
    """Integers up to 2**width that make up a column, each with the exponent of their unit."""
    rest, slices = column.copy(), []
    while (largest := float(np.max(np.abs(rest), initial=0.0))) > 0:
        exponent = max(int(np.frexp(largest)[1]) - width, _LEAST_EXPONENT)
        unit = np.ldexp(1.0, exponent)
        slices.append((exponent, np.rint(rest / unit)))
        rest -= slices[-1][1] * unit
    return slices


def integers(array: Array) -> tuple[Whole, int]:
    """The same numbers as integers over 2**bits, without rounding."""
    ratios = [value.as_integer_ratio() for value in array.ravel().tolist()]
    bits = max(denominator.bit_length() - 1 for _, denominator in ratios)
    whole: list[Any] = [n << (bits - d.bit_length() + 1) for n, d in ratios]
    return np.array(whole, object).reshape(array.shape), bits


def fixed(array: Array, bits: int) -> Whole:
    """Numbers in units of 2**-bits, rounded down."""
    ratios = [value.as_integer_ratio() for value in array.ravel().tolist()]
    return np.array([(n << bits) // d for n, d in ratios], object).reshape(array.shape)


def floats(numbers: Whole, bits: int) -> Array:
    """Whole over 2**bits as the nearest float64, however large both are."""
    unit = 1 << bits
    nearest = [float(Fraction(number, unit)) for number in numbers.ravel().tolist()]
    return np.array(nearest).reshape(numbers.shape)


def largest(numbers: Whole) -> int:
    """The largest absolute value."""
    return int(np.max(np.abs(numbers)))


def exp(x: Whole, bits: int) -> Whole:
    """The exponential function in units of 2**-bits, in integers only, of x ≤ 0 in such units.

    With x = k ln 2 + r, it is 2ᵏ exp(r / 2⁸)^(2⁸), the second by Taylor's series. Wrong by less
    than 2 units.
    """
    guarded = bits + 16
    ln2 = _ln2(guarded)
    scaled = x << 16
    turns = scaled // ln2
    r = (scaled - turns * ln2) >> 8
    term = power = np.full(x.shape, 1 << guarded, object)
    n = 0
    while np.any(term):
        n += 1
        term = (term * r >> guarded) // n
        power = power + term
    for _ in range(8):
        power = power * power >> guarded
    return np.asarray(power >> (16 - turns))


def _ln2(bits: int) -> int:
    """Ln 2 in units of 2**-bits: the sum of 1 / (n 2ⁿ)."""
    guarded = bits + 16
    return sum((1 << guarded - n) // n for n in range(1, guarded)) >> 16
