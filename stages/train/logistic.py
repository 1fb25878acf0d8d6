"""Logistic regression whose coefficients do not depend on the CPU that found them."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from octet.affine import Array, Integers
from octet.errors import OctetError
from octet.layers import Layer, Linear
from stages.train import exact
from stages.train.exact import Whole
from stages.train.features import scaling

# θ is held with this many bits behind the point, and is settled when a step changes none of the
# first of those that its largest coefficient has.
_FRACTION_BITS = 256
_SETTLED_BITS = 160
_MOST_STEPS = 50


def fit(
    x: Array, labels: Integers, counts: Array, names: tuple[str, ...], classes: tuple[str, ...]
) -> tuple[Layer, ...]:
    """Scaler and logits: scikit-learn's LogisticRegression with its default L2 penalty, float32.

    Each class has a logit, also if they are two: then the halves of scikit-learn's only one, with
    either sign.

    Args:
        x: features ``(rows, features)``.
        labels: ``(rows,)``, indices of classes.
        counts: how much each row counts ``(rows,)``, above 0: its `sample_weight`.
        names: of the features.
        classes: their names, two or more.

    Raises:
        OctetError: a feature is constant, a class has no row, or a coefficient is too large.
    """
    rows_of_class = np.bincount(labels, minlength=len(classes))
    if not np.all(rows_of_class):
        raise OctetError(
            f"class {classes[int(np.argmin(rows_of_class))]}: no row to train on; "
            "each class needs one"
        )
    how = scaling(x, counts, names, standardize=True)
    scaled = how.of(x)
    model = LogisticRegression(max_iter=1000).fit(scaled, labels, counts)
    start = np.column_stack([model.intercept_, model.coef_])
    if len(classes) == 2:
        start = np.concatenate([-start, start]) / 2
    # One coefficient w with penalty w²/2 is a pair ±w/2, of which each square counts twice.
    penalty = 2 if len(classes) == 2 else 1
    weight, bias = polish(scaled, labels, counts, start, penalty)
    return (*how.scaler, Linear(weight.astype(np.float32), bias.astype(np.float32)))


def polish(
    x: Array, labels: Integers, counts: Array, start: Array, penalty: int
) -> tuple[Array, Array]:
    """The minimum of the penalized cross entropy, from a solution that is only nearly one.

    Where a solver stops depends on the kernels that BLAS and libm picked for the CPU, and with
    scikit-learn's default tolerance the fourth digit is noise. But the loss Σ -c log p + penalty/2
    Σ w² is strictly convex in all but what is added to all classes alike, so that its minimum is
    one point. Newton's steps towards it are taken in floats (Bishop, Pattern Recognition and
    Machine Learning, 2006, 4.3.3), while θ and the gradient Σ c (p - truth) x + penalty · w are
    computed in integers, probabilities included, until a step is below 2^-160 of the largest
    coefficient. The result is the same wherever the steps came from: two machines could
    only differ if a coefficient were so close to the middle between two floats that its first
    160 bits do not tell to which side it belongs.

    Args:
        x: features ``(rows, features)`` of about unit size.
        labels: ``(rows,)``.
        counts: c, how much each row counts ``(rows,)``, above 0.
        start: ``(classes, 1 + features)``, intercepts first, from any solver.
        penalty: on the square of each weight; intercepts are free.

    Returns:
        Weights ``(classes, features)`` and intercepts ``(classes,)``, each of a sum of 0 over the
        classes, float64: the same bits on every CPU.

    Raises:
        OctetError: the steps do not shrink.
    """
    columns = np.column_stack([np.ones(len(x)), x])
    design, design_bits = exact.integers(columns)
    whole_counts, count_bits = exact.integers(counts)
    truth = np.equal.outer(labels, np.arange(len(start)))
    theta = _centred(exact.fixed(start, _FRACTION_BITS))
    for _ in range(_MOST_STEPS):
        share = _softmax((design @ theta.T) >> design_bits)
        residual = share - truth.astype(object) * (1 << _FRACTION_BITS)
        whole = (residual * whole_counts[:, None]).T @ design
        whole[:, 1:] += penalty * (theta[:, 1:] << (design_bits + count_bits))
        gradient = exact.floats(whole, _FRACTION_BITS + design_bits + count_bits)
        newton = _newton(columns, counts, exact.floats(share, _FRACTION_BITS), gradient, penalty)
        step = exact.fixed(newton, _FRACTION_BITS)
        theta = _centred(theta - step)
        if exact.largest(step) <= exact.largest(theta) >> _SETTLED_BITS:
            break
    else:
        raise _not_settled()
    # What is left of a coefficient that is exactly 0.
    theta[abs(theta) <= exact.largest(theta) >> (_SETTLED_BITS - 10)] = 0
    coefficients = exact.floats(theta, _FRACTION_BITS)
    return coefficients[:, 1:], coefficients[:, 0]


def _not_settled() -> OctetError:
    return OctetError(
        f"logistic regression: not settled within {_MOST_STEPS} steps; leave out features that "
        "others determine, and rows that are far from all others, or whose weights are"
    )


def _centred(theta: Whole) -> Whole:
    """With a sum of 0 over the classes, but for rounding, as the minimum has it."""
    return np.asarray(theta - np.sum(theta, axis=0) // len(theta))


def _softmax(logits: Whole) -> Whole:
    """The share of each class ``(rows, classes)``, both in units of 2^-_FRACTION_BITS."""
    powers = exact.exp(logits - np.max(logits, axis=1, keepdims=True), _FRACTION_BITS)
    return np.asarray((powers << _FRACTION_BITS) // np.sum(powers, axis=1, keepdims=True))


def _newton(design: Array, counts: Array, share: Array, gradient: Array, penalty: int) -> Array:
    """The step ``(classes, 1 + features)``: gradient over curvature, as well as floats can tell.

    The curvature between classes a and b is Σ c pₐ (1 if a = b else 0 - p_b) x xᵀ.

    Raises:
        OctetError: it is singular.
    """
    classes, size = gradient.shape
    curvature = np.zeros((classes, size, classes, size))
    for a in range(classes):
        for b in range(classes):
            factor = counts * share[:, a] * ((a == b) - share[:, b])
            curvature[a, :, b, :] = design.T @ (design * factor[:, None])
        curvature[a, :, a, :] += np.diag([0.0] + [float(penalty)] * (size - 1))
    # What is added to all classes alike has no curvature but the penalty's, which is lost beside
    # large c; and no gradient, for θ is centred, so that any will do: one of the size of others.
    for j in range(size):
        curvature[:, j, :, j] += np.sum(counts) / classes
    flat = curvature.reshape(classes * size, classes * size)
    try:
        return np.asarray(np.linalg.solve(flat, gradient.ravel()).reshape(gradient.shape))
    except np.linalg.LinAlgError:
        raise _not_settled() from None
