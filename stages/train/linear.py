"""Linear and ridge regression whose coefficients do not depend on the CPU that found them."""

from collections.abc import Iterator
from functools import reduce
from operator import add

import numpy as np
from scipy.linalg import solve_triangular

from octet.affine import Array, refuse_not_finite
from octet.blocks import blocks
from octet.errors import OctetError
from octet.layers import Layer, Linear
from stages.cluster import mapped
from stages.dataset import Dataset
from stages.train import exact
from stages.train.determined import refuse_determined
from stages.train.features import power_of_2, scaling
from stages.train.triangle import triangle

# β is held with this many bits behind the point, and is settled when a step changes none of the
# first of those that its largest coefficient has.
_FRACTION_BITS = 512
_SETTLED_BITS = 300
_MOST_REFINEMENTS = 50


def fit(data: Dataset, standardize: bool, alpha: float = 0.0) -> tuple[Layer, ...]:
    """Least squares, or ridge regression; the scaler, if any, becomes the first layer.

    Args:
        data: a table of numbers, of whose training rows each counts by its weight, if it has one,
            as scikit-learn's ``sample_weight`` does.
        standardize: whether each feature gets mean 0 and deviation 1 first.
        alpha: what the sum of the squares of the weights is multiplied by and added to that of
            the errors, as in scikit-learn's Ridge; 0 for least squares.

    Features that are constant are refused by name. So are, without a penalty, those that others
    determine, where scikit-learn gives the solution of least norm: `refuse_determined` says why.

    Raises:
        OctetError: a feature is constant, or others determine it.
    """
    x, y, counts, names = data.x_train, data.y_train, data.counts, data.signature.inputs.names
    how = scaling(x, counts, names, standardize)
    if not alpha:
        refuse_determined(x, counts, names, how)
    size = power_of_2(max(np.max(np.abs(part)) for _, part in blocks(x, y)))
    spread = power_of_2(how.spread)
    unit, centre = how.unit * spread, how.centre * spread

    def parts() -> Iterator[tuple[Array, Array]]:
        """Blocks of a one, the features and the target; and how much each row counts."""
        for features, target, count in blocks(x, y, counts):
            one = np.ones(len(target))
            yield np.column_stack([one, how.of(features) * spread, target * size]), count

    # A weight w is w * unit / size in the units of the data, of which the penalty is.
    with np.errstate(over="ignore"):
        penalty = np.square(unit) * alpha if alpha else np.zeros(len(unit))
    refuse_not_finite(penalty, "penalties, in units of the features")
    shift = np.array([0.0, *centre])
    root = triangle((rows[:, :-1] - shift) * np.sqrt(count)[:, None] for rows, count in parts())
    if alpha:
        root = triangle([root, np.diag([0.0, *np.sqrt(penalty)])[1:]])
    coefficients = refine(reduce(add, mapped(_sums, parts())), centre, penalty, root)
    with np.errstate(over="ignore"):
        coefficients *= np.array([1.0, *unit]) / size
    refuse_not_finite(coefficients, "coefficients, intercept first")
    return (*how.scaler, Linear(weight=coefficients[None, 1:], bias=coefficients[:1]))


def _sums(part: tuple[Array, Array]) -> exact.Sum:
    """Of one block: a task of a cluster has one argument, and its function is found by name."""
    return exact.products(*part)


def refine(sums: exact.Sum, centre: Array, penalty: Array, root: Array) -> Array:
    """Least squares with a penalty, correctly rounded.

    A solver leaves noise in the last bits that depends on the kernels that BLAS picked for the
    CPU: 2e-11 of a coefficient on the raw California table. Rounding it away would only make two
    machines agree mostly, for now and then the noise straddles a rounding boundary. So the
    gradient Xᵀ(y - Xβ) = Xᵀy - XᵀXβ is computed here in integers, where sums are exact in any
    order, and β is mended by (XᵀX)⁻¹ of it in floats, until nothing that a float64 could hold
    is left to mend: iterative refinement (Wilkinson, Rounding Errors in Algebraic Processes,
    1963; Björck, Numerical Methods for Least Squares Problems, 1996, 2.9). The columns are
    centred, exactly, as a solver does, so that an offset of the features costs no accuracy.
    The penalty α on each weight makes the gradient Xᵀy - XᵀXβ - αβ, and the matrix XᵀX + α.
    Of the rows, however many, it takes their sums alone.

    Args:
        sums: of products of the columns one, features and target, as `exact.products`.
        centre: about the mean of each feature ``(features,)``.
        penalty: on the square of each weight ``(features,)``; the intercept is free.
        root: R of a QR decomposition, nearly, of a column of ones and the centred features, each
            row times the root of how much it counts, with rows √penalty below them,
            ``(1 + features, 1 + features)``.

    Returns:
        Intercept and coefficients, ``(1 + features,)`` float64: the same bits on every CPU.

    Raises:
        OctetError: the features are so nearly dependent that the steps do not shrink.
    """
    exact_centre, centre_bits = exact.integers(np.array([0.0, *centre]))
    exact_penalty, penalty_bits = exact.integers(np.array([0.0, *penalty]))
    bits = max(sums.bits + 2 * centre_bits, penalty_bits)
    centred = _centred(sums.numbers, exact_centre, centre_bits)
    centred = centred << (bits - sums.bits - 2 * centre_bits)
    matrix = centred[:-1, :-1] + np.diag(exact_penalty << (bits - penalty_bits))
    moment = centred[:-1, -1] << _FRACTION_BITS

    # β in units of 2^-_FRACTION_BITS, the intercept that of the centred columns.
    beta = exact.fixed(np.zeros(len(root)), _FRACTION_BITS)
    for _ in range(_MOST_REFINEMENTS):
        gradient = exact.floats(moment - matrix @ beta, bits + _FRACTION_BITS)
        half = solve_triangular(root, gradient, trans="T")
        step = exact.fixed(solve_triangular(root, half), _FRACTION_BITS)
        beta += step
        if max(abs(step)) <= max(abs(beta)) >> _SETTLED_BITS:
            break
    else:
        raise OctetError(
            "features: so nearly dependent that their coefficients are not determined; "
            "leave out those that others determine"
        )
    shift = np.sum(beta[1:] * exact_centre[1:]) >> centre_bits
    # What is left of a coefficient that is exactly 0.
    nothing = max(*abs(beta), abs(shift)) >> (_SETTLED_BITS - 50)
    beta[0] -= shift
    beta[abs(beta) <= nothing] = 0
    return exact.floats(beta, _FRACTION_BITS)


def _centred(numbers: exact.Whole, centre: exact.Whole, bits: int) -> exact.Whole:
    """XᵀX, but for the target of centred columns; over 2 to twice so many bits more.

    Args:
        numbers: of one, features and target.
        centre: of one, 0, and features; over 2**bits.
    """
    whole = numbers << bits
    whole[:-1] -= np.outer(centre, numbers[0])
    first = whole[:, 0].copy()
    whole = whole << bits
    whole[:, :-1] -= np.outer(first, centre)
    return np.asarray(whole)
