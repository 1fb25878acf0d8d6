"""Whether the quantized model is as good as the float one, on the same test rows."""

import warnings

import numpy as np
from scipy.stats import DegenerateDataWarning, bootstrap

from octet.errors import OctetError
from octet.network import Array

_RESAMPLES = 10_000
_CONFIDENCE = 0.95
_SEED = 0
_BATCH = 500  # resamples held in memory at once


def regression(truth: Array, reference: Array, predicted: Array, margin: float) -> dict[str, float]:
    """The paired bootstrap interval of the relative change in mean squared error.

    Rows are drawn with replacement, both models' errors of a row together, so what makes a row
    hard for both cancels out. The change is Σ(y - q)² / Σ(y - f)² - 1, its interval the central
    95 % of 10,000 resamples (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, 13.3).
    The quantized model is not inferior if the whole interval is at most the margin.

    Args:
        truth, reference, predicted: targets, float and quantized predictions, ``(rows,)``.
        margin: the increase that is allowed, as a fraction.

    Raises:
        OctetError: fewer than two rows, or a float model that makes no error in nearly all of
            them, so that there is nothing to be relative to.
    """
    float_errors, errors = (truth - reference) ** 2, (truth - predicted) ** 2
    if len(truth) < 2:
        raise OctetError(f"test rows: got {len(truth)}; an interval takes at least 2")

    def change(float_errors: Array, errors: Array, axis: int) -> Array:
        return np.asarray(errors.mean(axis=axis) / float_errors.mean(axis=axis) - 1)

    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # it is the error below
        interval = bootstrap(
            (float_errors, errors),
            change,
            paired=True,
            vectorized=True,
            n_resamples=_RESAMPLES,
            batch=_BATCH,
            confidence_level=_CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(_SEED),
        ).confidence_interval
    if not np.all(np.isfinite(interval)):
        raise OctetError("the float model's test error is 0; a relative change of it has no value")
    return {
        "low": float(interval.low),
        "high": float(interval.high),
        "margin": margin,
        "non_inferior": int(interval.high <= margin),
    }
