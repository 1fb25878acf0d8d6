"""Work on parts that have nothing to do with each other, shared out among the cores."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

_IS_PART = ContextVar("_IS_PART", default=False)


def each(function: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """What the function gives for each part, in their order; the first error, if there is one.

    NumPy lets other threads run while it computes. What `numpy.errstate` says holds in them too.
    What is itself such a part does its own one after the other: the cores are taken.
    """
    several = list(parts)
    if len(several) == 1 or _IS_PART.get():
        return [function(part) for part in several]
    with ThreadPoolExecutor(min(len(several), _cores())) as pool:
        return [
            done.result()
            for done in [pool.submit(copy_context().run, _do, function, part) for part in several]
        ]


@contextmanager
def alone() -> Iterator[None]:
    """Inside, parts are done one after the other: as where the cores are taken by other work."""
    token = _IS_PART.set(True)
    try:
        yield
    finally:
        _IS_PART.reset(token)


def _do(function: Callable[[Part], Result], part: Part) -> Result:
    with alone():
        return function(part)


def _cores() -> int:
    """Those that this process may use; all, where the system cannot say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
