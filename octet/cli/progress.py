"""A line on a terminal that says how far a command has come."""

import sys
import time
from types import TracebackType
from typing import Self

from octet.runtime.predict import Predicted

_WIDTH = 30
_SECONDS = 0.1


class Progress:
    """A bar on standard error while it is in use; nothing where that is no terminal.

    Attributes:
        rows: how many were predicted.
        skipped: how many could not be.
        first: the place of the first of these, and what was wrong with it.
    """

    def __init__(self) -> None:
        # Predictions that go to a terminal are progress enough, and would be torn by a bar.
        self._wanted = sys.stderr.isatty() and not sys.stdout.isatty()
        self.rows = self.skipped = 0
        self.first = ""
        self._shown = 0.0

    def __enter__(self) -> Self:
        return self

    def add(self, predicted: Predicted) -> None:
        """So many rows more are done."""
        self.rows += len(predicted.outputs)
        self.skipped += len(predicted.skipped)
        self.first = self.first or next(iter(predicted.skipped), "")
        share = predicted.share
        if self._wanted and time.monotonic() - self._shown > _SECONDS:
            self._shown = time.monotonic()
            bar = (
                "" if share is None else f"|{'█' * round(share * _WIDTH):<{_WIDTH}}| {share:4.0%} "
            )
            sys.stderr.write(f"\r{bar}{self.rows:,} rows")
            sys.stderr.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")
