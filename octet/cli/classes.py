"""Predicted classes: as lines of CSV, counted, and in the words of ``info``."""

import csv
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, TextIO

import numpy as np

from octet.errors import printable
from octet.network import Network
from octet.rows import arrow
from octet.runtime.predict import Predicted, probabilities
from octet.signature import Classes

_FIRST = 10
_NARROWEST = 8  # characters of a column of names


class ClassAnswers:
    """What is said of predictions for these outputs."""

    def __init__(self, outputs: Classes, network: Network) -> None:
        self._outputs = outputs
        self._network = network

    def header(self) -> list[str]:
        """The names of the columns: of the class, and of each class for its probability."""
        return [self._outputs.column, *self._outputs.classes]

    def write(self, predicted: Predicted, file: TextIO, numbered: bool) -> None:
        """A line for each row, with its place if wanted and every digit that a float64 has."""
        classes, outputs = self._outputs.classes, predicted.outputs
        best, shares = np.argmax(outputs, axis=1), probabilities(self._network, outputs)
        columns: list[list[Any]] = [[classes[i] for i in best.tolist()]]
        columns += map(arrow.texts, shares.T)
        if numbered:
            columns = [predicted.places.tolist(), *columns]
        csv.writer(file, lineterminator="\n").writerows(zip(*columns, strict=True))

    def described(self) -> str:
        """What comes out, for people."""
        return f"one of {len(self._outputs.classes)}: {', '.join(self._outputs.classes)}"

    def summary(self) -> "ClassSummary":
        """An empty one."""
        return ClassSummary([*map(printable, self._outputs.classes)])


class ClassSummary:
    """How often each class was predicted so far, and how often it was right."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._counts = np.zeros(len(classes), np.int64)
        self._known = self._right = 0
        self._first: list[tuple[int, int | None]] = []

    def add(self, predicted: Predicted) -> None:
        """Take in the next predictions."""
        classes = np.argmax(predicted.outputs, axis=1)
        truth = np.zeros(0) if predicted.truth is None else predicted.truth
        self._counts += np.bincount(classes, minlength=len(self._classes))
        self._known += len(truth)
        self._right += int(np.sum(classes == truth)) if len(truth) else 0
        some = zip_longest(classes[:_FIRST].tolist(), truth[:_FIRST].astype(int).tolist())
        self._first = [*self._first, *some][:_FIRST]

    def text(self) -> str:
        """Count, of each class too, and the first ten; accuracy where the labels are known."""
        lines = [f"count     {int(np.sum(self._counts))}"]
        if self._known:
            wrong = self._known - self._right
            lines.append(f"accuracy  {self._right / self._known:.4f} ({wrong} wrong)")
        lines.append("of each class")
        width = max([_NARROWEST, *(len(name) + 2 for name in self._classes)])
        lines += [
            f"{name:>{width}}  {count}"
            for name, count in zip(self._classes, self._counts, strict=True)
        ]
        lines.append("the first ten" + (", and their labels" if self._known else ""))
        for predicted, label in self._first:
            indices = [predicted] if label is None else [predicted, label]
            lines.append("".join(f"{self._classes[i]:>{width}}" for i in indices))
        return "".join(f"{line}\n" for line in lines)
