"""Which stage starts next: one whose inputs are there, and the longest way first."""

import copy
import heapq
from collections.abc import Callable, Mapping

from stages.commands.run.pipeline import Pipeline

Seconds = Callable[[str], float]

# No verdict waits for a sweep, and its workers fill all cores: the others go first, and no two
# sweeps at once.
_ASIDE = "sweep"


def is_aside(stage: str) -> bool:
    """Whether no verdict waits for this stage."""
    return stage.partition("@")[0] == _ASIDE


class Schedule:
    """A run of a pipeline, from its first stage to its last.

    Attributes:
        waiting: stages that have not started, in DVC's order.
        running: those that have, and have not ended.
        done: those whose outputs are what they should be, run or not.
        ran: those of them that ran.
        failed: those that ended otherwise.
        blocked: those that needed one of these.
    """

    def __init__(self, pipeline: Pipeline, seconds: Seconds) -> None:
        """Of all stages of a pipeline.

        Args:
            pipeline: what is to be done.
            seconds: how long each stage may take.
        """
        self._pipeline = pipeline
        self._way = _ways(pipeline.needs, seconds)
        self.waiting = list(pipeline.needs)
        self.running: set[str] = set()
        self.done: set[str] = set()
        self.ran: set[str] = set()
        self.failed: list[str] = []
        self.blocked: list[str] = []
        self._pass_over()

    def __copy__(self) -> "Schedule":
        other = object.__new__(type(self))
        for name, value in vars(self).items():
            setattr(other, name, copy.copy(value) if isinstance(value, list | set) else value)
        return other

    def start(self) -> str | None:
        """The stage to start now, which is running from here on; None if none can."""
        ready = [stage for stage in self.waiting if self._is_ready(stage)]
        if not ready:
            return None
        stage = min(ready, key=lambda stage: (is_aside(stage), -self._way[stage]))
        self.waiting.remove(stage)
        self.running.add(stage)
        return stage

    def end(self, stage: str, *, good: bool) -> None:
        """Say that a running stage has ended, and how."""
        self.running.remove(stage)
        if good:
            self.done.add(stage)
            self.ran.add(stage)
            self._pass_over()
            return
        self.failed.append(stage)
        lost = {stage}
        for later in list(self.waiting):
            if self._pipeline.needs[later] & lost:
                lost.add(later)
                self.waiting.remove(later)
                self.blocked.append(later)

    def _is_ready(self, stage: str) -> bool:
        if is_aside(stage) and any(map(is_aside, self.running)):
            return False
        return self._pipeline.needs[stage] <= self.done

    def _pass_over(self) -> None:
        """Stages that are up to date, and whose inputs no stage has made anew, are done."""
        for stage in list(self.waiting):  # what a stage needs stands before it
            needs = self._pipeline.needs[stage]
            if needs <= self.done and stage not in self._pipeline.stale and not needs & self.ran:
                self.waiting.remove(stage)
                self.done.add(stage)


def _ways(needs: Mapping[str, frozenset[str]], seconds: Seconds) -> dict[str, float]:
    """Of each stage, how long it and what must follow it take, one after the other."""
    after = dict.fromkeys(needs, 0.0)
    ways = {}
    for stage in reversed([*needs]):
        ways[stage] = seconds(stage) + after[stage]
        for need in needs[stage]:
            after[need] = max(after[need], ways[stage])
    return ways


def left(schedule: Schedule, jobs: int, seconds: Seconds, elapsed: Mapping[str, float]) -> float:
    """How long the rest of a run may take, in seconds.

    Args:
        schedule: as it stands; it is not changed.
        jobs: how many stages run at once.
        seconds: how long each stage may take.
        elapsed: how long each that is running has run.
    """
    rest = copy.copy(schedule)
    ends = [(max(seconds(stage) - elapsed[stage], 0.0), stage) for stage in rest.running]
    heapq.heapify(ends)
    now = 0.0
    while True:
        while len(ends) < jobs and (stage := rest.start()):
            heapq.heappush(ends, (now + seconds(stage), stage))
        if not ends:
            return now
        now, stage = heapq.heappop(ends)
        rest.end(stage, good=True)
