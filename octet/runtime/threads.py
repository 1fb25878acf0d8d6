"""Work on parts that have nothing to do with each other, shared out among the cores."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


def each(function: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """What the function gives for each part, in their order; the first error, if there is one.

    NumPy lets other threads run while it computes. What `numpy.errstate` says holds in them too.
    """
    several = list(parts)
    if len(several) == 1:
        return [function(several[0])]
    with ThreadPoolExecutor(min(len(several), len(os.sched_getaffinity(0)))) as pool:
        return [
            done.result()
            for done in [pool.submit(copy_context().run, function, part) for part in several]
        ]
