"""The bins of what is a number from 0 to 1 in each row, like the share that is clipped of its
activations.

Activations of one row depend on each other, rows do not: so one number of each row is watched, and
the number of activations counts for nothing. These bins are fixed, so no row had to be looked at to
place them. The reference must come from rows that the ranges were not chosen on: of those that they
were, less is clipped than of any others, and that difference is no drift.
"""

import numpy as np
import numpy.typing as npt

from octet.affine import Array

# Powers of two: shares of layers of different widths lie on both sides of 1/1000.
_UPPER = np.concatenate([[0.0], 2.0 ** np.arange(-14, 0)])
SHARES = len(_UPPER) + 1


def of_shares(shares: Array) -> npt.NDArray[np.int64]:
    """The bins, below SHARES, of numbers from 0 to 1: first 0 alone, then up to 2^-14, 2^-13 …, 1."""
    return np.searchsorted(_UPPER, shares, side="left").astype(np.int64)
