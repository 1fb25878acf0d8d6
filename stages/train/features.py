"""What both regressions do to features before they solve anything."""

from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Standardize

# Units of the last place to which a feature is known at best: 0.3 and 0.1 + 0.2 are the same to
# whoever wrote the table.
_FEWEST_UNITS = 64


class Scaled(NamedTuple):
    """Features fit for a solver.

    Attributes:
        x: features ``(rows, features)``.
        unit: what each feature was multiplied by, ``(features,)``, besides what the scaler did.
        scaler: the first layer of the network, if there is one.
    """

    x: Array
    unit: Array
    scaler: tuple[Standardize, ...]


def scale(x: Array, names: tuple[str, ...], standardize: bool) -> Scaled:
    """Features of a size that no square of theirs overflows; standardized, if so wanted.

    Raises:
        OctetError: a feature is constant, but for rounding.
    """
    refuse_constant(x, names)
    # Units that are powers of 2 change no digit, and keep squares from overflowing and small
    # features from being lost beside large ones.
    unit = power_of_2(x)
    x = x * unit
    if not standardize:
        return Scaled(x, unit, ())
    scaler = StandardScaler().fit(x)
    layer = Standardize(scaler.mean_ / unit, scaler.scale_ / unit)
    return Scaled((x - scaler.mean_) / scaler.scale_, np.ones(len(unit)), (layer,))


def power_of_2(values: Array) -> Array:
    """The power of 2 that brings the largest absolute value of each column to between 1/2 and 1."""
    exponent = np.frexp(np.max(np.abs(values), axis=0))[1]
    return np.asarray(np.ldexp(1.0, -np.clip(exponent, -1000, 1000)))


def refuse_constant(x: Array, names: tuple[str, ...]) -> None:
    """Refuse a feature whose deviation is within its rounding, by name.

    Its deviation would be the unit in which any other value of it is measured.

    Raises:
        OctetError: there is one.
    """
    deviation = np.std(of_unit_size(x), axis=0)
    for j in np.flatnonzero(deviation <= rounding(len(x))):
        raise OctetError(
            f"feature {names[j]}: got {x[0, j]:g} in every training row; a constant feature has no "
            "scale and tells nothing: leave it out"
        )


def of_unit_size(x: Array) -> Array:
    """Each column over its largest absolute value."""
    sizes = np.max(np.abs(x), axis=0)
    return np.asarray(x / np.where(sizes > 0, sizes, 1))


def rounding(rows: int) -> float:
    """The share of a feature's size within which rows do not differ.

    More of more rows, as numpy.linalg.matrix_rank and scikit-learn's StandardScaler have it.
    """
    return max(_FEWEST_UNITS, rows) * float(np.finfo(np.float64).eps)
