"""What many predictions come to, from one pass over them: the text of ``predict --summary``."""

import math
from itertools import zip_longest

import numpy as np

from octet.affine import Array
from octet.errors import printable
from octet.runtime.predict import Predicted
from octet.signature import Classes, Numbers, Signature

_FIRST = 10
_LARGE = 1e9  # from where on nobody counts digits


class NumberSummary:
    """Figures of the predictions so far, in the unit of the target."""

    def __init__(self, signature: Numbers) -> None:
        self._signature = signature
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
        unit = f" ({self._signature.unit})" if self._signature.unit else ""
        lines = [printable(self._signature.target + unit), f"count               {self._count}"]
        if self._count:
            deviation = math.sqrt(self._squares / self._count)
            lines += [
                f"range               {_figure(self._low)} … {_figure(self._high)}",
                f"mean                {_figure(self._mean)}",
                f"standard deviation  {_figure(deviation)}",
            ]
        if self._known:
            lines.append(f"MAE                 {_figure(self._errors / self._known)}")
        lines.append("the first ten" + (", and prediction - target" if self._known else ""))
        for value, error in self._first:
            apart = "" if error is None else f"{_figure(error, '+'):>12}"
            lines.append(f"{_figure(value):>12}{apart}")
        return "".join(f"{line}\n" for line in lines)


def _figure(value: float, sign: str = "") -> str:
    return f"{value:{sign}.4f}" if abs(value) < _LARGE else f"{value:{sign}.6g}"


class ClassSummary:
    """How often each class was the answer so far, and how often it was right."""

    def __init__(self, signature: Classes) -> None:
        self._classes = signature.classes
        self._counts = np.zeros(len(signature.classes), np.int64)
        self._known = self._right = 0
        self._first: list[tuple[int, int | None]] = []

    def add(self, predicted: Predicted) -> None:
        """Take in the next predictions."""
        top = np.argmax(predicted.outputs, axis=1)
        truth = np.zeros(0) if predicted.truth is None else predicted.truth
        self._counts += np.bincount(top, minlength=len(self._classes))
        self._known += len(truth)
        self._right += int(np.sum(top == truth)) if len(truth) else 0
        some = zip_longest(top[:_FIRST].tolist(), truth[:_FIRST].astype(int).tolist())
        self._first = [*self._first, *some][:_FIRST]

    def text(self) -> str:
        """Count, of each class too, and the first ten; accuracy where the labels are known."""
        lines = [f"count     {int(np.sum(self._counts))}"]
        if self._known:
            wrong = self._known - self._right
            lines.append(f"accuracy  {self._right / self._known:.4f} ({wrong} wrong)")
        lines.append("of each class")
        lines += [
            f"{name:>8}  {n}"
            for name, n in zip(map(printable, self._classes), self._counts, strict=True)
        ]
        lines.append("the first ten" + (", and what they are" if self._known else ""))
        for answer, label in self._first:
            names = [answer] if label is None else [answer, label]
            lines.append("".join(f"{printable(self._classes[i]):>8}" for i in names))
        return "".join(f"{line}\n" for line in lines)


def summary_of(signature: Signature) -> NumberSummary | ClassSummary:
    """An empty summary of predictions for this signature."""
    outputs = signature.outputs
    return NumberSummary(outputs) if isinstance(outputs, Numbers) else ClassSummary(outputs)
