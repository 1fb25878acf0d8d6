"""A network in integers as a list of steps: what a C file computes, before it is text.

Images flow as rows, from top to bottom: a step takes rows of what comes before it, and gives rows.
Numbers on one axis are an image of one pixel with as many channels. A Flatten moves nothing: the
linear layer behind it becomes a convolution with a kernel as large as the image.

What becomes of a layer is in its file in octet/layers (`Layer.to_c`).
"""

import math
from dataclasses import dataclass, field, replace
from typing import TypedDict

import numpy as np

from octet.affine import Codes, Grid, Integers
from octet.errors import OctetError
from octet.layers.weighted import Products
from octet.layers.windows import Padding, Window
from octet.signature import Shape

Image = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Leaving:
    """How a step rounds to codes: code = clip(round_half_even(x) + zero_point, low, high)."""

    zero_point: int
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do to rows.

    Attributes:
        layer: what the layer is called, for comments and errors.
        sources: the steps whose rows it takes; -1 is the input.
        entering: the image of each source.
        image: that leaves.
    """

    layer: str
    sources: tuple[int, ...]
    entering: Image
    image: Image


@dataclass(frozen=True, kw_only=True)
class Sums(Step):
    """Sums of products with what a kernel sees, rounded to codes.

    Attributes:
        products: the sums.
        window: of the kernel.
        entering_zero: z_x.
        reach: the largest |q_x - z_x|.
        leaving: formula 3.
        pool: of how many rows and columns of sums the largest leaves, where a target merges both.
    """

    products: Products
    window: Window
    entering_zero: int
    reach: int
    leaving: Leaving
    pool: int = 1

    @property
    def length(self) -> int:
        """How many products a sum has."""
        return math.prod(self.products.weight.codes.shape[1:])

    @property
    def multiply_adds(self) -> int:
        """How many products all sums of an image have."""
        return math.prod(self.image) * self.length


@dataclass(frozen=True, kw_only=True)
class Mean(Step):
    """The sum of each window less that of as many zero points, times m, rounded."""

    window: Window
    m: float
    entering_zero: int
    reach: int
    leaving: Leaving


@dataclass(frozen=True, kw_only=True)
class Largest(Step):
    """The largest code of each window; padding has none."""

    window: Window


@dataclass(frozen=True, kw_only=True)
class Sum(Step):
    """Of two images, pixel by pixel: the formula of `octet.layers.add`.

    Attributes:
        grids: of the two sources.
        scale: of what leaves.
    """

    grids: tuple[Grid, Grid]
    scale: float
    leaving: Leaving


@dataclass(frozen=True, kw_only=True)
class Table(Step):
    """What becomes of each code."""

    values: Codes


@dataclass(frozen=True, kw_only=True)
class Border(Step):
    """So many pixels of one code around an image."""

    padding: Padding
    code: int


@dataclass(frozen=True, kw_only=True)
class Rearranged(Step):
    """The same codes in C order of ``(channels, height, width)``, in another shape."""


@dataclass(frozen=True)
class Rows:
    """What a step gives.

    Attributes:
        step: its place; -1 is the input.
        image: as it lies in memory.
        shape: what the network takes it for: the same numbers in C order.
        grid: of the codes.
    """

    step: int
    image: Image
    shape: Shape
    grid: Grid


class _Common(TypedDict):
    """The fields of `Step`."""

    layer: str
    sources: tuple[int, ...]
    entering: Image
    image: Image


@dataclass
class Plan:
    """Steps so far, and the layer whose turn it is to add some: see `Layer.to_c`.

    Attributes:
        layer: its label.
        alone: whether no other layer takes what enters it.
    """

    steps: list[Step] = field(default_factory=list)
    layer: str = ""
    alone: bool = True

    def refuse(self, why: str) -> OctetError:
        """What to raise where the layer cannot be in C."""
        return OctetError(f"layer {self.layer}: {why}; it can be written with --onnx")

    def clip(self, rows: Rows, low: int, high: int) -> Rows:
        """Clip at two codes: where nothing else takes them, in the step that rounds to codes."""
        last = self.steps[rows.step] if rows.step >= 0 else None
        if self.alone and isinstance(last, Sums | Mean | Sum):
            ends = np.clip([last.leaving.low, last.leaving.high], low, high)
            narrower = replace(last.leaving, low=int(ends[0]), high=int(ends[1]))
            self.steps[rows.step] = replace(last, leaving=narrower)
            return rows
        if (low, high) == (0, rows.grid.top):
            return rows
        return self.table(rows, np.clip(np.arange(rows.grid.top + 1), low, high), rows.grid)

    def table(self, rows: Rows, values: Integers, grid: Grid) -> Rows:
        """Look codes up, ``(n + 1,)``."""
        common = _Common(
            layer=self.layer, sources=(rows.step,), entering=rows.image, image=rows.image
        )
        return self._add(Table(**common, values=values.astype(np.uint8)), rows.shape, grid)

    def sums(self, rows: Rows, products: Products, where: Window, grid: Grid, shape: Shape) -> Rows:
        """Formulas 1 to 3 of `octet.layers.integers`.

        Args:
            rows: what the kernel sees.
            products: what it is made of.
            where: its positions.
            grid: of what leaves.
            shape: of that.
        """
        step = Sums(
            **self._from(rows, shape),
            products=products,
            window=where,
            entering_zero=int(rows.grid.zero_point),
            reach=_reach(rows.grid),
            leaving=_leaving(grid),
        )
        return self._add(step, shape, grid)

    def mean(self, rows: Rows, where: Window, m: float, grid: Grid, shape: Shape) -> Rows:
        """Of windows; arguments as the fields of `Mean`."""
        step = Mean(
            **self._from(rows, shape),
            window=_side_by_side(where, as_image(shape)),
            m=m,
            entering_zero=int(rows.grid.zero_point),
            reach=_reach(rows.grid),
            leaving=_leaving(grid),
        )
        return self._add(step, shape, grid)

    def largest(self, rows: Rows, where: Window, shape: Shape) -> Rows:
        """Of windows."""
        return self._add(
            Largest(**self._from(rows, shape), window=_side_by_side(where, as_image(shape))),
            shape,
            rows.grid,
        )

    def sum(self, first: Rows, second: Rows, grid: Grid) -> Rows:
        """Of two that lie alike."""
        step = Sum(
            layer=self.layer,
            sources=(first.step, second.step),
            entering=first.image,
            image=first.image,
            grids=(first.grid, second.grid),
            scale=float(grid.scale),
            leaving=_leaving(grid),
        )
        return self._add(step, first.shape, grid)

    def border(self, rows: Rows, padding: Padding, shape: Shape) -> Rows:
        """The code of 0 around an image."""
        code = int(rows.grid.zero_point)
        step = Border(**self._from(rows, shape), padding=padding, code=code)
        return self._add(step, shape, rows.grid)

    def reshaped(self, rows: Rows, shape: Shape) -> Rows:
        """The same codes in C order, in another shape: where that is an image, they move."""
        moved = self.as_image(rows, as_image(shape)) if len(shape) == 3 else rows
        return replace(moved, shape=shape)

    def as_image(self, rows: Rows, image: Image) -> Rows:
        """The same codes lying as this image."""
        if rows.image == image:
            return rows
        step = Rearranged(layer=self.layer, sources=(rows.step,), entering=rows.image, image=image)
        return self._add(step, rows.shape, rows.grid)

    def _from(self, rows: Rows, shape: Shape) -> _Common:
        return _Common(
            layer=self.layer,
            sources=(rows.step,),
            entering=rows.image,
            image=as_image(shape),
        )

    def _add(self, step: Step, shape: Shape, grid: Grid) -> Rows:
        self.steps.append(step)
        return Rows(len(self.steps) - 1, step.image, shape, grid)


def as_image(shape: Shape) -> Image:
    """How numbers of this shape lie at first: those that are no image on one axis."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return math.prod(shape), 1, 1


def _side_by_side(where: Window, leaving: Image) -> Window:
    """The window; where there is but one down or across, it may as well go further at each step."""
    down, across = (
        max(stride, side) if length == 1 else stride
        for stride, side, length in zip(where.stride, where.sides, leaving[1:], strict=True)
    )
    return replace(where, stride=(down, across))


def _leaving(grid: Grid) -> Leaving:
    return Leaving(int(grid.zero_point), 0, grid.top)


def _reach(grid: Grid) -> int:
    zero_point = int(grid.zero_point)
    return max(zero_point, grid.top - zero_point)
