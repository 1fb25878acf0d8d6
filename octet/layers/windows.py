"""Where a kernel looks at an image, and sums over what it sees there."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from octet.affine import Array
from octet.errors import OctetError
from octet.modelfile.fields import whole
from octet.products import multiply
from octet.signature import LARGEST_ROW, Shape

Number = TypeVar("Number", bound=np.number)
Result = TypeVar("Result", bound=np.number)
# Height and width; and what is added above, left, below and right: the order of ONNX.
Sides = tuple[int, int]
Padding = tuple[int, int, int, int]

# Numbers of the columns that are multiplied together: they fit into a cache.
_TOGETHER = 2**17
# See `_multiply`.
_SMALL, _SHORTEST, _LONGEST = 10**6, 64, 1024
_EXACT_BITS = 53  # integers up to 2**53 are float64, and so are their sums below that


@dataclass(frozen=True)
class Window:
    """The positions of a kernel on images.

    Attributes:
        sides: of the kernel.
        stride: from one position to the next.
        padding: what is added to an image on each side, less than the kernel's.
    """

    sides: Sides
    stride: Sides = (1, 1)
    padding: Padding = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        """Raise an OctetError if this is no window."""
        high, wide = self.sides
        top, left, bottom, right = self.padding
        if (
            min(*self.sides, *self.stride) < 1
            or max(*self.sides, *self.stride) > LARGEST_ROW
            or min(self.padding) < 0
            or max(top, bottom) >= high
            or max(left, right) >= wide
        ):
            raise OctetError(
                f"got a window of {high} by {wide} with stride {self.stride} and padding "
                f"{self.padding}; allowed are sides and strides from 1 to {LARGEST_ROW}, and "
                "padding below the sides"
            )

    def positions(self, shape: Shape) -> Sides:
        """How many there are, down and across: ⌊(n + before + after - side) / stride⌋ + 1.

        Raises:
            OctetError: the shape is no image's, or the image is smaller than the window.
        """
        _, *lengths = padded(shape, self.padding)
        high, wide = (
            (length - side) // step + 1
            for length, side, step in zip(lengths, self.sides, self.stride, strict=True)
        )
        if min(high, wide) < 1:
            top, left, bottom, right = self.padding
            raise OctetError(
                f"got shape {shape}; a window of {self.sides[0]} by {self.sides[1]} with padding "
                f"{self.padding} takes images from {self.sides[0] - top - bottom} by "
                f"{self.sides[1] - left - right}"
            )
        return high, wide

    def slices(
        self, x: npt.NDArray[Number], fill: float
    ) -> Iterator[tuple[int, int, npt.NDArray[Number]]]:
        """For each place in the kernel, its row and column, what it sees at all positions.

        Args:
            x: ``(rows, channels, height, width)``.
            fill: what stands in the padding.

        Yields:
            Row, column and ``(rows, channels, positions down, positions across)``.
        """
        high, wide = self.positions(x.shape[1:])
        top, left, bottom, right = self.padding
        if any(self.padding):
            around = ((0, 0), (0, 0), (top, bottom), (left, right))
            x = np.pad(x, around, constant_values=fill)
        down, across = self.stride
        for i, j in product(range(self.sides[0]), range(self.sides[1])):
            rows = slice(i, i + down * (high - 1) + 1, down)
            columns = slice(j, j + across * (wide - 1) + 1, across)
            yield i, j, x[:, :, rows, columns]


def window(sides: int | Sides, stride: int | Sides = 1, padding: int | Padding = 0) -> Window:
    """A window; one number stands for the same on every side."""
    high, wide = (sides, sides) if isinstance(sides, int) else sides
    down, across = (stride, stride) if isinstance(stride, int) else stride
    around = (padding,) * 4 if isinstance(padding, int) else padding
    return Window((high, wide), (down, across), around)


def padded(shape: Shape, padding: Padding) -> tuple[int, int, int]:
    """Of an image ``(channels, height, width)`` with so much above, left, below and right of it.

    Raises:
        OctetError: the shape is no image's.
    """
    refuse_no_image(shape)
    channels, height, width = shape
    top, left, bottom, right = padding
    return channels, height + top + bottom, width + left + right


def refuse_no_image(shape: Shape) -> None:
    """Raise an OctetError if a row of this shape is no image."""
    if len(shape) != 3:
        raise OctetError(f"got shape {shape}; allowed is (channels, height, width)")


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
        columns = np.empty((channels, *where.sides, rows, high, wide), x.dtype)
        for i, j, part in where.slices(x, 0):
            columns[:, i, j] = part.swapaxes(0, 1)
        columns = columns.reshape(groups, inputs, rows * high * wide)
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


def products(
    x: npt.NDArray[Number],
    weight: npt.NDArray[Number],
    where: Window,
    finish: Callable[[npt.NDArray[Number]], npt.NDArray[Result]],
) -> npt.NDArray[Result]:
    """What becomes of sums of products that the type holds without rounding: their order is free.

    Args:
        x: ``(rows, channels, height, width)``.
        weight: ``(groups, outputs of one, inputs of one output)``, of the same type.
        where: the window.
        finish: what to do with some of the sums, ``(outputs, any number)``; it may overwrite them.

    Returns:
        ``(rows, outputs, positions down, positions across)``; in memory, outputs come first.
    """
    groups, outputs, inputs = weight.shape
    _, down, across = padded(x.shape[1:], where.padding)
    together = max(1, _TOGETHER // (groups * inputs * down * across))
    parts = []
    for first in range(0, max(len(x), 1), together):
        seen = unfold(x[first : first + together], where, groups)
        sums = _multiply(weight, seen.columns)
        sums = sums.reshape(groups * outputs, sums.shape[2])
        parts.append(seen.at_positions(finish(sums)))
    return np.concatenate(parts, axis=1).swapaxes(0, 1)


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


def max_pool(x: npt.NDArray[Number], where: Window) -> npt.NDArray[Number]:
    """``(rows, channels, height, width)``: the largest value in each window; padding has none."""
    lowest = 0 if x.dtype.kind == "u" else -np.inf
    (high, wide), (down, across), (top, left, bottom, right) = (
        where.sides,
        where.stride,
        where.padding,
    )
    for part in (
        Window((high, 1), (down, 1), (top, 0, bottom, 0)),
        Window((1, wide), (1, across), (0, left, 0, right)),
    ):
        x = reduce(np.maximum, [each for _, _, each in part.slices(x, lowest)])
    return x


def total(x: npt.NDArray[Number], where: Window, dtype: type[Number]) -> npt.NDArray[Number]:
    """``(rows, channels, height, width)``: the sum of each window, added up in C order."""
    only = where.positions(x.shape[1:]) == (1, 1) and not any(where.padding)
    if only and where.sides == x.shape[2:] and np.issubdtype(dtype, np.integer):
        return np.asarray(np.sum(x, (2, 3), dtype, keepdims=True))  # exact: in whatever order
    sums = np.zeros((*x.shape[:2], *where.positions(x.shape[1:])), dtype)
    for _, _, part in where.slices(x, 0):
        sums += part
    return sums


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
    exact = products(np.rint(x / units), np.rint(flat / unit), where, lambda sums: sums)
    exact *= unit.reshape(-1, 1, 1) * units
    return exact


def _unit(x: Array, axes: tuple[int, ...], bits: int) -> Array:
    """A power of two of which no value on the axes, kept with length 1, is 2**bits times."""
    largest = np.maximum(np.max(x, axes, keepdims=True), -np.min(x, axes, keepdims=True))
    unit = np.ldexp(1.0, np.frexp(largest)[1] - bits)
    return np.asarray(np.maximum(unit, np.finfo(np.float64).smallest_normal))


def dump_window(where: Window, stride: Sides) -> dict[str, Any]:
    """A window for the header of a model file; what is usual is left out.

    Args:
        where: the window.
        stride: the usual one.
    """
    sides = {"side": _shortest(where.sides)}
    steps = {} if where.stride == stride else {"stride": _shortest(where.stride)}
    around = {"padding": _shortest(where.padding)} if any(where.padding) else {}
    return sides | steps | around


def load_window(spec: Mapping[str, Any], stride: int | Sides) -> Window:
    """The window of a header, with the usual stride if it has none.

    Raises:
        OctetError, KeyError, TypeError, ValueError: it is none.
    """
    high, wide = _numbers(spec["side"], 2)
    down, across = _numbers(spec.get("stride", stride), 2)
    top, left, bottom, right = _numbers(spec.get("padding", 0), 4)
    return Window((high, wide), (down, across), (top, left, bottom, right))


def _shortest(numbers: tuple[int, ...]) -> int | list[int]:
    return numbers[0] if len(set(numbers)) == 1 else list(numbers)


def _numbers(value: Any, count: int) -> list[int]:
    numbers = [value] * count if type(value) is int else value
    if len(numbers) != count:
        raise ValueError(f"got {value!r}; allowed are one integer, or {count}")
    return [whole(number, 0) for number in numbers]
