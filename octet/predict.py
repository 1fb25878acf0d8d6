"""Predict rows as they come, write each prediction as a line of CSV, and sum them up."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np
import numpy.typing as npt

from octet import inference
from octet.network import Array, Columns, Images, Network
from octet.rows import BadRowError, Part

_FIRST = 10


@dataclass
class Summary:
    """What is known of the predictions so far; of classes, ``counts`` and no moments.

    Attributes:
        count: how many there were.
        mean, squares: of the predictions, and the sum of their squared distances from it.
        first: the first ten, as they were written.
        errors: the first ten, prediction less truth, where there is a truth.
        wrong: the sum of absolute errors; of classes, how many were wrong.
        judged: how many had a truth.
        bad: rows that were left out.
    """

    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    wrong: float = 0.0
    judged: int = 0
    bad: int = 0

    def add_numbers(self, y: Array, truth: Array | None) -> None:
        """Take in predictions ``(rows,)``: Chan et al., Updating Formulae for Variance, 1979."""
        self.low, self.high = min(self.low, float(y.min())), max(self.high, float(y.max()))
        total, mean = self.count + len(y), float(y.mean())
        apart = mean - self.mean
        self.squares += float(np.sum((y - mean) ** 2)) + apart**2 * self.count * len(y) / total
        self.mean += apart * len(y) / total
        self.count = total
        if truth is not None:
            missing = _FIRST - len(self.errors)
            self.errors += [f"{error:+.4f}" for error in (y - truth)[: max(missing, 0)].tolist()]
            self.wrong += float(np.sum(np.abs(y - truth)))
            self.judged += len(y)

    def add_classes(
        self, chosen: npt.NDArray[np.intp], classes: tuple[str, ...], truth: Array | None
    ) -> None:
        """Take in the numbers of classes, ``(rows,)``."""
        found, counts = np.unique(chosen, return_counts=True)
        for each, count in zip(found.tolist(), counts.tolist(), strict=True):
            self.counts[classes[each]] = self.counts.get(classes[each], 0) + count
        self.count += len(chosen)
        if truth is not None:
            self.wrong += float(np.sum(chosen != truth))
            self.judged += len(chosen)

    def text(self, network: Network) -> str:
        """Some lines for a person."""
        signature = network.signature
        lines = [f"predictions: {self.count:,}"]
        if isinstance(signature, Columns):
            lines[0] += f" of {signature.target} ({signature.unit})"
            if self.count:
                deviation = math.sqrt(self.squares / self.count)
                lines.append(f"range: {self.low:.4f} … {self.high:.4f}")
                lines.append(f"mean: {self.mean:.4f}, standard deviation: {deviation:.4f}")
        elif self.count:
            lines.append(", ".join(f"{name}: {n:,}" for name, n in sorted(self.counts.items())))
        if self.first:
            lines.append(f"first: {' '.join(self.first)}")
        if self.errors:
            lines.append(f"first errors: {' '.join(self.errors)}")
        if self.judged and isinstance(signature, Columns):
            lines.append(f"mean absolute error: {self.wrong / self.judged:.4f}")
        elif self.judged:
            lines.append(f"accuracy: {1 - self.wrong / self.judged:.4f}")
        if self.bad:
            lines.append(f"bad rows left out: {self.bad:,}")
        return "\n".join(lines) + "\n"


def predict(network: Network, parts: Iterable[Part], out: TextIO, messages: TextIO) -> Summary:
    """Write a line for each row, under a header: a number, or a class and its probability.

    Args:
        network: float or quantized.
        parts: the rows.
        out: gets the CSV.
        messages: gets a line for each bad row and, if it is a terminal, how far this has come.

    Raises:
        BadRowError: at the first bad row, after all before it were written.
    """
    summary = Summary()
    table = isinstance(network.signature, Columns)
    out.write("prediction\n" if table else "prediction,probability\n")
    try:
        for part in parts:
            _take(network, part, summary, out)
            summary.bad += len(part.bad)
            messages.writelines(f"left out: {line}\n" for line in part.bad)
            if messages.isatty():
                messages.write(f"\r{summary.count:,} rows")
    except BadRowError as error:
        _take(network, error.before, summary, out)
        raise
    finally:
        if messages.isatty():
            messages.write("\n")
        out.flush()
    return summary


def _take(network: Network, part: Part, summary: Summary, out: TextIO) -> None:
    if not len(part.x):
        return
    outputs = inference.run(network, part.x)
    if isinstance(network.signature, Images):
        classes = network.signature.classes
        chosen = np.argmax(outputs, axis=1)
        shown = [classes[i] for i in chosen.tolist()]
        likely = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        share = 1 / np.sum(likely, axis=1)  # softmax, of the largest
        lines = [f"{a},{b:.6f}\n" for a, b in zip(shown, share.tolist(), strict=True)]
        summary.add_classes(chosen, classes, part.truth)
    else:
        y = outputs[:, 0]
        shown = [repr(value) for value in y.tolist()]
        lines = [f"{text}\n" for text in shown]
        summary.add_numbers(y, part.truth)
    out.writelines(lines)
    if len(summary.first) < _FIRST:
        summary.first += [_short(text) for text in shown[: _FIRST - len(summary.first)]]


def _short(text: str) -> str:
    try:
        return f"{float(text):.4f}" if "." in text or "e" in text else text
    except ValueError:
        return text
