"""Linear and ridge regression whose coefficients do not depend on the CPU that found them."""

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.linear_model import LinearRegression

from octet.affine import Array, refuse_not_finite
from octet.errors import OctetError
from octet.layers import Layer, Linear
from stages.train import exact
from stages.train.determined import refuse_determined
from stages.train.features import power_of_2, scale

# β is held with this many bits behind the point, and is settled when a step changes none of the
# first of those that its largest coefficient has.
_FRACTION_BITS = 512
_SETTLED_BITS = 300
_MOST_REFINEMENTS = 50


def fit(
    x: Array, y: Array, names: tuple[str, ...], standardize: bool, alpha: float = 0.0
) -> tuple[Layer, ...]:
    """Least squares, or ridge regression; the scaler, if any, becomes the first layer.

    Args:
        x: features ``(rows, features)``.
        y: targets ``(rows,)``.
        names: of the features.
        standardize: whether each feature gets mean 0 and deviation 1 first.
        alpha: what the sum of the squares of the weights is multiplied by and added to that of
            the errors, as in scikit-learn's Ridge; 0 for least squares.

    Features that are constant are refused by name. So are, without a penalty, those that others
    determine, where scikit-learn gives the solution of least norm: `refuse_determined` says why.

    Raises:
        OctetError: a feature is constant, or others determine it.
    """
    scaled = scale(x, names, standardize)
    if not alpha:
        refuse_determined(x, names)
    x, unit, scaler = scaled
    spread = power_of_2(x - x.mean(axis=0))
    size = power_of_2(y)
    x, y, unit = x * spread, y * size, unit * spread
    model = LinearRegression().fit(x, y)
    # A weight w is w * unit / size in the units of the data, of which the penalty is.
    with np.errstate(over="ignore"):
        penalty = np.square(unit) * alpha if alpha else np.zeros(len(unit))
    refuse_not_finite(penalty, "penalties, in units of the features")
    coefficients = refine(x, y, np.array([model.intercept_, *model.coef_]), penalty)
    with np.errstate(over="ignore"):
        coefficients *= np.array([1.0, *unit]) / size
    refuse_not_finite(coefficients, "coefficients, intercept first")
    return (*scaler, Linear(weight=coefficients[None, 1:], bias=coefficients[:1]))


def refine(x: Array, y: Array, coefficients: Array, penalty: Array) -> Array:
    """Least squares with a penalty, correctly rounded, from a solution that is only nearly one.

    A solver leaves noise in the last bits that depends on the kernels that BLAS picked for the
    CPU: 2e-11 of a coefficient on the raw California table. Rounding it away would only make two
    machines agree mostly, for now and then the noise straddles a rounding boundary. So the
    residual r = y - Xβ and the gradient Xᵀr are computed here in integers, where sums are exact
    in any order, and β is mended by (XᵀX)⁻¹Xᵀr in floats, until nothing that a float64 could hold
    is left to mend: iterative refinement (Wilkinson, Rounding Errors in Algebraic Processes,
    1963; Björck, Numerical Methods for Least Squares Problems, 1996, 2.9). The columns are
    centred, exactly, as the solver does, so that an offset of the features costs no accuracy.
    The penalty α on each weight makes the gradient Xᵀr - αβ, and the matrix XᵀX + α.
    It costs nothing: the result is nearer to what the solver meant than its own answer, and the
    time is some tenths of a second.

    Args:
        x: features ``(rows, features)``.
        y: targets ``(rows,)``.
        coefficients: intercept first, ``(1 + features,)``, from any solver.
        penalty: on the square of each weight ``(features,)``; the intercept is free.

    Returns:
        Intercept and coefficients, ``(1 + features,)`` float64: the same bits on every CPU.

    Raises:
        OctetError: the features are so nearly dependent that the steps do not shrink.
    """
    centre = np.array([0.0, *x.mean(axis=0)])
    design, design_bits = exact.integers(np.vstack([centre, np.column_stack([np.ones(len(x)), x])]))
    exact_centre, design = design[0], design[1:] - design[0]
    exact_y, y_bits = exact.integers(y)
    exact_penalty, penalty_bits = exact.integers(np.array([0.0, *penalty]))
    unit = max(design_bits, penalty_bits - design_bits) + _FRACTION_BITS
    unit = max(unit, y_bits)
    target = exact_y << (unit - y_bits)
    spare = unit - design_bits - _FRACTION_BITS
    spare_penalty = unit + design_bits - penalty_bits - _FRACTION_BITS
    centred = np.column_stack([np.ones(len(x)), x - centre[1:]])
    roots = np.diag(np.sqrt([0.0, *penalty]))[1:] if np.any(penalty) else centred[:0]
    triangle: Array = np.linalg.qr(np.vstack([centred, roots])).R

    # β in units of 2^-_FRACTION_BITS, the intercept that of the centred columns.
    beta = exact.fixed(coefficients, _FRACTION_BITS)
    beta[0] += np.sum(beta * exact_centre) >> design_bits
    for _ in range(_MOST_REFINEMENTS):
        gradient = design.T @ (target - ((design @ beta) << spare))
        gradient -= (exact_penalty * beta) << spare_penalty
        half = solve_triangular(triangle, exact.floats(gradient, unit + design_bits), trans="T")
        step = exact.fixed(solve_triangular(triangle, half), _FRACTION_BITS)
        beta += step
        if max(abs(step)) <= max(abs(beta)) >> _SETTLED_BITS:
            break
    else:
        raise OctetError(
            "features: so nearly dependent that their coefficients are not determined; "
            "leave out those that others determine"
        )
    shift = np.sum(beta[1:] * exact_centre[1:]) >> design_bits
    # What is left of a coefficient that is exactly 0.
    nothing = max(*abs(beta), abs(shift)) >> (_SETTLED_BITS - 50)
    beta[0] -= shift
    beta[abs(beta) <= nothing] = 0
    return exact.floats(beta, _FRACTION_BITS)
