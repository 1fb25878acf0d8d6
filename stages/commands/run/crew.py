"""The processes of a run: each reproduces one stage."""

import contextlib
import fcntl
import multiprocessing
import os
import re
import signal
import struct
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from typing import IO

from stages import dvc
from stages.commands.run import worker

_PERCENT = re.compile(rb": +(\d{1,3})%\|")  # of a bar with a title, as no bar of DVC's has
# With what DVC imports only when it needs it, which here is always.
_IMPORTED = ("dvc.cli.parser", "dvc.repo.plots", "dvc.scm", "dulwich.worktree", "pyparsing")
_SIZE = struct.pack("HHHH", 24, 80, 0, 0)  # of a terminal: a bar of progress fits


@dataclass
class Running:
    """A stage that runs.

    Attributes:
        stage: what DVC calls it.
        process: of DVC.
        output: what it prints comes out here.
        since: when it started, by the clock that only goes forward.
        printed: all so far.
    """

    stage: str
    process: ForkServerProcess
    output: int
    since: float = field(default_factory=time.monotonic)
    printed: bytes = b""

    @property
    def pid(self) -> int:
        """Of DVC, and of the group of all that it starts."""
        if self.process.pid is None:  # as a number of a group, 0 would be our own
            raise RuntimeError(f"{self.stage} has not started")
        return self.process.pid

    @property
    def elapsed(self) -> float:
        """In seconds."""
        return time.monotonic() - self.since

    @property
    def percent(self) -> int | None:
        """How far it says that it is; None if it does not say."""
        said = _PERCENT.findall(self.printed[-400:])
        return int(said[-1]) if said else None

    @property
    def has_run(self) -> bool:
        """Whether DVC has run it; else it took the outputs as they were, or from its cache."""
        return f"Running stage '{self.stage}'".encode() in self.printed

    def text(self) -> str:
        """What it printed, without what bars of progress have written over."""
        lines = self.printed.decode(errors="replace").replace("\r\n", "\n").split("\n")
        return "\n".join(line.rpartition("\r")[2] for line in lines).strip()

    def read(self) -> None:
        """Take what it has printed since."""
        with contextlib.suppress(OSError):  # nothing there; or nobody on that terminal any more
            while more := os.read(self.output, 1 << 16):
                self.printed += more


class Crew:
    """As many processes as there are stages running."""

    def __init__(self, guard: IO[str], order: Sequence[str], *, bars: bool) -> None:
        """Without processes yet.

        Args:
            guard: the lock of this run.
            order: of the entries of dvc.lock.
            bars: whether stages show their progress, as they do on a terminal.
        """
        os.environ.update(dvc.UTF8)
        self._context = multiprocessing.get_context("forkserver")
        # Each is a fork of one that has imported DVC, and runs nothing else.
        self._context.set_forkserver_preload([worker.__name__, *_IMPORTED])
        self._guard = guard
        self._order = order
        self._bars = bars
        self._running: list[Running] = []

    def __iter__(self) -> Iterator[Running]:
        return iter(self._running)

    def __len__(self) -> int:
        return len(self._running)

    def start(self, stage: str) -> None:
        """Reproduce one more stage."""
        ours, theirs = os.openpty() if self._bars else os.pipe()
        if self._bars:
            fcntl.ioctl(ours, termios.TIOCSWINSZ, _SIZE)
        os.set_blocking(ours, False)
        files = worker.OpenFile(theirs), worker.OpenFile(self._guard.fileno())
        process = self._context.Process(target=worker.work, args=(stage, *files, self._order))
        _start_fork_server()
        process.start()
        os.close(theirs)
        self._running.append(Running(stage, process, ours))

    def wait(self, seconds: float) -> list[Running]:
        """Those that have ended, as soon as one has or the time is over."""
        wait([one.process.sentinel for one in self._running], seconds)
        for one in self._running:
            one.read()
        ended = [one for one in self._running if one.process.exitcode is not None]
        for one in ended:
            worker.kill(one.pid)  # what it left behind
            one.read()
            os.close(one.output)
            self._running.remove(one)
        return ended

    def end(self) -> None:
        """End the stages; their DVCs then end by themselves."""
        for one in self._running:
            worker.end_stage(one.pid)

    def kill(self) -> None:
        """Kill all."""
        for one in self._running:
            worker.kill(one.pid)


def _start_fork_server() -> None:
    """Unless it runs. What is sent to our group is for us: its end would look like that of all."""
    resource_tracker.ensure_running()  # which else is started with it, and changes the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, worker.STOP)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
