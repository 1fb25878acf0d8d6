"""Where a kernel looks at an image, and the largest or the sum of what it sees there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import product
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from octet.errors import OctetError
from octet.modelfile.fields import whole
from octet.signature import LARGEST_ROW, Shape

Number = TypeVar("Number", bound=np.number)
# Height and width; and what is added above, left, below and right: the order of ONNX.
Sides = tuple[int, int]
Padding = tuple[int, int, int, int]


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
    top, left, bottom, right = (padding,) * 4 if isinstance(padding, int) else padding
    return _known((high, wide), (down, across), (top, left, bottom, right))


_known = lru_cache(Window)


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
