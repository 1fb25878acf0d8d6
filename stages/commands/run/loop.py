"""Start what can start, wait for what runs, until all is done or somebody stops it."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator

from stages.commands.run import worker
from stages.commands.run.crew import Crew, Running
from stages.commands.run.schedule import Schedule, left
from stages.commands.run.screen import Screen, duration, several
from stages.commands.run.times import Times

_LOOK = 0.2  # seconds


class Loop:
    """One run, from its first line to its last."""

    def __init__(
        self, schedule: Schedule, crew: Crew, screen: Screen, times: Times, jobs: int
    ) -> None:
        self._schedule = schedule
        self._crew = crew
        self._screen = screen
        self._times = times
        self._jobs = jobs
        self._started = time.monotonic()
        self._total = len(schedule.done) + len(schedule.waiting)
        self._signals: list[int] = []

    def run(
        self, answer: Collection[str], say_answer: Callable[[], None], at_end: Callable[[], None]
    ) -> None:
        """Do all that can be done.

        Args:
            answer: the stages whose end somebody waits for.
            say_answer: is called as soon as these have ended.
            at_end: is called when nothing runs any more, and no signal stops it.

        Raises:
            SystemExit: somebody stopped it. No stage is left running, and what was done is kept.
        """
        self._screen.say(self._plan())
        said = False
        with self._listening():
            try:
                while self._step():
                    if not (said or self._signals or self._is_open(answer)):
                        said = True
                        say_answer()
            finally:
                while self._crew:
                    self._crew.end()
                    self._crew.wait(_LOOK)
                at_end()
        if self._signals:
            sys.stderr.write("stopped; `make run` goes on from here\n")
            sys.exit(128 + self._signals[0])
        if not said:
            say_answer()

    def _step(self) -> bool:
        """Until the next moment at which something may have happened; False at the end."""
        free = 0 if self._signals else self._jobs - len(self._crew)
        while free > 0 and (stage := self._schedule.start()):
            self._crew.start(stage)
            free -= 1
        if not self._crew:
            return False
        if self._signals:
            (self._crew.end if len(self._signals) == 1 else self._crew.kill)()
        for ended in self._crew.wait(_LOOK):
            self._end(ended)
        self._screen.show(self._head(), self._crew)
        return True

    def _end(self, one: Running) -> None:
        good = one.process.exitcode == 0
        self._schedule.end(one.stage, good=good)
        if good:
            if one.has_run:
                self._times.keep(one.stage, one.elapsed)
            if not self._screen.is_terminal:
                self._screen.say(f"{self._count()}  {one.stage}  {duration(one.elapsed)}")
        elif not self._signals:
            self._screen.complain(f"{one.stage} failed:\n{one.text()}")

    def _is_open(self, stages: Collection[str]) -> bool:
        return any(stage in self._schedule.waiting for stage in stages) or any(
            stage in self._schedule.running for stage in stages
        )

    def _plan(self) -> str:
        count = len(self._schedule.waiting)
        if not count:
            return f"{several(self._total, 'stage')}, all up to date"
        ready = f", {self._total - count} up to date" if count < self._total else ""
        known = [stage for stage in self._schedule.waiting if stage in self._times]
        seconds = duration(left(self._schedule, self._jobs, self._times.of, {}))
        last = f"about {seconds}, as the last time" if known else "how long is not known yet"
        return f"{several(self._total, 'stage')}{ready}, {self._jobs} at once; {last}"

    def _count(self) -> str:
        ended = len(self._schedule.done) + len(self._schedule.failed)
        return f"{ended} of {self._total}"

    def _head(self) -> str:
        head = f"{self._count()} · {duration(time.monotonic() - self._started)}"
        if self._signals:
            return f"{head} · stopping"
        if not self._times:
            return head
        elapsed = {one.stage: one.elapsed for one in self._crew}
        rest = left(self._schedule, self._jobs, self._times.of, elapsed)
        return f"{head}, about {duration(rest)} left"

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Inside, a signal to stop is only noted; one that is ignored, as under nohup, stays so."""
        before = {
            number: signal.signal(number, lambda number, _: self._signals.append(number))
            for number in worker.STOP
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
