"""What several streams say together: something has changed; and which of them.

The wealths of streams of the same rows depend on each other. That alone would not hurt: averages of
e-values are e-values whatever the dependence (Vovk and Wang, "E-values: calibration, combination
and applications", 2021), and e-Holm and e-BH need no independence (ibid.; Wang and Ramdas, "False
discovery rate control with e-values", 2022). But a wealth that hides what is not known of the
reference, as those of evidence.py do, is a test martingale only for who sees its own stream, and no
average of such is one: at a time that another stream chose, its expectation may be above 1. So
P(the average ever reaches 1/α) ≤ α is *not* promised by any theorem (Choe and Ramdas, "Combining
evidence across filtrations", 2024).

What is promised for ever, by each stream, is P(sup M ≥ 1/p) ≤ p: its peak gives a p-value 1 / sup
M, whatever one has looked at and whenever (Shafer, Shen, Vereshchagin and Vovk, "Test martingales,
Bayes factors and p-values", 2011). On those stand all three answers; a p-value that has yet to fall
is only too large.

* *Something has changed*: the largest peak of m reaches m/α. This has level α over the life of the
  model. By the way it loses next to nothing: an average reaches 1/α at the earliest when its
  largest part reaches 1/α.
* *Which*, no false one (holm): Holm's procedure. P(any stream without a change is named, ever) ≤ α.
* *Which*, few false ones (discoveries): e-BH on peaks made e-values by a calibrator, which is the
  procedure of Benjamini and Yekutieli, as Wang and Ramdas show. At any time, the expected share of
  false ones among those named is ≤ α.
"""

import math

import numpy as np
import numpy.typing as npt

from octet.affine import Array

Named = npt.NDArray[np.bool_]


def changed(log_peaks: Array, alpha: float) -> bool:
    """Whether something has changed, at level alpha over the whole life: holm of the same."""
    return bool(holm(log_peaks, alpha).any())


def holm(log_peaks: Array, alpha: float) -> Named:
    """Which streams have changed: any false one with probability alpha at most, ever.

    The i-th largest peak of m must reach (m − i + 1) / α, and so must those above it.

    Args:
        log_peaks: ln of the largest wealth of each stream, (streams,).
        alpha: the level of all together.
    """
    order = np.argsort(-np.asarray(log_peaks), kind="stable")
    left = np.arange(len(order), 0, -1)
    reached = np.asarray(log_peaks)[order] >= np.log(left / alpha)
    named = np.zeros(len(order), bool)
    named[order] = np.logical_and.accumulate(reached)
    return named


def discoveries(log_peaks: Array, alpha: float) -> Named:
    """Which streams have changed: of those named, a share of alpha at most is expected to be false.

    The i-th largest peak of m must reach (m / i) (1 + 1/2 + … + 1/m) / α, or one below it its own.
    """
    order = np.argsort(-np.asarray(log_peaks), kind="stable")
    places = np.arange(1, len(order) + 1)
    price = math.log(np.sum(1 / places) * len(order) / alpha) if len(order) else 0.0
    reached = np.flatnonzero(np.asarray(log_peaks)[order] >= price - np.log(places))
    named = np.zeros(len(order), bool)
    named[order[: reached[-1] + 1 if len(reached) else 0]] = True
    return named
