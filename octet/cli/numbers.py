"""Predicted numbers: as lines of CSV, summed up, and in the words of ``info``."""

import math
from itertools import zip_longest
from typing import TextIO

import numpy as np

from octet.affine import Array
from octet.errors import printable
from octet.rows import arrow
from octet.runtime.predict import Predicted
from octet.signature import Numbers

_FIRST = 10
_LARGE = 1e9  # from where on nobody counts digits


class NumberAnswers:
    """What is said of predictions for these outputs."""

    def __init__(self, outputs: Numbers) -> None:
        self._outputs = outputs

    def header(self) -> list[str]:
        """The names of the columns."""
        return [self._outputs.column]

    def write(self, predicted: Predicted, file: TextIO, numbered: bool) -> None:
        """A line for each row, with its place if wanted and every digit that a float64 has."""
        # A number needs no quotes, and csv would write line by line.
        lines = arrow.texts(predicted.outputs[:, 0])
        if numbered:
            places = predicted.places.tolist()
            lines = [f"{i},{value}" for i, value in zip(places, lines, strict=True)]
        file.write("\n".join([*lines, ""]))

    def described(self) -> str:
        """What comes out, for people."""
        unit = self._outputs.unit
        return self._outputs.target + (f" ({unit})" if unit else "")

    def summary(self) -> "NumberSummary":
        """An empty one."""
        return NumberSummary(printable(self.described()))


class NumberSummary:
    """Range and mean of the predictions so far, in the unit of the target."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._count = 0
        self._low, self._high = math.inf, -math.inf
        self._mean = self._squares = 0.0  # of all, and of the differences from it
        self._known = 0
        self._errors = 0.0
        self._first: list[tuple[float, float | None]] = []

    def add(self, predicted: Predicted) -> None:
        """Take in the next predictions.

        Mean and squares are merged by the formula of Chan, Golub & LeVeque (Updating formulae and
        a pairwise algorithm for computing sample variances, 1979), which loses no digits to a
        large mean.
        """
        values = predicted.outputs[:, 0]
        if not len(values):
            return
        errors = np.zeros(0) if predicted.truth is None else values - predicted.truth
        self._known += len(errors)
        with np.errstate(over="ignore"):  # the sum of squares may be an infinity, and is then shown
            self._add_moments(values)
        self._errors += float(np.sum(np.abs(errors)))
        some = zip_longest(values[:_FIRST].tolist(), errors[:_FIRST].tolist())
        self._first = [*self._first, *some][:_FIRST]

    def _add_moments(self, values: Array) -> None:
        self._low = min(self._low, float(np.min(values)))
        self._high = max(self._high, float(np.max(values)))
        total, mean = self._count + len(values), float(np.mean(values))
        apart = mean - self._mean
        self._squares += float(np.sum((values - mean) ** 2))
        self._squares += apart * apart * self._count * len(values) / total
        self._mean += apart * len(values) / total
        self._count = total

    def text(self) -> str:
        """Count, range, mean, deviation and the first ten; errors where the targets are known."""
        lines = [self._title, f"count               {self._count}"]
        if self._count:
            deviation = math.sqrt(self._squares / self._count)
            lines += [
                f"range               {_digits(self._low)} … {_digits(self._high)}",
                f"mean                {_digits(self._mean)}",
                f"standard deviation  {_digits(deviation)}",
            ]
        if self._known:
            lines.append(f"MAE                 {_digits(self._errors / self._known)}")
        lines.append("the first ten" + (", and prediction - target" if self._known else ""))
        for value, error in self._first:
            apart = "" if error is None else f"{_digits(error, '+'):>12}"
            lines.append(f"{_digits(value):>12}{apart}")
        return "".join(f"{line}\n" for line in lines)


def _digits(value: float, sign: str = "") -> str:
    return f"{value:{sign}.4f}" if abs(value) < _LARGE else f"{value:{sign}.6g}"
