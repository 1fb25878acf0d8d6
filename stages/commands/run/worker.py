"""The process of one stage: DVC, with its stage below it, for as long as `make run` lives."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from typing import Any

import psutil
from dvc import cli

from stages.commands.run import lockfile, staging
from stages.commands.run.schedule import is_aside

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # they stop a run
_LOOK = 0.1  # seconds
_ASIDE = 10  # how nice a stage is that no verdict waits for


class OpenFile:
    """A file that is open here and, where this is sent with a new process, there."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (DupFd(self.descriptor),)


def _received(sent: Any) -> OpenFile:
    return OpenFile(sent.detach())


def work(stage: str, output: OpenFile, _guard: OpenFile, order: Sequence[str]) -> None:
    """Reproduce one stage, and exit with DVC's status.

    Args:
        stage: what DVC calls it.
        output: where both print.
        _guard: the lock of this run: nobody else has it before this process, too, has ended.
        order: of the entries of dvc.lock.
    """
    # A group of its own: an interrupt from the keyboard is for `make run`, which knows what to do.
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)  # what the fork server had blocked
    for stream in (1, 2):
        os.dup2(output.descriptor, stream)
    os.close(output.descriptor)
    if is_aside(stage):
        os.nice(_ASIDE)
    run = multiprocessing.parent_process()
    if run is None:
        raise RuntimeError("a worker is started by another process")
    threading.Thread(target=_end_with, args=(run,), daemon=True).start()
    lockfile.keep_to_entry(stage, order)
    staging.leave_to_the_run()
    try:
        sys.exit(cli.main(["--wait-for-lock", "repro", "--single-item", stage]))
    finally:
        if not run.is_alive():
            kill(os.getpid())


def _end_with(run: BaseProcess) -> None:
    run.join()
    while True:
        end_stage(os.getpid())
        time.sleep(_LOOK)


def end_stage(worker: int) -> None:
    """End what runs below a worker. DVC then says that its stage failed, and ends by itself.

    A kill of DVC could leave half of what it writes.
    """
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(worker).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.terminate()


def kill(worker: int) -> None:
    """Kill a worker, and all that it has started and left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)
