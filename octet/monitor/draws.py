"""What is drawn of each row, the same with every NumPy: of its streams only raw bits are promised.

NEP 19 lets the methods of `numpy.random.Generator` change from one version to the next, but not the
bits of PCG64, nor how they are seeded.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from octet.affine import Array


def uniform(seed: int | tuple[int, ...], before: int, count: int) -> Array:
    """Uniform on [0, 1): so many of a seed's numbers, in multiples of 2^-53, behind others."""
    bits = np.random.PCG64(_hashed(seed)).advance(before).random_raw(count)
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53)


@lru_cache(1024)
def _hashed(seed: int | tuple[int, ...]) -> "np.random.SeedSequence":
    """A seed of PCG64, hashed once: that takes longer than all the rest."""
    words = np.random.SeedSequence(seed).generate_state(4, np.uint64)

    # In here, as NumPy loads its random part when it is first used.
    class Hashed(np.random.SeedSequence):
        def generate_state(self, *_: Any, **__: Any) -> npt.NDArray[Any]:
            return words

    return Hashed(0)
