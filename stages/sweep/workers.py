"""Who does the work of a sweep: processes of this machine, or the workers of a Dask cluster."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import joblib
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from octet.cli.command import keep_memory
from octet.errors import OctetError
from octet.runtime import threads
from stages.cluster import ADDRESS, client

# What joblib calls this process.
HERE = "sequential"

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Inside, joblib runs its tasks with this backend: ``loky``, ``dask`` or `HERE`.

    Raises:
        OctetError: it is dask, and DASK_SCHEDULER_ADDRESS names no scheduler that answers.
    """
    with ExitStack() as stack:
        if name == "dask":
            if not os.environ.get(ADDRESS):
                raise OctetError(
                    f"params.yaml: sweep.backend: got dask without {ADDRESS}; set it to the "
                    "address of a Dask scheduler, such as tcp://127.0.0.1:8786, or set "
                    "sweep.backend: loky"
                )
            stack.enter_context(client())
        stack.enter_context(joblib.parallel_config(backend=name, n_jobs=-1))
        yield


def each(
    function: Callable[[Shared, Task], Result], shared: Shared, tasks: Sequence[Task], title: str
) -> list[Result]:
    """What the function gives for each task, in their order, with a progress bar.

    Args:
        function: of what all tasks share, and one of them.
        shared: is sent to each worker.
        tasks: in any number.
        title: of the bar.
    """
    do = _alone if joblib.effective_n_jobs() > 1 else _do
    work = (joblib.delayed(do)(function, shared, task) for task in tasks)
    done = joblib.Parallel(return_as="generator")(work)
    return list(tqdm(done, desc=title, total=len(tasks), unit="task"))


def _alone(function: Callable[[Shared, Task], Result], shared: Shared, task: Task) -> Result:
    with threads.alone():
        return _do(function, shared, task)


def _do(function: Callable[[Shared, Task], Result], shared: Shared, task: Task) -> Result:
    keep_memory()
    # Each worker with a BLAS of one thread: their own threads would only wait for each other.
    with threadpool_limits(1):
        return function(shared, task)
