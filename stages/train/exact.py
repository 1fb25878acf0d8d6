"""Real numbers as integers, in which sums and products are exact in any order, on any CPU."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from octet.affine import Array

Whole = npt.NDArray[np.object_]


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
