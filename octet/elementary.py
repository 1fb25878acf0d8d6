"""exp, sigmoid, tanh and softmax with the same bits on every CPU.

NumPy's own depend on the vector instructions of the machine. These use nothing but what IEEE 754
rounds correctly everywhere (+, -, ×, ÷), exact scaling by powers of 2, and sums in a fixed order.
"""

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# ln 2 in two parts: the first has 33 bits, so that its multiples up to 1,100 are exact (the split
# of fdlibm, Sun Microsystems 1993, e_exp.c).
_LN2_HIGH = float.fromhex("0x1.62e42feep-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
# Of (exp r - 1 - r) / r² for |r| ≤ ln 2 / 2, highest power first; the next term is below 2⁻⁵⁷.
_TAYLOR = tuple(1 / math.factorial(n) for n in range(13, 1, -1))
# Beyond these exp is 0 or infinite.
_LEAST, _MOST = -746.0, 710.0
_SPLITTER = 2.0**27 + 1


def exp(x: npt.ArrayLike) -> Array:
    """The exponential function of each value, float64, with an error below 1 ulp."""
    power, r, tail = _reduce(np.asarray(x, np.float64))
    return np.asarray(np.ldexp(1 + (r + tail), power))


def sigmoid(x: npt.ArrayLike) -> Array:
    """1 / (1 + exp(-x)), float64, with an error below 1 ulp."""
    x = np.asarray(x, np.float64)
    power, r, tail = _reduce(-np.abs(x))
    v, low = (np.ldexp(part, power) for part in _sum(1.0, r, tail))
    positive = x >= 0
    ratio = _ratio(np.where(positive, 1.0, v), np.where(positive, 0.0, low), *_sum(1.0, v, low))
    return np.asarray(np.where(np.isnan(x), x, ratio))


def tanh(x: npt.ArrayLike) -> Array:
    """The hyperbolic tangent, float64, with an error below 2 ulp.

    -u / (2 + u) for u = exp(-2 |x|) - 1, found without taking 1 from what is close to it.
    """
    x = np.asarray(x, np.float64)
    power, r, tail = _reduce(-2 * np.abs(x))
    u, low = _sum(np.ldexp(1.0, power) - 1, np.ldexp(r, power), np.ldexp(tail, power))
    return np.asarray(np.copysign(_ratio(u, low, *_sum(2.0, u, low)), x))


def softmax(x: npt.ArrayLike, axis: int = -1) -> Array:
    """exp(x) over its sum along the axis, float64; the sum is taken in order."""
    x = np.asarray(x, np.float64)
    shares = exp(x - np.max(x, axis=axis, keepdims=True))
    return np.asarray(shares / np.take(np.add.accumulate(shares, axis), [-1], axis))


def _reduce(x: Array) -> tuple[npt.NDArray[np.intc], Array, Array]:
    """Split exp(x) into 2ᵏ (1 + r + t): Cody & Waite's reduction, and Taylor's series.

    Returns:
        k; r, at most ln 2 / 2 in size; and t, the rest, at most 0.07, to 56 bits behind the point.
        Where x is not a number, neither are these two.
    """
    x = np.clip(x, _LEAST, _MOST)
    turns = np.rint(x * (1 / math.log(2)))
    high, low = x - turns * _LN2_HIGH, turns * _LN2_LOW  # the first is exact
    r = high - low
    lost = (high - r) - low
    series = np.full_like(r, _TAYLOR[0])
    for coefficient in _TAYLOR[1:]:
        series = series * r + coefficient
    return np.nan_to_num(turns).astype(np.intc), r, r * r * series + lost


def _sum(large: Array | float, small: Array, low: Array) -> tuple[Array, Array]:
    """A sum and what its rounding lost, for a first term that is 0 or larger than the others."""
    high = large + small
    low = (small - (high - large)) + low
    return high + low, low - ((high + low) - high)


def _ratio(a: Array, a_low: Array, b: Array, b_low: Array) -> Array:
    """(a + a_low) / (b + b_low), nearly rounded: a quotient, mended by what remains of it.

    The product of quotient and b is exact, by the halves of both (Dekker, A Floating-Point
    Technique for Extending the Available Precision, 1971).
    """
    quotient = a / b
    (q_high, q_low), (b_half, b_rest) = _halves(quotient), _halves(b)
    product = quotient * b
    error = ((q_high * b_half - product) + q_high * b_rest + q_low * b_half) + q_low * b_rest
    rest = ((a - product) - error) + (a_low - quotient * b_low)
    return np.asarray(quotient + rest / b)


def _halves(x: Array) -> tuple[Array, Array]:
    """Two numbers of 26 bits whose sum x is."""
    shifted = _SPLITTER * x
    high = shifted - (shifted - x)
    return high, x - high
