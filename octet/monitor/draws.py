"""What is drawn of each row, the same with every NumPy: of its streams only raw bits are promised.

NEP 19 lets the methods of `numpy.random.Generator` change from one version to the next, but not the
bits of PCG64, nor how they are seeded.
"""

from functools import lru_cache

import numpy as np

from octet.affine import Array


def uniform(seed: int | tuple[int, ...], before: int, count: int) -> Array:
    """Uniform on [0, 1): so many of a seed's numbers, in multiples of 2^-53, behind others."""
    first = _first(seed)
    bits = first.advance(before).random_raw(count)
    first.advance(-before - count)
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53)


@lru_cache(1024)
def _first(seed: int | tuple[int, ...]) -> "np.random.PCG64":
    """A generator before its first number, where who uses it leaves it: seeding takes long."""
    return np.random.PCG64(seed)
