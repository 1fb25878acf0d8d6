"""What goes into a network and what comes out: two questions, answered independently."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.errors import OctetError

Shape = tuple[int, ...]
Pixels = npt.NDArray[np.uint8]
# Numbers of one row, on its way in or behind a layer: some 20 times or more what MNIST takes.
LARGEST_ROW = 2**20
# The column of classes whose own has no name.
UNNAMED_CLASSES = "class"
# Rows on their way into a network.
Input = Array | Pixels


@dataclass(frozen=True)
class Column:
    """A column of a table as people have it, with text and gaps.

    Attributes:
        name: in the first line of CSV.
        categories: none of a column of numbers; of text, what may stand there, two or more.
        missing: what a gap stands for, a number or one of the categories; None: there may be none.
    """

    name: str
    categories: tuple[str, ...] = ()
    missing: float | str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """What a network sees of it: the number; or, for each category but the first, 0 or 1.

        A feature for the first as well would be one less the sum of the others, so that a linear
        model with a bias had no one best weight.
        """
        if not self.categories:
            return (self.name,)
        return tuple(f"{self.name}={category}" for category in self.categories[1:])


@dataclass(frozen=True)
class Columns:
    """A row of a table.

    Attributes:
        features: their names, in order: what a network takes.
        table: of what columns `octet.rows.encoding` makes them; empty where each is a number in a
            column of its own name, without gaps.
    """

    features: tuple[str, ...]
    table: tuple[Column, ...] = ()

    @classmethod
    def of(cls, columns: Iterable[Column]) -> Self:
        """The features that these columns become.

        Raises:
            OctetError: two columns, or two features, would have the same name.
        """
        table = tuple(columns)
        features = tuple(feature for column in table for feature in column.features)
        for names in ([column.name for column in table], features):
            (name, count), *_ = Counter(names).most_common(1) or [("", 0)]
            if count > 1:
                raise OctetError(f"got {name!r} more than once; names must differ")
        plain = all(column == Column(column.name) for column in table)
        return cls(features, () if plain else table)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What a row is made of, before it is made into features."""
        return self.table or tuple(map(Column, self.features))

    @property
    def shape(self) -> Shape:
        """Of one row."""
        return (len(self.features),)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers of a row."""
        return self.features


@dataclass(frozen=True)
class Images:
    """An image: ``(channels, height, width)`` of pixels 0 … ``white``."""

    shape: tuple[int, int, int]
    white: int

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers of a row, in C order."""
        return tuple(f"pixel {i}" for i in range(math.prod(self.shape)))


@dataclass(frozen=True)
class Arrays:
    """An array of numbers of this shape, one to four axes: what is no table and no image."""

    shape: Shape

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers of a row, in C order."""
        return tuple(f"number {i}" for i in range(math.prod(self.shape)))


@dataclass(frozen=True)
class Numbers:
    """A number: the name of what it estimates, and its unit, empty if it has none."""

    target: str
    unit: str

    @property
    def column(self) -> str:
        """Of CSV, in which predictions and the truth stand."""
        return self.target


@dataclass(frozen=True)
class Classes:
    """One of several classes: a logit for each, in the order of their names.

    Predictions and the truth stand in this ``column`` of CSV, by name.
    """

    classes: tuple[str, ...]
    column: str = UNNAMED_CLASSES


Inputs = Columns | Images | Arrays
Outputs = Numbers | Classes


@dataclass(frozen=True)
class Signature:
    """What one row of the input is, and what the outputs for it mean."""

    inputs: Inputs
    outputs: Outputs

    @property
    def shape(self) -> Shape:
        """Of one row of the input."""
        return self.inputs.shape
