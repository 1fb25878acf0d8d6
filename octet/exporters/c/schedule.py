"""When each step of a plan has its turn, and how many rows wait in memory meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass

from octet.exporters.c.plan import Border, Largest, Mean, Rearranged, Step, Sums


@dataclass(frozen=True)
class Turns:
    """Those of a step: turn t needs source rows from t · stride - top to that + side - 1.

    Attributes:
        count: of turns.
        stride, side, top: see above.
        of_window: how many turns a row takes, in ``every`` turns.
        every: in how many turns there is a row.
    """

    count: int
    stride: int = 1
    side: int = 1
    top: int = 0
    of_window: int = 1
    every: int = 1


def accumulates(step: Step) -> bool:
    """Whether a pool takes a row at a turn, and keeps what it has of the window that it is in."""
    return (
        isinstance(step, Mean | Largest)
        and step.window.stride[0] >= step.window.sides[0]
        and not any(step.window.padding)
    )


def turns(step: Step) -> Turns:
    """When a step can have its turns."""
    high = step.image[1]
    if isinstance(step, Border):
        return Turns(high, top=step.padding[0])
    if isinstance(step, Rearranged):
        return Turns(high, stride=0, side=step.entering[1])
    if not isinstance(step, Sums | Mean | Largest):
        return Turns(high)
    side, down, top = step.window.sides[0], step.window.stride[0], step.window.padding[0]
    if isinstance(step, Sums) and step.pool > 1:
        return Turns(high, down * step.pool, side + down * (step.pool - 1), top)
    if accumulates(step):
        return Turns((high - 1) * down + side, of_window=side, every=down)
    return Turns(high, down, side, top)


def waiting_rows(steps: Sequence[Step], height: int, output: int) -> list[int]:
    """How many rows are kept of the input, and of what each step gives.

    Args:
        steps: of a plan.
        height: of the input.
        output: the step whose rows are all kept, to the end; -1 is the input.
    """
    run = _Run(steps, height, output)
    run.to_the_end()
    return run.most


def order(steps: Sequence[Step], height: int, output: int) -> list[list[int]]:
    """After each row of the input, whose turns it is; arguments as of `waiting_rows`."""
    return _Run(steps, height, output).to_the_end()


class _Run:
    """What the C file does: each time, the last step that can have a turn has it.

    So rows go on as soon as they can, and few of them wait.
    """

    def __init__(self, steps: Sequence[Step], height: int, output: int) -> None:
        self._steps, self._output = steps, output + 1
        self._turns = [turns(step) for step in steps]
        self._had = [0] * len(steps)
        # Of the input, and of each step.
        self._heights = [height, *(step.image[1] for step in steps)]
        self._made = [0] * (len(steps) + 1)
        self.most = [1] * (len(steps) + 1)

    def to_the_end(self) -> list[list[int]]:
        after = []
        for _ in range(self._heights[0]):
            self._hold(0)
            self._made[0] += 1
            after.append(list[int]())
            while (i := self._next()) is not None:
                self._have_turn(i)
                after[-1].append(i)
        return after

    def _next(self) -> int | None:
        for i in reversed(range(len(self._steps))):
            if self._had[i] < self._turns[i].count and all(
                self._made[j + 1] >= min(self._end(i), self._heights[j + 1])
                for j in self._steps[i].sources
            ):
                return i
        return None

    def _end(self, i: int) -> int:
        """Behind the last source row that the next turn needs."""
        of = self._turns[i]
        return self._had[i] * of.stride + of.side - of.top

    def _have_turn(self, i: int) -> None:
        of, place = self._turns[i], self._had[i] % self._turns[i].every
        # What a window has so far takes a row, from its first turn on.
        if place == 0:
            self._hold(i + 1)
        self._had[i] += 1
        if place == of.of_window - 1:
            self._made[i + 1] += 1

    def _hold(self, i: int) -> None:
        """One row more, beside those that somebody still needs."""
        first = [
            max(self._had[j] * self._turns[j].stride - self._turns[j].top, 0)
            for j, step in enumerate(self._steps)
            if i - 1 in step.sources and self._had[j] < self._turns[j].count
        ]
        first += [0] if i == self._output else []
        waiting = self._made[i] - min([*first, self._made[i]])
        self.most[i] = max(self.most[i], waiting + 1)
