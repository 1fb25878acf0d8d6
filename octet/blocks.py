"""Arrays of many rows, some rows at a time: what is held of them does not grow with them."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

AnyArray = npt.NDArray[Any]

# Of an array in a block: what fits into a cache, and is far more than a call costs.
NUMBERS = 2**18


def blocks(*arrays: AnyArray) -> Iterator[tuple[AnyArray, ...]]:
    """The same rows of each of the arrays, some at a time, in order.

    The first says how many: it has the widest rows. What of them is in a file leaves memory again.
    """
    width = max(1, arrays[0][:1].size)
    rows = max(1, NUMBERS // width)
    for start in range(0, len(arrays[0]), rows):
        yield tuple(array[start : start + rows] for array in arrays)
        for array in arrays:
            release(array)


def release(array: AnyArray) -> None:
    """Let go of the pages of an array that is in a file; they are read again when wanted."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    if base is not None:
        base.madvise(mmap.MADV_DONTNEED)
