"""Sums over windows of images: the patches under a kernel, and products of them that are exact."""

import math
from functools import reduce
from itertools import product
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from octet.affine import Array

Number = TypeVar("Number", bound=np.number)

_EXACT_BITS = 53  # integers up to 2**53 are float64, and so are their sums below that


def patches(x: npt.NDArray[Number], side: int, padding: int) -> npt.NDArray[Number]:
    """What each position of a kernel sees.

    Args:
        x: ``(rows, channels, height, width)``, in which 0 is what padding stands for.
        side: of the kernel.
        padding: zeros added on each side of an image.

    Returns:
        ``(rows, channels · side², positions)``, positions in C order, of the dtype of ``x``.
    """
    rows, channels, height, width = x.shape
    if padding:
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    high, wide = height + 2 * padding - side + 1, width + 2 * padding - side + 1
    seen = np.empty((rows, channels, side, side, high, wide), x.dtype)
    for i in range(side):
        for j in range(side):
            seen[:, :, i, j] = x[:, :, i : i + high, j : j + wide]
    return seen.reshape(rows, channels * side * side, high * wide)


def max_pool(x: npt.NDArray[Number], side: int) -> npt.NDArray[Number]:
    """``(rows, channels, height, width)``: the largest of each tile of ``side`` by ``side``."""
    corners = product(range(side), repeat=2)
    return reduce(np.maximum, [x[:, :, i::side, j::side] for i, j in corners])


def flatten(x: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """``(rows, …)`` to ``(rows, values)``, in C order."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def correlate(x: Array, weight: Array, padding: int) -> Array:
    """Cross-correlation, with the same bits on every CPU and for every batch size.

    BLAS adds in an order that depends on the CPU, which shows in the last bits unless sums are
    exact. So both factors are rounded first, to integers times a power of two: the largest weight
    of each output, and the largest value of each image, keep t = (53 - ⌈log₂ inputs⌉) / 2 bits. A
    sum of ``inputs`` products then stays below 2⁵³, where float64 adds integers without rounding.
    This is the first slice of the scheme of Ozaki et al. (Error-free transformations of matrix
    multiplication, 2012). With t = 22 for 216 inputs, what is lost is some 10⁻⁷ of the largest
    value of an image times the largest weight of an output.

    Args:
        x: ``(rows, channels, height, width)``.
        weight: ``(outputs, channels, side, side)``.
        padding: zeros added on each side of an image.

    Returns:
        ``(rows, outputs, height', width')``.
    """
    outputs, side = len(weight), weight.shape[2]
    flat = weight.reshape(outputs, -1)
    bits = (_EXACT_BITS - (flat.shape[1] - 1).bit_length()) // 2
    unit, units = _unit(flat[None], bits), _unit(flatten(x)[:, None], bits)
    seen = patches(np.rint(x / units[..., None]), side, padding)
    exact = np.matmul(np.rint(flat / unit[0]), seen)
    exact *= unit * units
    sides = [length + 2 * padding - side + 1 for length in x.shape[2:]]
    return np.asarray(exact).reshape(len(x), outputs, *sides)


def _unit(x: Array, bits: int) -> Array:
    """A power of two of which no value of a row ``(rows, 1, values)`` is 2**bits times as much."""
    largest = np.maximum(np.max(x, axis=2, keepdims=True), -np.min(x, axis=2, keepdims=True))
    unit = np.ldexp(1.0, np.frexp(largest)[1] - bits)
    return np.asarray(np.maximum(unit, np.finfo(np.float64).smallest_normal))
