"""What every task says of itself: its scores, their units and better side, its verdict, its gate.

Whoever forgets one of these is told by mypy: a `Task` has no defaults.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.modelfile.arrays import AnyArray
from stages.params.gates import Gates

HIGHER, LOWER = "↑", "↓"


@dataclass(frozen=True)
class Measure:
    """How a number of the metrics is to be read.

    Attributes:
        name: for people.
        unit: in which it is shown; empty if it has none.
        better: an arrow to where it is better, or nothing where neither side is.
        factor: from the number in the file to that unit.
        form: its digits in a table of the report, as a format specification.
    """

    name: str = ""
    unit: str = ""
    better: str = ""
    factor: int = 1
    form: str = ".4f"


@dataclass(frozen=True)
class Judged:
    """The change that a verdict is about.

    Attributes:
        score: the score that changes: a key of the task's scores.
        name: what it is called.
        unit: of a change, times 100.
        better: an arrow to where the score is better.
        relative: whether the change is a fraction of the float model's score.
    """

    score: str
    name: str
    unit: str
    better: str
    relative: bool

    @property
    def change_unit(self) -> str:
        """The unit of a change, for those who do not know of what it is."""
        return f"% of {self.name}" if self.relative else self.unit

    def allowed(self, margin: float) -> float:
        """The change that a gate allows, with its sign: what is better high may fall, and so on."""
        return -margin if self.better == HIGHER else margin

    def within(self, low: float, high: float, margin: float) -> bool:
        """Whether a whole interval of the change is allowed."""
        return low >= -margin if self.better == HIGHER else high <= margin

    def beyond(self, low: float, high: float, margin: float) -> bool:
        """Whether nothing of an interval of the change is allowed."""
        return high < -margin if self.better == HIGHER else low > margin

    def change(self, before: float, difference: float) -> float:
        """The change from a score of the float model and how much more the quantized one has."""
        if not self.relative:
            return difference
        return difference / before if before else 0.0


@dataclass(frozen=True)
class Axis:
    """How a loss in the headline score is shown.

    Attributes:
        name: of the score and its unit.
        factor: from a fraction to that unit.
        form: digits in a table.
        linear: up to where a logarithmic axis is linear.
    """

    name: str
    factor: int
    form: str
    linear: float


@dataclass(frozen=True)
class Task:
    """All that is true of one task and of no other.

    Truth is ``(rows,)``, outputs are ``(rows, outputs)``. ``probabilities`` says whether outputs
    are probabilities; else they are numbers or logits.

    Attributes:
        name: ``regression``, say.
        scores: of the test rows, by key; the first is the headline: what a sweep and the
            sensitivity of layers are measured by, and more of it is better.
        on_training_rows: the key under which metrics hold the headline on the training rows;
            empty if they do not.
        output: the unit of an output.
        judged: what the verdict is about.
        axis: of a loss in the headline.
        verdict: what the verdict holds besides low, high, margin, smallest_effect, non_inferior.
        score: all scores of ``(truth, outputs, probabilities)``.
        headline: the first of them, of ``(truth, outputs)``.
        answers: what a person is told for each row, ``(rows,)``: numbers, or indices of classes.
        answer_form: one of these in a CSV file, as NumPy formats it.
        distance: between ``(reference, outputs)``, see `stages.tasks.distance`.
        judge: the verdict on ``(truth, reference, outputs, margin)``.
        loss: an interval of the loss in the headline of ``(truth, reference, outputs)``.
        margin: what the gates allow the judged score to change by.
        least: by key, what the gates want of the scores at least; with noise too, if so asked.
    """

    name: str
    scores: dict[str, Measure]
    on_training_rows: str
    output: str
    judged: Judged
    axis: Axis
    verdict: dict[str, Measure]
    score: Callable[[AnyArray, Array, bool], dict[str, float]]
    headline: Callable[[AnyArray, Array], float]
    answers: Callable[[Array], npt.NDArray[np.float64 | np.intp]]
    answer_form: str
    distance: Callable[[Array, Array], dict[str, float]]
    judge: Callable[[AnyArray, Array, Array, float], dict[str, float]]
    loss: Callable[[AnyArray, Array, Array], tuple[float, float]]
    margin: Callable[[Gates], float]
    least: Callable[[Gates, bool], dict[str, float]]

    @property
    def headline_key(self) -> str:
        """The key of the first score."""
        return next(iter(self.scores))

    @property
    def headline_name(self) -> str:
        """The name of the first score."""
        return self.scores[self.headline_key].name
