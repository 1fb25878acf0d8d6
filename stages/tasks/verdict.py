"""Whether the quantized model is as good as the float one, on the same test rows."""

import warnings

import numpy as np
import numpy.typing as npt
from scipy.stats import DegenerateDataWarning, binomtest, bootstrap, norm

from octet.affine import Array
from octet.errors import OctetError

_RESAMPLES = 10_000
_CONFIDENCE = 0.95
_POWER = 0.8
_SEED = 0
_BATCH = 500  # resamples held in memory at once


def regression(
    truth: Array, reference: Array, predicted: Array, margin: float, resamples: int = _RESAMPLES
) -> dict[str, float]:
    """The paired bootstrap interval of the relative change in mean squared error.

    Rows are drawn with replacement, both models' errors of a row together, so what makes a row
    hard for both cancels out. The change is Σ(y - q)² / Σ(y - f)² - 1, its interval the central
    95 % of the resamples (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, 13.3).
    The quantized model is not inferior if the whole interval is at most the margin. For
    ``smallest_effect`` see `_smallest_effect`.

    Args:
        truth, reference, predicted: targets, float and quantized predictions, ``(rows,)``.
        margin: the increase that is allowed, as a fraction.
        resamples: how many.

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
        found = bootstrap(
            (float_errors, errors),
            change,
            paired=True,
            vectorized=True,
            n_resamples=resamples,
            batch=_BATCH,
            confidence_level=_CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(_SEED),
        )
    interval = found.confidence_interval
    if not np.all(np.isfinite(interval)):
        raise OctetError("the float model's test error is 0; a relative change of it has no value")
    return {
        "low": float(interval.low),
        "high": float(interval.high),
        "margin": margin,
        "smallest_effect": _smallest_effect(float(found.standard_error)),
        "non_inferior": int(interval.high <= margin),
    }


def classification(
    reference: npt.NDArray[np.bool_], quantized: npt.NDArray[np.bool_], margin: float
) -> dict[str, float]:
    """The paired interval of the change in accuracy, and McNemar's exact test of whether it is 0.

    Only images on which the models differ tell of a change: b that the quantized one alone has
    right and c that the float one alone has right. Under no change b is binomial of b + c tries
    at 1/2 (McNemar, 1947, exact). For the interval each of the four cells gets half an image more,
    which keeps it honest where b + c is small or 0 (Agresti & Min, Simple improved confidence
    intervals for comparing matched proportions, 2005): with N = n + 2 and d = (b - c) / N,

        d ± z √(b + c + 1 - (b - c)² / N) / N.

    The quantized model is not inferior if the whole interval is at least minus the margin. For
    ``smallest_effect`` see `_smallest_effect`.

    Args:
        reference, quantized: which test images each has right, ``(rows,)``.
        margin: the decrease that is allowed, as a fraction of the images.
    """
    gained = int(np.sum(quantized & ~reference))
    lost = int(np.sum(reference & ~quantized))
    total = len(reference) + 2
    change = (gained - lost) / total
    spread = float(np.sqrt(gained + lost + 1 - (gained - lost) ** 2 / total) / total)
    reach = float(norm.ppf(0.5 + _CONFIDENCE / 2)) * spread
    low, high = max(-1.0, change - reach), min(1.0, change + reach)
    test = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    return {
        "low": low,
        "high": high,
        "gained": gained,
        "lost": lost,
        "mcnemar_p": float(test),
        "margin": margin,
        "smallest_effect": _smallest_effect(spread),
        "non_inferior": int(low >= -margin),
    }


def _smallest_effect(standard_error: float) -> float:
    """The smallest true change that such a test set would show in 80 % of its draws.

    (z₀.₉₇₅ + z₀.₈) · standard error: so far from 0, a change has an interval of 95 % that
    leaves 0 out four times in five (Bloom, Minimum Detectable Effects, Evaluation Review 19, 1995).
    """
    return float(norm.ppf(0.5 + _CONFIDENCE / 2) + norm.ppf(_POWER)) * standard_error
