"""What both regressions do to features before they solve anything."""

from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Standardize


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
        OctetError: a feature is constant.
    """
    for column, name in zip(x.T, names, strict=True):
        if np.all(column == column[0]):
            raise OctetError(
                f"feature {name}: got {column[0]:g} in every training row; a constant feature has "
                "no scale and tells nothing: leave it out"
            )
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
