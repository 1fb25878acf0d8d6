"""What networks give for many test rows, shared out among the cores of the machine."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from octet.affine import Array
from octet.network import Network
from octet.runtime import inference
from octet.signature import Input

T = TypeVar("T")

_TOGETHER = 100


def run(network: Network, x: Input) -> Array:
    """As `octet.runtime.inference.run`, and the same bits: they do not depend on the batch."""
    return np.concatenate(by_parts(partial(inference.run, network), x))


def by_parts(function: Callable[[Input], T], x: Input) -> list[T]:
    """What the function gives for each 100 of the rows, in order."""
    errors = np.geterr()  # a thread begins with NumPy's defaults

    def of_part(start: int) -> T:
        with np.errstate(**errors):
            return function(x[start : start + _TOGETHER])

    # Each thread with a BLAS of one: its own threads would only wait for each other.
    with threadpool_limits(1):
        parts: list[T] = joblib.Parallel(n_jobs=-1, prefer="threads")(
            joblib.delayed(of_part)(start) for start in range(0, len(x), _TOGETHER)
        )
    return parts
