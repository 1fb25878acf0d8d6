"""What a run shows: on a terminal a line a running stage, elsewhere one a finished stage."""

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stages.commands.run.crew import Running
from stages.commands.run.times import Times

_NEARLY = 0.99  # a stage that takes longer than the last time is not done yet


class Screen:
    """Where a run says how far it is."""

    def __init__(self, times: Times) -> None:
        """Of a run whose stages took so long the last time."""
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._times = times

    @property
    def is_terminal(self) -> bool:
        """Whether there is somebody to look at it."""
        return self._console.is_terminal

    def __enter__(self) -> Self:
        if self.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        if self.is_terminal:
            self._console.print(line, soft_wrap=True)
        else:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def complain(self, text: str) -> None:
        """What went wrong."""
        if self.is_terminal:
            self._console.print(text, soft_wrap=True)
        else:
            sys.stderr.write(f"{text}\n")

    def show(self, head: str, running: Iterable[Running]) -> None:
        """How things stand; nothing where nobody looks."""
        if self.is_terminal:
            lines = Table.grid(padding=(0, 2))
            for one in running:
                lines.add_row(*self._line(one))
            self._live.update(Group(Text(head), lines), refresh=True)

    def _line(self, one: Running) -> tuple[str, ProgressBar | str, str]:
        last = self._times.of(one.stage) if one.stage in self._times else None
        share = None if one.percent is None else one.percent / 100
        if share is None and last:
            share = min(one.elapsed / last, _NEARLY)
        bar = ProgressBar(total=1, completed=share, width=24) if share is not None else ""
        of = f" of about {duration(last)}" if last else ""
        return one.stage, bar, f"{duration(one.elapsed)}{of}"


def duration(seconds: float) -> str:
    """As a person says it: ``4 min 10 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def several(count: int, thing: str) -> str:
    """``1 stage``, ``2 stages``."""
    return f"{count} {thing}{'s' if count != 1 else ''}"
