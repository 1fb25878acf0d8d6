"""What networks give for many test rows, shared out among the cores of the machine."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from octet.affine import Array
from octet.blocks import release
from octet.layers import correlation
from octet.network import Network
from octet.runtime import inference, threads
from octet.signature import Input

T = TypeVar("T")

# Rows at once: images, or as many of a table as have so many numbers.
_IMAGES = 2 * correlation.ROWS
_NUMBERS = 2**18


def run(network: Network, x: Input) -> Array:
    """As `octet.runtime.inference.run`, and the same bits: they do not depend on the batch."""
    return np.concatenate(by_parts(partial(inference.run, network), x))


def by_parts(function: Callable[[Input], T], x: Input) -> list[T]:
    """What the function gives for some of the rows at a time, in order."""
    size = max(_IMAGES, _NUMBERS // x.shape[1]) if x.ndim == 2 else _IMAGES

    def of_part(start: int) -> T:
        outputs = function(x[start : start + size])
        release(x)
        return outputs

    # Each thread with a BLAS of one: its own threads would only wait for each other.
    with threadpool_limits(1):
        return threads.each(of_part, range(0, len(x), size))
