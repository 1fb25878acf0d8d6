"""Sums of products over what a kernel sees of images, exact, so that their order is free."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from octet.affine import Array
from octet.layers.windows import Number, Sides, Window, padded
from octet.products import multiply

Result = TypeVar("Result", bound=np.number)

# Numbers of the columns that are multiplied together: they fit into a cache.
_TOGETHER = 2**17
# From how many rows on they come last in memory, and how many of them then go together.
_MANY, _ROWS = 16, 64
# See `_multiply`.
_SMALL, _SHORTEST, _LONGEST = 10**6, 64, 1024
_EXACT_BITS = 53  # integers up to 2**53 are float64, and so are their sums below that


@dataclass(frozen=True)
class Unfolded(Generic[Number]):
    """What a kernel sees of images, a column for each place where it stands.

    With a stride of 1, these are slices of the padded images end to end, which are fast to copy. At
    some of their places the kernel stands across an edge; they are no positions of the window.

    Attributes:
        columns: ``(groups, inputs of one output, rows · down · across)``.
        places: rows, down and across.
        positions: how many of down and across are those of the window.
    """

    columns: npt.NDArray[Number]
    places: tuple[int, int, int]
    positions: Sides

    def at_positions(self, x: npt.NDArray[Result]) -> npt.NDArray[Result]:
        """Of numbers ``(…, places)`` those ``(…, rows, positions down, positions across)``."""
        high, wide = self.positions
        return x.reshape(*x.shape[:-1], *self.places)[..., :high, :wide]


def unfold(x: npt.NDArray[Number], where: Window, groups: int = 1) -> Unfolded[Number]:
    """What each position of a kernel sees, 0 in the padding.

    Args:
        x: ``(rows, channels, height, width)``.
        where: the window.
        groups: into which the channels are shared out, in their order.
    """
    rows, channels, height, width = x.shape
    high, wide = where.positions(x.shape[1:])
    inputs = channels // groups * math.prod(where.sides)
    if where.stride != (1, 1):
        columns = patches(x, where, groups).reshape(groups, inputs, rows * high * wide)
        return Unfolded(columns, (rows, high, wide), (high, wide))
    _, down, across = padded(x.shape[1:], where.padding)
    count, behind = rows * down * across, (where.sides[0] - 1) * across + where.sides[1] - 1
    line = np.zeros((channels, count + behind), x.dtype)
    top, left, _, _ = where.padding
    images = line[:, :count].reshape(channels, rows, down, across)
    images[:, :, top : top + height, left : left + width] = x.swapaxes(0, 1)
    of_channel, step = line.strides
    seen = as_strided(
        line, (channels, *where.sides, count), (of_channel, across * step, step, step)
    )
    columns = np.ascontiguousarray(seen).reshape(groups, inputs, count)
    return Unfolded(columns, (rows, down, across), (high, wide))


def patches(x: npt.NDArray[Number], where: Window, groups: int = 1) -> npt.NDArray[Number]:
    """What each position of a kernel sees, 0 in the padding, and no place but these.

    Arguments as `unfold`; ``(groups, inputs of one output, rows, positions down, across)``.
    """
    rows, channels, _, _ = x.shape
    high, wide = where.positions(x.shape[1:])
    seen = np.empty((channels, *where.sides, rows, high, wide), x.dtype)
    for i, j, part in where.slices(x, 0):
        seen[:, i, j] = part.swapaxes(0, 1)
    inputs = channels // groups * math.prod(where.sides)
    return seen.reshape(groups, inputs, rows, high, wide)


def products(
    x: npt.NDArray[np.number],
    weight: npt.NDArray[Number],
    where: Window,
    finish: Callable[[npt.NDArray[Number]], npt.NDArray[Result]],
) -> npt.NDArray[Result]:
    """What becomes of sums of products that the type holds without rounding: their order is free.

    Args:
        x: ``(rows, channels, height, width)``, which the type of the weight holds.
        weight: ``(groups, outputs of one, inputs of one output)``.
        where: the window.
        finish: what to do with some of the sums, ``(…, outputs, any number)``; it may overwrite
            them.

    Returns:
        ``(rows, outputs, positions down, positions across)``; in memory, rows come last where there
        are many, which is how the next layer likes them best.
    """
    if len(x) < _MANY:
        return _products_of_few(x, weight, where, finish)
    parts = [
        finish(_sums_of_many(x[first : first + _ROWS], weight, where))
        for first in range(0, len(x), _ROWS)
    ]
    together = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=3)
    return together.transpose(3, 2, 0, 1)


def _products_of_few(
    x: npt.NDArray[np.number],
    weight: npt.NDArray[Number],
    where: Window,
    finish: Callable[[npt.NDArray[Number]], npt.NDArray[Result]],
) -> npt.NDArray[Result]:
    """As `products`, with all that the kernel sees side by side."""
    groups, outputs, inputs = weight.shape
    whole = x.astype(weight.dtype, copy=False)
    _, down, across = padded(x.shape[1:], where.padding)
    together = max(1, _TOGETHER // (groups * inputs * down * across))
    parts = []
    for first in range(0, max(len(x), 1), together):
        seen = unfold(whole[first : first + together], where, groups)
        sums = _multiply(weight, seen.columns)
        sums = sums.reshape(groups * outputs, sums.shape[2])
        parts.append(seen.at_positions(finish(sums)))
    return np.concatenate(parts, axis=1).swapaxes(0, 1)


def _sums_of_many(
    x: npt.NDArray[np.number], weight: npt.NDArray[Number], where: Window
) -> npt.NDArray[Number]:
    """The sums ``(positions down, positions across, outputs, rows)``.

    With rows last, what a kernel sees at one position is one piece of memory as soon as the lines
    of the image that it covers are interleaved: no window is copied, and each is a matrix that a
    BLAS multiplies as it stands, a column for each row.
    """
    groups, outputs, inputs = weight.shape
    lines = _lines(x, where, groups, weight.dtype)
    _, high, _, side, channels, rows = lines.shape
    _, wide = where.positions(x.shape[1:])
    of_group, of_line, of_column, _, of_channel, of_row = lines.strides
    seen = as_strided(
        lines,
        (groups, high, wide, inputs, rows),
        (of_group, of_line, where.stride[1] * of_column, of_channel, of_row),
    )
    interleaved = weight.reshape(groups, outputs, channels, side, -1).transpose(0, 1, 4, 3, 2)
    sums = np.empty((high, wide, groups, outputs, rows), weight.dtype)
    multiply(
        interleaved.reshape(groups, 1, 1, outputs, inputs), seen, sums.transpose(2, 0, 1, 3, 4)
    )
    return sums.reshape(high, wide, groups * outputs, rows)


def _lines(
    x: npt.NDArray[np.number], where: Window, groups: int, dtype: np.dtype[Number]
) -> npt.NDArray[Number]:
    """The lines of padded images that a kernel covers, for each position down.

    Returns:
        ``(groups, positions down, width, height of the kernel, channels of a group, rows)``, one
        piece of memory.
    """
    rows, channels, height, width = x.shape
    high, _ = where.positions(x.shape[1:])
    _, down, across = padded(x.shape[1:], where.padding)
    top, left, _, _ = where.padding
    images = np.empty((down, across, channels, rows), dtype)
    if any(where.padding):
        images[:] = 0
    images[top : top + height, left : left + width] = x.transpose(2, 3, 1, 0)
    images = images.reshape(*images.shape[:2], groups, channels // groups, rows)
    images = images.transpose(2, 0, 1, 3, 4)
    side, step = where.sides[0], where.stride[0]
    if side == step == 1:
        return np.ascontiguousarray(images[:, :, :, None])
    lines = np.empty((groups, high, across, side, channels // groups, rows), dtype)
    for i in range(side):
        lines[:, :, :, i] = images[:, i : i + step * (high - 1) + 1 : step]
    return lines


def _multiply(a: npt.NDArray[Number], b: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """The product of matrices ``(groups, m, n)`` and ``(groups, n, many)``, piece by piece.

    A BLAS copies large matrices into an order of its own first, which costs more than it gains
    where m and n are as small as here: OpenBLAS does from m · n · columns = 10⁶ on.
    """
    product = np.empty((*a.shape[:2], b.shape[2]), a.dtype)
    size = min(max(_SMALL // (a.shape[1] * a.shape[2]), _SHORTEST), _LONGEST)
    whole = b.shape[2] - b.shape[2] % size
    multiply(a[:, None], _pieces(b, size), _pieces(product, size))
    multiply(a, b[..., whole:], product[..., whole:])
    return product


def _pieces(matrix: npt.NDArray[Number], size: int) -> npt.NDArray[Number]:
    """``(groups, rows, many)`` as ``(groups, many // size, rows, size)``."""
    *shape, many = matrix.shape
    return matrix[..., : many - many % size].reshape(*shape, many // size, size).swapaxes(1, 2)


def correlate(x: Array, weight: Array, where: Window, groups: int = 1) -> Array:
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
        weight: ``(outputs, channels / groups, *sides)``.
        where: the window; its sides are those of ``weight``.
        groups: into which channels and outputs are shared out, in their order.

    Returns:
        ``(rows, outputs, positions down, positions across)``.
    """
    flat = weight.reshape(groups, len(weight) // groups, -1)
    bits = (_EXACT_BITS - (flat.shape[2] - 1).bit_length()) // 2
    unit, units = _unit(flat, (2,), bits), _unit(x, (1, 2, 3), bits)
    whole = x * (1 / units)
    exact = products(np.rint(whole, out=whole), np.rint(flat / unit), where, lambda sums: sums)
    exact *= unit.reshape(-1, 1, 1) * units
    return exact


def _unit(x: Array, axes: tuple[int, ...], bits: int) -> Array:
    """A power of two of which no value on the axes, kept with length 1, is 2**bits times."""
    largest = np.maximum(np.max(x, axes, keepdims=True), -np.min(x, axes, keepdims=True))
    unit = np.ldexp(1.0, np.frexp(largest)[1] - bits)
    return np.asarray(np.maximum(unit, np.finfo(np.float64).smallest_normal))
