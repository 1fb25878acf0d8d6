"""Rows on their way to a network: some at a time, with those that cannot be used told apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.signature import Input

Truth = npt.NDArray[np.number]


@dataclass(frozen=True)
class Batch:
    """Rows that follow each other.

    Attributes:
        places: ``(rows,)``, where each stands: its line in a file of text, its index in an array.
        x: ``(rows, …)``, what a network takes.
        truth: ``(rows,)``, the target or the index of the class, where the file has it.
        bad: the places of rows between these that cannot be used, and what is wrong with each.
        share: how much of the file has been read, from 0 to 1; None where nobody knows.
        ended: whether they are whole, whatever else may come, as `octet.rows.text.Block`.
    """

    places: npt.NDArray[np.int64]
    x: Input
    truth: Truth | None
    bad: Mapping[int, str]
    share: float | None
    ended: bool = True


@dataclass(frozen=True)
class Rows:
    """What a file or a stream holds.

    Attributes:
        name: of the file or stream.
        unit: what a place counts: ``line`` or ``row``.
        batches: in order; an OctetError where nothing more can be read.
    """

    name: str
    unit: str
    batches: Iterator[Batch]

    def named(self, place: int) -> str:
        """How to speak of a row: ``rows.csv: line 3``, say."""
        return f"{self.name}: {self.unit} {place}"
