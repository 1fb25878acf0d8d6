"""What goes into a network and what comes out: two questions, answered independently."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Array

Shape = tuple[int, ...]
Pixels = npt.NDArray[np.uint8]
# Numbers of one row, on its way in or behind a layer: some 20 times or more what MNIST takes.
LARGEST_ROW = 2**20
# Rows on their way into a network.
Input = Array | Pixels


@dataclass(frozen=True)
class Columns:
    """A row of a table: the names of its features, in order."""

    features: tuple[str, ...]

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
    """One of several classes: a logit for each, in the order of their names."""

    classes: tuple[str, ...]

    @property
    def column(self) -> str:
        """Of CSV, in which predictions and the truth stand, by name."""
        return "class"


@dataclass(frozen=True)
class Signature:
    """What one row of the input is, and what the outputs for it mean."""

    inputs: Columns | Images
    outputs: Numbers | Classes

    @property
    def shape(self) -> Shape:
        """Of one row of the input."""
        return self.inputs.shape
