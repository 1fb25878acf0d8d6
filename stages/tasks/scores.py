"""How good a model is, and how far two of them are apart."""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from octet.affine import Array
from octet.signature import Pixels

# The signal-to-noise ratio of two outputs that agree to the last bit of a float64: 20 log10 2⁵³.
_IDENTICAL_DB = 20 * 53 * math.log10(2)


def regression(truth: Array, predicted: Array) -> dict[str, float]:
    """R², mean squared error and mean absolute error; both arguments ``(rows,)``."""
    return {
        "r2": float(r2_score(truth, predicted)),
        "mse": float(mean_squared_error(truth, predicted)),
        "mae": float(mean_absolute_error(truth, predicted)),
    }


def classification(truth: Pixels, outputs: Array) -> dict[str, float]:
    """Accuracy, and the mean of -log of the probability that softmax gives to the true class.

    Args:
        truth: labels ``(rows,)``.
        outputs: ``(rows, classes)``.
    """
    probability = log_softmax(outputs, axis=1)[np.arange(len(truth)), truth]
    return {
        "accuracy": float(np.mean(correct(truth, outputs))),
        "log_loss": -float(np.mean(probability)),
    }


def correct(truth: Pixels, outputs: Array) -> npt.NDArray[np.bool_]:
    """Where the largest output, the first if several are, is that of the true class."""
    return np.asarray(np.argmax(outputs, axis=1) == truth)


def moved(before: Array, after: Array) -> float:
    """The mean length of the change in the outputs, both ``(rows, outputs)``."""
    return float(np.mean(np.sqrt(np.sum((after - before) ** 2, axis=1))))


def fidelity(reference: Array, outputs: Array) -> dict[str, float]:
    """How far the outputs are from the reference, whatever the truth; both ``(rows, outputs)``.

    ``sqnr_db`` is 10 log10(Σ reference² / Σ difference²), signal to quantization noise, between
    ±319.1 dB: what two outputs have that differ in nothing a float64 can show, and its opposite.
    Of classes, ``agreement`` is the share of rows in which both have the same one on top.
    """
    difference = outputs - reference
    mse = float(np.mean(difference**2))
    signal = float(np.mean(reference**2))
    ratio = signal / mse if mse > 0 else math.inf
    sqnr_db = 10 * math.log10(ratio) if ratio > 0 else -math.inf
    figures = {
        "mse": mse,
        "mean_abs": float(np.mean(np.abs(difference))),
        "max_abs": float(np.max(np.abs(difference))),
        "sqnr_db": max(-_IDENTICAL_DB, min(sqnr_db, _IDENTICAL_DB)),
    }
    if reference.shape[1] > 1:
        same = np.argmax(reference, axis=1) == np.argmax(outputs, axis=1)
        figures["agreement"] = float(np.mean(same))
    return figures


def parameters(
    reference: list[tuple[Array, Array]], other: list[tuple[Array, Array]]
) -> dict[str, float]:
    """How many coefficients there are, and how far apart: (weight, bias) of each layer.

    Args:
        reference: in float.
        other: the same, dequantized.
    """
    weights, biases = (
        np.concatenate([np.abs(a[i] - b[i]).ravel() for a, b in zip(reference, other, strict=True)])
        for i in (0, 1)
    )
    return {
        "count": weights.size + biases.size,
        "weight_mean_abs": float(np.mean(weights)),
        "weight_max_abs": float(np.max(weights)),
        "bias_max_abs": float(np.max(biases)),
    }
