"""Work on a Dask cluster, where one is named; else in this process."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from octet.errors import OctetError

if TYPE_CHECKING:
    from distributed import Client, Future

ADDRESS = "DASK_SCHEDULER_ADDRESS"
_SECONDS = 30  # that a scheduler may take to answer
_EACH = 2  # tasks that a worker has at hand

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def client() -> Iterator["Client"]:
    """The cluster at DASK_SCHEDULER_ADDRESS; Dask's own configuration says how it is secured.

    Raises:
        OctetError: no scheduler answers there, or Dask is not installed.
    """
    address = os.environ[ADDRESS]
    try:
        # Imported here, for it takes a second and only clusters need it.
        from distributed import Client
    except ImportError:
        raise OctetError(
            f"{ADDRESS}: got {address}, without the package distributed: install it, or unset "
            f"{ADDRESS} to work on this machine"
        ) from None
    try:
        dask = Client(address, timeout=_SECONDS)
    except (OSError, ValueError) as error:
        raise OctetError(f"{ADDRESS}: got {address}, where no scheduler answers: {error}") from None
    with dask:
        yield dask


def mapped(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """What the function gives for each task, in order.

    On the cluster at DASK_SCHEDULER_ADDRESS, where it is set: tasks are sent to its workers, a few
    at a time. What they read must be where it is here.

    Raises:
        OctetError: as `client`, and as the function.
    """
    if not os.environ.get(ADDRESS):
        yield from map(function, tasks)
        return
    with client() as dask:
        most = _EACH * max(1, sum(dask.nthreads().values()))
        sent: deque[Future[Result]] = deque()
        for task in tasks:
            sent.append(dask.submit(function, task, pure=False))
            if len(sent) == most:
                yield sent.popleft().result()
        while sent:
            yield sent.popleft().result()
