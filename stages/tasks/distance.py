"""How far the outputs of two networks are apart, whatever the truth."""

import math

import numpy as np

from octet.affine import Array

# The signal-to-noise ratio of two outputs that agree to the last bit of a float64: 20 log10 2⁵³.
_IDENTICAL_DB = 20 * 53 * math.log10(2)


def between(reference: Array, outputs: Array) -> dict[str, float]:
    """Mean and largest of the differences, and their ratio to the reference.

    ``sqnr_db`` is 10 log10(Σ reference² / Σ difference²), signal to quantization noise, between
    ±319.1 dB: what two outputs have that differ in nothing a float64 can show, and its opposite.
    Both arguments are ``(rows, outputs)``.
    """
    difference = outputs - reference
    mse = float(np.mean(difference**2))
    signal = float(np.mean(reference**2))
    ratio = signal / mse if mse > 0 else math.inf
    sqnr_db = 10 * math.log10(ratio) if ratio > 0 else -math.inf
    return {
        "mean_abs": float(np.mean(np.abs(difference))),
        "max_abs": float(np.max(np.abs(difference))),
        "sqnr_db": max(-_IDENTICAL_DB, min(sqnr_db, _IDENTICAL_DB)),
    }


def length(before: Array, after: Array) -> float:
    """The mean length of the change in the outputs, both ``(rows, outputs)``."""
    return float(np.mean(np.sqrt(np.sum((after - before) ** 2, axis=1))))
