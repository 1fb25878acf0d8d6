"""The confidence that every verdict has, and the smallest effect that its rows could show."""

from scipy.stats import norm

CONFIDENCE = 0.95
_POWER = 0.8


def deviations() -> float:
    """Half the width of a normal interval, z₀.₉₇₅, in standard errors."""
    return float(norm.ppf(0.5 + CONFIDENCE / 2))


def smallest_effect(standard_error: float) -> float:
    """The smallest true change that such a test set would show in 80 % of its draws.

    (z₀.₉₇₅ + z₀.₈) · standard error: so far from 0, a change has an interval of 95 % that
    leaves 0 out four times in five (Bloom, Minimum Detectable Effects, Evaluation Review 19, 1995).
    """
    return (deviations() + float(norm.ppf(_POWER))) * standard_error
