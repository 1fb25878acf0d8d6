"""Classification: one of several classes for each row, scored and judged by accuracy."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from octet.affine import Array
from octet.modelfile.arrays import AnyArray
from stages.params.gates import Gates
from stages.tasks import distance as outputs_distance
from stages.tasks import proportions
from stages.tasks.task import HIGHER, LOWER, Axis, Claim, Judged, Measure, Task, digits, not_shown

# A probability of less is taken for this: its logarithm must be finite.
_LEAST_PROBABILITY = float(np.finfo(np.float64).tiny)


def score(labels: AnyArray, outputs: Array, probabilities: bool) -> dict[str, float]:
    """Accuracy, and the mean of -log of the probability of the true class, in nats.

    Args:
        labels: indices of classes, ``(rows,)``.
        outputs: ``(rows, classes)``.
        probabilities: whether outputs are probabilities; else they are logits, of which softmax
            makes them.
    """
    if probabilities:
        logarithms = np.log(np.maximum(outputs, _LEAST_PROBABILITY))
    else:
        logarithms = log_softmax(outputs, axis=1)
    return {
        "accuracy": accuracy(labels, outputs),
        "log_loss": -float(np.mean(logarithms[np.arange(len(labels)), labels])),
    }


def accuracy(labels: AnyArray, outputs: Array) -> float:
    """The share of rows with the largest output, the first if several are, at the true class."""
    return float(np.mean(correct(labels, outputs)))


def correct(labels: AnyArray, outputs: Array) -> npt.NDArray[np.bool_]:
    """Where the largest output, the first if several are, is that of the true class."""
    return np.asarray(predicted(outputs) == labels)


def predicted(outputs: Array) -> npt.NDArray[np.intp]:
    """The class with the largest output, the first if several are, ``(rows,)``."""
    return np.asarray(np.argmax(outputs, axis=1))


def distance(reference: Array, outputs: Array) -> dict[str, float]:
    """As `stages.tasks.distance.between`, and the share of rows with the same predicted class."""
    same = predicted(reference) == predicted(outputs)
    return {
        **outputs_distance.between(reference, outputs),
        "agreement": float(np.mean(same)),
    }


def judge(labels: AnyArray, reference: Array, outputs: Array, gates: Gates) -> dict[str, float]:
    """The change in accuracy on the same rows, see `stages.tasks.proportions`.

    Args:
        labels: indices of classes, ``(rows,)``.
        reference, outputs: in float and quantized, ``(rows, classes)``.
        gates: of which ``accuracy_decrease`` is the margin.
    """
    float_right, right = correct(labels, reference), correct(labels, outputs)
    gained = int(np.sum(right & ~float_right))
    lost = int(np.sum(float_right & ~right))
    rows, margin = len(labels), gates.accuracy_decrease
    low, high = proportions.interval(rows, gained, lost)
    return {
        "rows": rows,
        "low": low,
        "high": high,
        "gained": gained,
        "lost": lost,
        "p_no_change": proportions.p_no_change(rows, gained, lost),
        "p_inferior": proportions.p_inferior(rows, gained, lost, margin),
        "rows_needed": proportions.rows_needed(rows, gained + lost, margin),
    }


def claims(gates: Gates) -> tuple[Claim, ...]:
    """The whole interval is above minus the margin."""
    margin, keys = gates.accuracy_decrease, ("low", "high", "rows", "rows_needed")

    def judged(verdict: Mapping[str, float]) -> tuple[str, bool | None]:
        low, high, rows, needed = (verdict[key] for key in keys)
        ends = (digits(100 * end, "+.3f") for end in (low, high))
        got = f"accuracy {' … '.join(f'{end}%' for end in ends)}"
        if -margin <= low <= high:
            return got, True
        if high < -margin:
            return f"{got}; worse than allowed", False
        return f"{got}; {not_shown(rows, needed, f'{100 * margin:g} points')}", None

    def used(verdict: Mapping[str, float], change: float) -> tuple[float, float, float]:
        return -verdict["high"] / margin, -change / margin, -verdict["low"] / margin

    allowed = f"down to {-margin:+.3%}"
    return (Claim("not inferior", allowed, keys, judged, used, ("margin", margin)),)


def _loss(verdict: Mapping[str, float], _: float) -> tuple[float, float]:
    return -verdict["high"], -verdict["low"]


def _least(gates: Gates, noisy: bool) -> dict[str, float]:
    least = {"accuracy": gates.accuracy}
    return least | {"accuracy_noisy": gates.accuracy_noisy} if noisy else least


CLASSIFICATION = Task(
    name="classification",
    scores={
        "accuracy": Measure("accuracy", "%", HIGHER, 100),
        "log_loss": Measure("log loss", "nats", LOWER),
    },
    on_training_rows="",
    output="logits",
    judged=Judged("accuracy", "accuracy", "points", HIGHER, relative=False),
    axis=Axis("accuracy, points", 100, "+.2f", 0.1),
    verdict={
        "gained": Measure("gained", "rows", HIGHER, form=",d"),
        "lost": Measure("lost", "rows", LOWER, form=",d"),
        "p_no_change": Measure("p of no change", form=".3f"),
    },
    score=score,
    headline=accuracy,
    answers=predicted,
    answer_form="%d",
    distance=distance,
    judge=judge,
    claims=claims,
    loss=_loss,
    least=_least,
)
