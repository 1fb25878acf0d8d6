"""What both regressions do to features before they solve anything."""

from dataclasses import dataclass

import numpy as np

from octet.affine import Array
from octet.blocks import blocks
from octet.errors import OctetError
from octet.layers import Standardize

# Units of the last place to which a feature is known at best: 0.3 and 0.1 + 0.2 are the same to
# whoever wrote the table.
_FEWEST_UNITS = 64


@dataclass(frozen=True)
class Scaling:
    """How features are made fit for a solver.

    Attributes:
        size: the largest absolute value of each, ``(features,)``.
        power: the power of 2 by which each is multiplied first, ``(features,)``.
        mean, deviation: of each then, ``(features,)``.
        standardize: whether each gets mean 0 and deviation 1.
        total: how much all rows count.
    """

    size: Array
    power: Array
    mean: Array
    deviation: Array
    standardize: bool
    total: float

    @property
    def unit(self) -> Array:
        """What each feature is multiplied by, besides what the scaler does."""
        return np.ones(len(self.power)) if self.standardize else self.power

    @property
    def centre(self) -> Array:
        """The mean of each in what the solver gets."""
        return np.zeros(len(self.power)) if self.standardize else self.mean

    @property
    def spread(self) -> Array:
        """The deviation of each in what the solver gets."""
        return np.ones(len(self.power)) if self.standardize else self.deviation

    @property
    def scaler(self) -> tuple[Standardize, ...]:
        """The first layer of the network, if there is one."""
        layer = Standardize(self.mean / self.power, self.deviation / self.power)
        return (layer,) if self.standardize else ()

    def of(self, x: Array) -> Array:
        """What the solver gets of rows ``(rows, features)``."""
        x = x * self.power
        return (x - self.mean) / self.deviation if self.standardize else x


def scaling(x: Array, counts: Array, names: tuple[str, ...], standardize: bool) -> Scaling:
    """Features of a size that no square of theirs overflows; standardized, if so wanted.

    Mean and deviation are scikit-learn's StandardScaler's: its sums of several features run over
    the rows in order, so they may be taken block by block.

    Args:
        x: features ``(rows, features)``.
        counts: how much each row counts ``(rows,)``, above 0.
        names: of the features.
        standardize: whether each gets mean 0 and deviation 1.

    Raises:
        OctetError: a feature is constant, but for rounding, or rows that are lost beside others.
    """
    rows, size = len(x), np.zeros(x.shape[1])
    for (block,) in blocks(x):
        size = np.maximum(size, np.max(np.abs(block), axis=0))
    # Units that are powers of 2 change no digit, and keep squares from overflowing and small
    # features from being lost beside large ones.
    power = power_of_2(size)
    sums, total = np.zeros(len(size)), np.zeros(1)
    for block, count in blocks(x, counts[:, None]):
        sums, total = _in_order(sums, block * power * count), _in_order(total, count)
    mean = sums / total
    left, squares = np.zeros(len(size)), np.zeros(len(size))
    for block, count in blocks(x, counts[:, None]):
        moved = block * power - mean
        left, squares = _in_order(left, moved * count), _in_order(squares, moved**2 * count)
    # What is left corrects for the rounding of the mean (Chan, Golub & LeVeque, 1983).
    deviation = np.sqrt(np.maximum(squares - left**2 / total, 0) / total)
    for j in np.flatnonzero(deviation <= rounding(rows) * size * power):
        # A constant feature's deviation would be the unit of any other value of it.
        raise OctetError(
            f"feature {names[j]}: got {x[np.argmax(counts), j]:g} in every training row, or in all "
            "but rows that count next to nothing; a constant feature has no scale and tells "
            "nothing: leave it out"
        )
    return Scaling(size, power, mean, deviation, standardize, float(total[0]))


def _in_order(total: Array, block: Array) -> Array:
    """The sum and the rows of a block, added one after the other."""
    return np.asarray(np.cumsum(np.vstack([total, block]), axis=0)[-1])


def power_of_2(size: Array) -> Array:
    """The power of 2 that brings each absolute value to between 1/2 and 1."""
    exponent = np.frexp(size)[1]
    return np.asarray(np.ldexp(1.0, -np.clip(exponent, -1000, 1000)))


def rounding(rows: int) -> float:
    """The share of a feature's size within which rows do not differ.

    More of more rows, as numpy.linalg.matrix_rank and scikit-learn's StandardScaler have it.
    """
    return max(_FEWEST_UNITS, rows) * float(np.finfo(np.float64).eps)
