"""What every task says of itself: its scores, their units and better side, its verdict, its gate.

Whoever forgets one of these is told by mypy: a `Task` has no defaults.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.modelfile.arrays import AnyArray
from stages.params.gates import Gates
from stages.tasks.level import MOST_ROWS

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

    def change(self, before: float, difference: float) -> float:
        """The change from a score of the float model and how much more the quantized one has."""
        if not self.relative:
            return difference
        return difference / before if before else 0.0


@dataclass(frozen=True)
class Claim:
    """One thing that the verdict's numbers must show.

    Attributes:
        what: its name.
        allowed: what passes, for people.
        keys: of the numbers of the verdict that it looks at.
        judge: of these, what was got, with the reason where it does not pass; and whether it does,
            None where the rows leave it open.
        used: how much of what is allowed is used up: the ends of the interval of 95 % and, between
            them, the value on these rows. 0 is no change, 1 is the margin, and more is worse. Of
            the numbers of the verdict and the judged change.
        made_with: a value of the gates that the numbers depend on, after the key under which the
            verdict holds it.
    """

    what: str
    allowed: str
    keys: tuple[str, ...]
    judge: Callable[[Mapping[str, float]], tuple[str, bool | None]]
    used: Callable[[Mapping[str, float], float], tuple[float, float, float]]
    made_with: tuple[str, float]


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
        on_training_rows: the key under which metrics hold the float model's headline on the
            training rows; empty if they do not.
        output: the unit of an output.
        judged: what the verdict is about.
        axis: of a loss in the headline.
        verdict: the measures of what `judge` gives besides low and high.
        score: all scores of ``(truth, outputs, probabilities)``.
        headline: the first of them, of ``(truth, outputs)``.
        answers: what a person is told for each row, ``(rows,)``: numbers, or indices of classes.
        answer_form: one of these in a CSV file, as NumPy formats it.
        distance: between ``(reference, outputs)``, see `stages.tasks.distance`.
        judge: the numbers of the verdict on ``(truth, reference, outputs, gates)``.
        claims: what these numbers must show for the quantized model to be not inferior.
        loss: the interval of the loss in the headline, of the verdict's numbers and the float
            model's headline.
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
    judge: Callable[[AnyArray, Array, Array, Gates], dict[str, float]]
    claims: Callable[[Gates], tuple[Claim, ...]]
    loss: Callable[[Mapping[str, float], float], tuple[float, float]]
    least: Callable[[Gates, bool], dict[str, float]]

    @property
    def headline_key(self) -> str:
        """The key of the first score."""
        return next(iter(self.scores))

    @property
    def headline_name(self) -> str:
        """The name of the first score."""
        return self.scores[self.headline_key].name

    def decide(
        self, truth: AnyArray, reference: Array, outputs: Array, gates: Gates
    ) -> dict[str, float]:
        """The whole verdict: numbers, the gates that they depend on, and whether all is shown."""
        numbers, claims = self.judge(truth, reference, outputs, gates), self.claims(gates)
        shown = all(each.judge(numbers)[1] for each in claims)
        return {**numbers, **dict(each.made_with for each in claims), "non_inferior": int(shown)}


def digits(value: float, form: str) -> str:
    """A number as a format specification has it, but never ``-0.00``.

    Where all of its digits would be 0 and it is not, it is written with its first other one: of an
    interval, the side of 0 on which an end lies is what it says.
    """
    if not value:
        return format(0.0, form).lstrip("+")
    text = format(value, form)
    if not re.search("[1-9]", text):
        return format(value, f"{'+' * form.startswith('+')}.1g")
    return text


def not_shown(rows: float, needed: float, margin: str) -> str:
    """What is said where the rows leave it open."""
    if needed <= rows:
        return f"not shown: these {rows:,.0f} rows leave {margin} open"
    if needed >= MOST_ROWS:
        return f"not shown: no number of rows could show {margin}"
    return f"not shown: {rows:,.0f} rows cannot show {margin}; {needed:,.0f} could"
