"""Classification: one of several classes for each row, scored and judged by accuracy."""

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from scipy.stats import binomtest

from octet.affine import Array
from octet.modelfile.arrays import AnyArray
from stages.params.gates import Gates
from stages.tasks import distance as outputs_distance
from stages.tasks.power import deviations, smallest_effect
from stages.tasks.task import HIGHER, LOWER, Axis, Judged, Measure, Task

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


def judge(labels: AnyArray, reference: Array, outputs: Array, margin: float) -> dict[str, float]:
    """The paired interval of the change in accuracy, and McNemar's exact test of whether it is 0.

    Only rows on which the models differ tell of a change: b that the quantized one alone has
    right and c that the float one alone has right. Under no change b is binomial of b + c tries
    at 1/2 (McNemar, 1947, exact). For the interval each of the four cells gets half a row more,
    which keeps it honest where b + c is small or 0 (Agresti & Min, Simple improved confidence
    intervals for comparing matched proportions, 2005): with N = n + 2 and d = (b - c) / N,

        d ± z √(b + c + 1 - (b - c)² / N) / N.

    The quantized model is not inferior if the whole interval is at least minus the margin. For
    ``smallest_effect`` see `stages.tasks.power`.

    Args:
        labels: indices of classes, ``(rows,)``.
        reference, outputs: in float and quantized, ``(rows, classes)``.
        margin: the decrease that is allowed, as a fraction of the rows.
    """
    float_right, right = correct(labels, reference), correct(labels, outputs)
    gained = int(np.sum(right & ~float_right))
    lost = int(np.sum(float_right & ~right))
    total = len(labels) + 2
    change = (gained - lost) / total
    spread = float(np.sqrt(gained + lost + 1 - (gained - lost) ** 2 / total) / total)
    reach = deviations() * spread
    low, high = max(-1.0, change - reach), min(1.0, change + reach)
    test = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    return {
        "low": low,
        "high": high,
        "gained": gained,
        "lost": lost,
        "mcnemar_p": float(test),
        "margin": margin,
        "smallest_effect": smallest_effect(spread),
        "non_inferior": int(low >= -margin),
    }


def loss(labels: AnyArray, reference: Array, outputs: Array) -> tuple[float, float]:
    """The interval of the loss in accuracy."""
    judged = judge(labels, reference, outputs, margin=0.0)
    return -judged["high"], -judged["low"]


def _margin(gates: Gates) -> float:
    return gates.accuracy_decrease


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
        "mcnemar_p": Measure("McNemar p", form=".3f"),
    },
    score=score,
    headline=accuracy,
    answers=predicted,
    answer_form="%d",
    distance=distance,
    judge=judge,
    loss=loss,
    margin=_margin,
    least=_least,
)
