"""Rows of an input that may have been counted before, in part: each is counted once."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from octet.errors import OctetError
from octet.rows.batches import Batch, Rows

_MOST_POSITIONS = 16  # of inputs that one state remembers


class OtherRowsError(OctetError):
    """The input begins as one that was counted, and goes on otherwise."""


@dataclass(frozen=True)
class Position:
    """How far an input was read, and what it held up to there.

    Attributes:
        place: of the last row: its line in a file of text, its index in an array; -1 before any.
        first: the digest of the first row, by which the input is known again; empty before any.
        digest: of all rows up to there.
    """

    place: int = -1
    first: str = ""
    digest: str = ""


def remembered(positions: Sequence[Position], now: Position) -> tuple[Position, ...]:
    """The positions with one more, or with that one moved; the last is the one used last."""
    others = [one for one in positions if one.first != now.first]
    return (*others, *([now] if now.first else []))[-_MOST_POSITIONS:]


class Reading:
    """An input on its way, and the position behind the batch that was given last.

    Args:
        rows: all of the input.
        known: up to where inputs were counted before.
        must_be_known: the input is one of them, if there are any.
        grows: its last row may still be being written: it is left out if it has no end.

    Attributes:
        position: behind the rows that were given.
        counted: the position up to which rows were passed over, once it is known; or None.
        unended: the place of a last row that was left out; or None.
    """

    def __init__(
        self, rows: Rows, known: Sequence[Position], must_be_known: bool = False, grows: bool = True
    ) -> None:
        self._rows = rows
        self._known = {one.first: one for one in known}
        self._must_be_known = must_be_known and bool(known)
        self._grows = grows
        self._first = ""
        self._good, self._bad = (hashlib.blake2b(digest_size=16) for _ in range(2))
        self.position = Position()
        self.counted: Position | None = None
        self.unended: int | None = None

    @property
    def rows(self) -> Rows:
        """Those that are new.

        Raises:
            OtherRowsError: (from the batches) before any, the first row is one that was counted,
                and those behind it are others.
            OctetError: (from the batches) the input should be known, and is not.
        """
        return replace(self._rows, batches=self._batches())

    def _batches(self) -> Iterator[Batch]:
        passing = False
        for batch in self._rows.batches:
            if not self._first and (first := _first(batch)):
                self._first, self.counted = first, self._known.get(first)
                self._refuse_unknown()
                passing = self.counted is not None
            last = self.counted.place if self.counted else -1
            if self._grows and not batch.ended and _place(batch) > last:
                self.unended = _place(batch)
                break
            if not passing:
                self._take(batch)
                yield batch
                continue
            before, behind = _split(batch, last)
            self._take(before)
            if max([*batch.places[-1:].tolist(), *batch.bad], default=-1) >= last:
                self._refuse_others()
                passing = False
                self._take(behind)
                yield behind
        self._refuse_unknown()
        if passing:
            self._refuse_others()

    def _refuse_unknown(self) -> None:
        if self._must_be_known and self.counted is None:
            raise OctetError(
                f"{self._rows.name}: --resume: it does not begin with rows that were counted "
                "before; without it, all are new"
            )

    def _refuse_others(self) -> None:
        if self.counted and self.position != self.counted:
            raise OtherRowsError(
                f"{self._rows.name}: its first row is one that was counted before, but up to "
                f"{self._rows.unit} {self.counted.place} there are other rows now, or fewer; "
                "allowed is the same input, perhaps longer: take another --state, or count all of "
                "its rows anew with --reset REASON"
            )

    def _take(self, batch: Batch) -> None:
        self._good.update(np.ascontiguousarray(batch.x).data)
        for place, why in sorted(batch.bad.items()):
            self._bad.update(f"{place} {why}\n".encode())
        places = [self.position.place, *batch.places[-1:].tolist(), *batch.bad]
        digest = self._good.hexdigest() + self._bad.hexdigest()
        self.position = Position(max(places), self._first, digest)


def _place(batch: Batch) -> int:
    """Of the first row, good or bad; -1 if there is none."""
    return int(min([*batch.places[:1], *batch.bad], default=-1))


def _first(batch: Batch) -> str:
    """The digest of the first row, by its numbers or by what is wrong with it; empty for none."""
    if (place := _place(batch)) < 0:
        return ""
    content = f"{place} {batch.bad[place]}".encode() if place in batch.bad else batch.x[0].tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _split(batch: Batch, last: int) -> tuple[Batch, Batch]:
    """The rows of a batch up to a place, and those behind it."""
    count = int(np.searchsorted(batch.places, last, side="right"))
    parts = []
    for part, bad in (
        (slice(count), {place: why for place, why in batch.bad.items() if place <= last}),
        (slice(count, None), {place: why for place, why in batch.bad.items() if place > last}),
    ):
        truth = None if batch.truth is None else batch.truth[part]
        parts.append(
            replace(batch, places=batch.places[part], x=batch.x[part], truth=truth, bad=bad)
        )
    return parts[0], parts[1]
