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
# From how many rows on they come last in memory, and how many of them then go together: what comes
# in batches of as many leaves no remainder of few.
_MANY, ROWS = 16, 96
# Bytes of what a kernel sees on some lines of such rows, and of the sums there: a cache has them.
_LINES_BYTES = 2**20
# See `_multiply`.
_SMALL, _SHORTEST, _LONGEST = 10**6, 64, 1024
_EXACT_BITS = 53  # integers up to 2**53 are float64, and so are their sums below that
_HUGE = 2.0**900  # 2**53 of such units are finite


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
            them, and must not keep them: the next ones may be written there.

    Returns:
        ``(rows, outputs, positions down, positions across)``; in memory, rows come last where there
        are many, which is how the next layer likes them best.
    """
    if len(x) < _MANY:
        return _products_of_few(x, weight, where, finish)
    parts = [
        _products_of_many(x[first : first + ROWS], weight, where, finish)
        for first in range(0, len(x), ROWS)
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
        sums = seen.at_positions(_multiply(weight, seen.columns))
        in_rows = sums.reshape(groups * outputs, -1)
        parts.append(finish(in_rows).reshape(groups * outputs, *sums.shape[2:]))
    return np.concatenate(parts, axis=1).swapaxes(0, 1)


def _products_of_many(
    x: npt.NDArray[np.number],
    weight: npt.NDArray[Number],
    where: Window,
    finish: Callable[[npt.NDArray[Number]], npt.NDArray[Result]],
) -> npt.NDArray[Result]:
    """As `products`, but ``(positions down, positions across, outputs, rows)``.

    With rows last, what a kernel sees at one position is one piece of memory as soon as the lines
    of the image that it covers are interleaved: no window is copied, and each is a matrix that a
    BLAS multiplies as it stands, a column for each row. Some lines of positions go together, so
    that from the copy of what they see to their results they stay in a cache.
    """
    groups, outputs, inputs = weight.shape
    images = _images(x, where, groups, weight.dtype)
    *_, across, channels, rows = images.shape
    high, wide = where.positions(x.shape[1:])
    of_line = groups * (across * where.sides[0] * channels + wide * outputs) * rows
    together = min(max(1, _LINES_BYTES // (of_line * images.itemsize)), high)
    kernels = weight.reshape(groups, outputs, channels, *where.sides).transpose(0, 1, 4, 3, 2)
    as_seen = kernels.reshape(groups, 1, 1, outputs, inputs)
    sums = np.empty((together, wide, groups, outputs, rows), weight.dtype)
    shape = wide, groups * outputs, rows
    # What becomes of no sums tells the type of the results.
    whole = np.empty((high, *shape), finish(sums[:0].reshape(0, *shape)).dtype)
    for first in range(0, high, together):
        part = sums[: high - first]
        seen = _seen(images, where, first, len(part))
        multiply(as_seen, seen, part.transpose(2, 0, 1, 3, 4))
        whole[first : first + len(part)] = finish(part.reshape(len(part), *shape))
    return whole


def _images(
    x: npt.NDArray[np.number], where: Window, groups: int, dtype: np.dtype[Number]
) -> npt.NDArray[Number]:
    """The padded images, rows last: ``(groups, down, across, channels of a group, rows)``."""
    rows, channels, height, width = x.shape
    _, down, across = padded(x.shape[1:], where.padding)
    top, left, _, _ = where.padding
    images = np.empty((down, across, channels, rows), dtype)
    if any(where.padding):
        images[:] = 0
    images[top : top + height, left : left + width] = x.transpose(2, 3, 1, 0)
    in_groups = images.reshape(down, across, groups, channels // groups, rows)
    return in_groups.transpose(2, 0, 1, 3, 4)


def _seen(
    images: npt.NDArray[Number], where: Window, first: int, count: int
) -> npt.NDArray[Number]:
    """What a kernel sees at some lines of its positions.

    Args:
        images: as of `_images`.
        where: the window.
        first, count: which of the positions down.

    Returns:
        ``(groups, count, positions across, inputs of one output, rows)``, of which the inputs are
        in the order of across, down and channels.
    """
    groups, _, across, channels, rows = images.shape
    (side, side_across), (down, stride_across) = where.sides, where.stride
    lines = np.empty((groups, count, across, side, channels, rows), images.dtype)
    for i in range(side):
        top = first * down + i
        lines[:, :, :, i] = images[:, top : top + down * (count - 1) + 1 : down]
    of_group, of_line, of_column, _, of_channel, of_row = lines.strides
    wide, inputs = (across - side_across) // stride_across + 1, side_across * side * channels
    # Not as_strided, which for so few lines takes longer than to copy them.
    return np.ndarray(
        (groups, count, wide, inputs, rows),
        images.dtype,
        lines,
        strides=(of_group, of_line, stride_across * of_column, of_channel, of_row),
    )


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


def correlate(
    x: Array, weight: Array, where: Window, groups: int = 1, bias: Array | None = None
) -> Array:
    """Cross-correlation, with the same bits on every CPU and for every batch size.

    BLAS adds in an order that depends on the CPU, which shows in the last bits unless sums are
    exact. So both factors are rounded first, to integers times a power of two: the largest weight
    of each output, and the largest value of each image, keep t = (53 - ⌈log₂ inputs⌉) / 2 bits. A
    sum of ``inputs`` products then stays below 2⁵³ units, where float64 adds without rounding.
    This is the first slice of the scheme of Ozaki et al. (Error-free transformations of matrix
    multiplication, 2012). With t = 22 for 216 inputs, what is lost is some 10⁻⁷ of the largest
    value of an image times the largest weight of an output.

    Args:
        x: ``(rows, channels, height, width)``.
        weight: ``(outputs, channels / groups, *sides)``.
        where: the window; its sides are those of ``weight``.
        groups: into which channels and outputs are shared out, in their order.
        bias: what is added to the sums, ``(outputs,)``; None for nothing.

    Returns:
        ``(rows, outputs, positions down, positions across)``.
    """
    flat = weight.reshape(groups, len(weight) // groups, -1)
    bits = (_EXACT_BITS - (flat.shape[2] - 1).bit_length()) // 2
    unit, units = _unit(flat, (2,), bits), _unit(x, (1, 2, 3), bits)
    huge = units > _HUGE
    if np.any(huge):
        down, up = np.where(huge, 1 / _HUGE, 1.0), np.where(huge, _HUGE, 1.0)
        sums = correlate(x * down, weight, where, groups) * up
        return sums if bias is None else sums + bias[:, None, None]
    rounded = x * (1 / units)
    np.rint(rounded, out=rounded)
    rounded *= units
    unit_of_output, added = unit.reshape(-1, 1), None if bias is None else bias[:, None]

    def finish(sums: Array) -> Array:
        # Sums of integer weights have the unit of their image, which is a normal number: they are
        # exact. That of the output may leave less than float64 has, and is rounded but once.
        sums *= unit_of_output
        if added is not None:
            sums += added
        return sums

    return products(rounded, np.rint(flat / unit), where, finish)


def _unit(x: Array, axes: tuple[int, ...], bits: int) -> Array:
    """A power of two of which no value on the axes, kept with length 1, is 2**bits times."""
    largest = np.maximum(np.max(x, axes, keepdims=True), -np.min(x, axes, keepdims=True))
    unit = np.ldexp(1.0, np.frexp(largest)[1] - bits)
    return np.asarray(np.maximum(unit, np.finfo(np.float64).smallest_normal))
