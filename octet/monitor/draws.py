"""What is drawn of each row, the same with every NumPy: of its streams only raw bits are promised.

NEP 19 lets the methods of `numpy.random.Generator` change from one version to the next, but not the
bits of PCG64, nor how they are seeded.
"""

from collections.abc import Sequence

import numpy as np

from octet.affine import Array


def uniform(seed: int | Sequence[int], before: int, count: int) -> Array:
    """Uniform on [0, 1): so many of a seed's numbers, in multiples of 2^-53, behind others."""
    bits = np.random.PCG64(seed).advance(before).random_raw(count)
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53)
