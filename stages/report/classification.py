"""What the report shows of classification alone: logits, confusion matrices, disagreements."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.modelfile.arrays import AnyArray
from octet.network import gives_probabilities
from octet.signature import Classes
from stages.report import picture
from stages.report.evidence import Evidence
from stages.report.picture import Picture, Words
from stages.report.vector import QUANTIZED
from stages.tasks.classification import predicted

# A matrix of more does not fit a screen.
_MOST_CLASSES = 40

Counts = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Confusion:
    """Counts ``(classes, classes)`` of test rows, by label (rows) and prediction (columns)."""

    caption: str
    classes: tuple[str, ...]
    counts: Counts
    signed: bool = False

    @property
    def most(self) -> int:
        """The largest count that matters: off the diagonal of counts, anywhere in a difference."""
        off = self.counts if self.signed else self.counts - np.diag(np.diag(self.counts))
        return max(1, int(np.max(np.abs(off))))


@dataclass(frozen=True)
class Disagreement:
    """A test row for which the two models predict different classes: its index, and all names."""

    row: int
    label: str
    float_class: str
    quantized_class: str

    def __str__(self) -> str:
        return (
            f"#{self.row} is {self.label}: float says {self.float_class}, "
            f"quantized {self.quantized_class}"
        )


def pictures(evidence: Evidence, key: str) -> list[Picture]:
    """A histogram of what quantization does to the outputs for the classes."""
    before, after = evidence.outputs
    moved = np.ravel(after - before)
    caption = "Error of quantization: how far each output for a class moves."
    label = f"Histogram of {moved.size:,} differences; the largest is {np.max(np.abs(moved)):.3g}."
    unit = "probabilities" if gives_probabilities(evidence.reference) else "logits"
    words = Words(f"{caption} {label}", label, f"quantized − float, {unit}", "outputs")
    return [picture.histograms(f"{key}-moved", [moved], words, QUANTIZED)]


def confusions(evidence: Evidence) -> list[Confusion]:
    """Of both models, and what quantization changed; none where there are too many classes."""
    classes = _classes(evidence)
    if len(classes) > _MOST_CLASSES:
        return []
    labels = evidence.data.y_test
    before, after = (_confusion(labels, outputs, len(classes)) for outputs in evidence.outputs)
    return [
        Confusion("Float: label by row, prediction by column", classes, before),
        Confusion("Quantized: label by row, prediction by column", classes, after),
        Confusion(
            "Quantized less float: blue is for the better", classes, after - before, signed=True
        ),
    ]


def _confusion(labels: AnyArray, outputs: Array, classes: int) -> Counts:
    cells = labels.astype(np.intp) * classes + predicted(outputs)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def disagreements(evidence: Evidence) -> Iterator[Disagreement]:
    """The test rows for which the two models predict different classes, in order."""
    classes = _classes(evidence)
    before, after = (predicted(outputs) for outputs in evidence.outputs)
    for row in np.flatnonzero(before != after).tolist():
        label, *answers = (
            classes[int(each[row])] for each in (evidence.data.y_test, before, after)
        )
        yield Disagreement(row, label, *answers)


def _classes(evidence: Evidence) -> tuple[str, ...]:
    outputs = evidence.data.signature.outputs
    return outputs.classes if isinstance(outputs, Classes) else ()
