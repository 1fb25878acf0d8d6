"""Regression: a number for each row, scored by R², judged by the change of its squared error."""

import warnings

import numpy as np
from scipy.stats import DegenerateDataWarning, bootstrap
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from octet.affine import Array
from octet.errors import OctetError
from stages.params.gates import Gates
from stages.tasks import distance
from stages.tasks.power import CONFIDENCE, smallest_effect
from stages.tasks.task import HIGHER, LOWER, Axis, Judged, Measure, Task

_RESAMPLES = 10_000
# Enough for the interval of a picture.
_RESAMPLES_OF_LOSS = 2000
_SEED = 0
_BATCH = 500  # resamples held in memory at once


def score(truth: Array, outputs: Array, _: bool = False) -> dict[str, float]:
    """R², mean squared error and mean absolute error, of ``(rows,)`` and ``(rows, 1)``."""
    predicted = outputs[:, 0]
    return {
        "r2": float(r2_score(truth, predicted)),
        "mse": float(mean_squared_error(truth, predicted)),
        "mae": float(mean_absolute_error(truth, predicted)),
    }


def headline(truth: Array, outputs: Array) -> float:
    """R²."""
    return float(r2_score(truth, outputs[:, 0]))


def judge(
    truth: Array, reference: Array, outputs: Array, margin: float, resamples: int = _RESAMPLES
) -> dict[str, float]:
    """The paired bootstrap interval of the relative change in mean squared error.

    Rows are drawn with replacement, both models' errors of a row together, so what makes a row
    hard for both cancels out. The change is Σ(y - q)² / Σ(y - f)² - 1, its interval the central
    95 % of the resamples (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, 13.3).
    The quantized model is not inferior if the whole interval is at most the margin. For
    ``smallest_effect`` see `stages.tasks.power`.

    Args:
        truth: targets, ``(rows,)``.
        reference, outputs: predictions in float and quantized, ``(rows, 1)``.
        margin: the increase that is allowed, as a fraction.
        resamples: how many.

    Raises:
        OctetError: fewer than two rows, or a float model that makes no error in nearly all of
            them, so that there is nothing to be relative to.
    """
    float_errors, errors = ((truth - each[:, 0]) ** 2 for each in (reference, outputs))
    if len(truth) < 2:
        raise OctetError(f"test rows: got {len(truth)}; an interval takes at least 2")

    def change(float_errors: Array, errors: Array, axis: int) -> Array:
        return np.asarray(errors.mean(axis=axis) / float_errors.mean(axis=axis) - 1)

    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # it is the error below
        resampled = bootstrap(
            (float_errors, errors),
            change,
            paired=True,
            vectorized=True,
            n_resamples=resamples,
            batch=_BATCH,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(_SEED),
        )
    interval = resampled.confidence_interval
    if not np.all(np.isfinite(interval)):
        raise OctetError("the float model's test error is 0; a relative change of it has no value")
    return {
        "low": float(interval.low),
        "high": float(interval.high),
        "margin": margin,
        "smallest_effect": smallest_effect(float(resampled.standard_error)),
        "non_inferior": int(interval.high <= margin),
    }


def loss(truth: Array, reference: Array, outputs: Array) -> tuple[float, float]:
    """The interval of the loss in R²: what MSE grows by, relative to itself, times 1 - R²."""
    judged = judge(truth, reference, outputs, margin=0.0, resamples=_RESAMPLES_OF_LOSS)
    unexplained = 1 - headline(truth, reference)
    return unexplained * judged["low"], unexplained * judged["high"]


def _answers(outputs: Array) -> Array:
    return outputs[:, 0]


def _margin(gates: Gates) -> float:
    return gates.mse_increase


def _least(gates: Gates, _: bool) -> dict[str, float]:
    return {"r2": gates.r2}


REGRESSION = Task(
    name="regression",
    scores={
        "r2": Measure("R²", "", HIGHER, form=".6f"),
        "mse": Measure("MSE", "target²", LOWER, form=".6g"),
        "mae": Measure("MAE", "target", LOWER, form=".6g"),
    },
    on_training_rows="r2_train",
    output="target",
    judged=Judged("mse", "test MSE", "%", LOWER, relative=True),
    axis=Axis("R²", 1, "+.4f", 0.01),
    verdict={},
    score=score,
    headline=headline,
    answers=_answers,
    answer_form="%.9g",
    distance=distance.between,
    judge=judge,
    loss=loss,
    margin=_margin,
    least=_least,
)
