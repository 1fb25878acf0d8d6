"""What the page shows of one system: the parts of its task, of its inputs, and of its layers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from octet.signature import Images
from stages.point import sweep_path
from stages.report import (
    answers,
    classification,
    device,
    images,
    layers,
    regression,
    sweep,
    weights,
)
from stages.report.answers import Answer
from stages.report.classification import Confusion
from stages.report.evidence import Evidence
from stages.report.images import Sheet
from stages.report.picture import Picture
from stages.report.tables import Cell, Table
from stages.tasks.classification import CLASSIFICATION
from stages.tasks.regression import REGRESSION

_MOST_DISAGREEMENTS = 24

_OF_TASK: dict[str, Callable[[Evidence, str], list[Picture]]] = {
    REGRESSION.name: regression.pictures,
    CLASSIFICATION.name: classification.pictures,
}


@dataclass(frozen=True)
class Disagreements:
    """The test rows on which two classifiers differ.

    Attributes:
        total: how many there are.
        sheets: the first of them, if they are images.
        table: the first of them, if they are not.
    """

    total: int
    sheets: Sequence[Sheet]
    table: Table | None

    @property
    def shown(self) -> int:
        """How many there are to see."""
        return len(self.table.rows) if self.table else len(self.sheets)


@dataclass(frozen=True)
class Chapter:
    """What the page shows of one system.

    Attributes:
        answer: at a glance, with the verdict.
        confusions: of classifiers.
        sheets: contact sheets of images.
        disagreements: of classifiers; None of others.
        missing: what is not shown, and what to do about it.
    """

    name: str
    answer: Answer
    tables: Sequence[Table]
    pictures: Sequence[Picture]
    confusions: Sequence[Confusion]
    sheets: Sequence[Sheet]
    disagreements: Disagreements | None
    missing: Sequence[str]


def chapter(evidence: Evidence, key: str) -> Chapter:
    """Everything about one system.

    Args:
        key: unique on the page; what the names within its pictures start with.

    Raises:
        OctetError: a number is missing; it is named.
    """
    task, inputs = evidence.kind.task, evidence.data.signature.inputs
    of_classes, on_device = task is CLASSIFICATION, device.device(evidence)
    return Chapter(
        name=evidence.name,
        answer=answers.answer(evidence),
        tables=[
            *([regression.table(evidence)] if task is REGRESSION else []),
            layers.table(evidence),
            *([sweep.table(evidence)] if evidence.sweep else []),
            *([device.table(evidence, on_device.sizes)] if on_device.sizes else []),
        ],
        pictures=[
            *_OF_TASK[task.name](evidence, key),
            *weights.pictures(evidence, key),
            *sweep.pictures(evidence, key),
            *device.pictures(evidence, on_device.sizes, key),
            *layers.pictures(evidence, key),
        ],
        confusions=classification.confusions(evidence) if of_classes else [],
        sheets=images.sheets(evidence, inputs) if isinstance(inputs, Images) else [],
        disagreements=_disagreements(evidence) if of_classes else None,
        missing=[*_missing(evidence), *filter(None, [on_device.refused])],
    )


def _missing(evidence: Evidence) -> list[str]:
    if evidence.sweep:
        return []
    name = evidence.name
    return [f"{sweep_path(name)} is not there: `dvc repro sweep@{name}` makes it."]


def _disagreements(evidence: Evidence) -> Disagreements:
    """Of a classifier: as images if its rows are images, else as a table."""
    rows, inputs = [*classification.disagreements(evidence)], evidence.data.signature.inputs
    first = rows[:_MOST_DISAGREEMENTS]
    if isinstance(inputs, Images):
        sheets = [images.one(evidence, inputs, each.row, str(each)) for each in first]
        return Disagreements(len(rows), sheets, None)
    cells = tuple(
        (
            Cell(f"#{each.row}", float(each.row)),
            *(Cell(name, name) for name in (each.label, each.float_class, each.quantized_class)),
        )
        for each in first
    )
    caption = f"{evidence.name}: test rows on which float and quantized disagree"
    table = Table(caption, ("row", "label", "float", "quantized"), cells)
    return Disagreements(len(rows), [], table if cells else None)
