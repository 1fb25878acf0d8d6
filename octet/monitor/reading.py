"""Rows of an input that may have been counted before, in part: each is counted once."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from octet.rows.batches import Batch, Rows


class OtherRowsError(Exception):
    """The input does not begin with the rows that were counted."""


@dataclass(frozen=True)
class Position:
    """How far an input was read, and what it held up to there.

    Attributes:
        place: of the last row: its line in a file of text, its index in an array; -1 before any.
        first: the digest of the first row, empty before any.
        digest: of all rows up to there that had numbers.
    """

    place: int = -1
    first: str = ""
    digest: str = ""


class Reading:
    """An input on its way, and the position behind the batch that was given last.

    Args:
        rows: all of the input.
        counted: the position up to which rows are passed over; None for none.
    """

    def __init__(self, rows: Rows, counted: Position | None) -> None:
        self._rows = rows
        self._counted = counted
        self._hash = hashlib.blake2b(digest_size=16)
        self._first = ""
        self.position = Position()

    @property
    def rows(self) -> Rows:
        """Those that are new.

        Raises:
            OtherRowsError: (from the batches) before any, the rows passed over are others than
                those that were counted.
        """
        return replace(self._rows, batches=self._batches())

    def _batches(self) -> Iterator[Batch]:
        counted = self._counted
        for batch in self._rows.batches:
            if counted is None:
                self._take(batch)
                yield batch
                continue
            before, behind = _split(batch, counted.place)
            self._take(before)
            if self._first and self._first != counted.first:
                raise OtherRowsError
            if max([*batch.places[-1:].tolist(), *batch.bad], default=-1) >= counted.place:
                if self.position.digest != counted.digest:
                    raise OtherRowsError
                counted = None
                self._take(behind)
                yield behind
        if counted is not None:
            raise OtherRowsError

    def _take(self, batch: Batch) -> None:
        if len(batch.x):
            first = hashlib.blake2b(batch.x[0].tobytes(), digest_size=16).hexdigest()
            self._first = self._first or first
            self._hash.update(np.ascontiguousarray(batch.x).data)
        places = [self.position.place, *batch.places[-1:].tolist(), *batch.bad]
        self.position = Position(max(places), self._first, self._hash.hexdigest())


def _split(batch: Batch, last: int) -> tuple[Batch, Batch]:
    """The rows of a batch up to a place, and those behind it."""
    count = int(np.searchsorted(batch.places, last, side="right"))
    parts = []
    for part, bad in (
        (slice(count), {place: why for place, why in batch.bad.items() if place <= last}),
        (slice(count, None), {place: why for place, why in batch.bad.items() if place > last}),
    ):
        truth = None if batch.truth is None else batch.truth[part]
        parts.append(Batch(batch.places[part], batch.x[part], truth, bad, batch.share))
    return parts[0], parts[1]
