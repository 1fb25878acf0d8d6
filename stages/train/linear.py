"""Linear regression whose coefficients do not depend on the CPU that found them."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from octet.affine import Array, refuse_not_finite
from octet.errors import OctetError
from octet.layers import Layer, Linear, Standardize
from octet.network import Network
from octet.signature import Columns
from stages.dataset import Dataset

_Integers = npt.NDArray[np.object_]

# β is held with this many bits behind the point, and is settled when a step changes none of the
# first of those that its largest coefficient has.
_FRACTION_BITS = 512
_SETTLED_BITS = 300
_MOST_REFINEMENTS = 50


def fit(dataset: Dataset, standardize: bool) -> Network:
    """Least squares on the training rows; the scaler, if any, becomes the first layer.

    Raises:
        OctetError: a feature is constant, or the features are linearly dependent, so that the
            coefficients are not determined.
    """
    if isinstance(dataset.signature.inputs, Columns):
        _refuse_constant(dataset.x_train, dataset.signature.inputs.features)
    # Units that are powers of 2 change no digit, and keep squares from overflowing and small
    # features from being lost beside large ones.
    unit = _power_of_2(dataset.x_train)
    x, layers = dataset.x_train * unit, list[Layer]()
    if standardize:
        scaler = StandardScaler().fit(x)
        layers.append(Standardize(scaler.mean_ / unit, scaler.scale_ / unit))
        x, unit = (x - scaler.mean_) / scaler.scale_, np.ones(len(unit))
    spread = _power_of_2(x - x.mean(axis=0))
    size = _power_of_2(dataset.y_train)
    x, y, unit = x * spread, dataset.y_train * size, unit * spread
    model = LinearRegression().fit(x, y)
    if model.rank_ < x.shape[1]:
        raise OctetError(
            f"features: {x.shape[1]} of rank {model.rank_}; "
            "their coefficients are not determined: leave out those that others determine"
        )
    coefficients = refine(x, y, np.array([model.intercept_, *model.coef_]))
    with np.errstate(over="ignore"):
        coefficients *= np.array([1.0, *unit]) / size
    refuse_not_finite(coefficients, "coefficients, intercept first")
    layers.append(Linear(weight=coefficients[None, 1:], bias=coefficients[:1]))
    return Network(tuple(layers), dataset.signature)


def _power_of_2(values: Array) -> Array:
    """The power of 2 that brings the largest absolute value of each column to between 1/2 and 1."""
    exponent = np.frexp(np.max(np.abs(values), axis=0))[1]
    return np.asarray(np.ldexp(1.0, -np.clip(exponent, -1000, 1000)))


def refine(x: Array, y: Array, coefficients: Array) -> Array:
    """Least squares, correctly rounded, from a solution that is only nearly one.

    A solver leaves noise in the last bits that depends on the kernels that BLAS picked for the
    CPU: 2e-11 of a coefficient on the raw California table. Rounding it away would only make two
    machines agree mostly, for now and then the noise straddles a rounding boundary. So the
    residual r = y - Xβ and the gradient Xᵀr are computed here in integers, where sums are exact
    in any order, and β is mended by (XᵀX)⁻¹Xᵀr in floats, until nothing that a float64 could hold
    is left to mend: iterative refinement (Wilkinson, Rounding Errors in Algebraic Processes,
    1963; Björck, Numerical Methods for Least Squares Problems, 1996, 2.9). The columns are
    centred, exactly, as the solver does, so that an offset of the features costs no accuracy.
    It costs nothing: the result is nearer to what the solver meant than its own answer, and the
    time is some tenths of a second.

    Args:
        x: features ``(rows, features)``.
        y: targets ``(rows,)``.
        coefficients: intercept first, ``(1 + features,)``, from any solver.

    Returns:
        Intercept and coefficients, ``(1 + features,)`` float64: the same bits on every CPU.

    Raises:
        OctetError: the features are so nearly dependent that the steps do not shrink.
    """
    centre = np.array([0.0, *x.mean(axis=0)])
    design, design_bits = _integers(np.vstack([centre, np.column_stack([np.ones(len(x)), x])]))
    exact_centre, design = design[0], design[1:] - design[0]
    exact_y, y_bits = _integers(y)
    unit = max(design_bits + _FRACTION_BITS, y_bits)
    target = exact_y << (unit - y_bits)
    spare = unit - design_bits - _FRACTION_BITS
    triangle: Array = np.linalg.qr(np.column_stack([np.ones(len(x)), x - centre[1:]])).R

    # β in units of 2^-_FRACTION_BITS, the intercept that of the centred columns.
    beta = _fixed([Fraction(c) for c in coefficients.tolist()])
    beta[0] += np.sum(beta * exact_centre) >> design_bits
    for _ in range(_MOST_REFINEMENTS):
        gradient = design.T @ (target - ((design @ beta) << spare))
        exact_gradient = [Fraction(g, 1 << (unit + design_bits)) for g in gradient.tolist()]
        half = solve_triangular(triangle, [float(g) for g in exact_gradient], trans="T")
        step = _fixed([Fraction(s) for s in solve_triangular(triangle, half).tolist()])
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
    return np.array([float(Fraction(b, 1 << _FRACTION_BITS)) for b in beta.tolist()])


def _fixed(numbers: list[Fraction]) -> _Integers:
    """Numbers in units of 2^-_FRACTION_BITS, rounded down."""
    return np.array([(n.numerator << _FRACTION_BITS) // n.denominator for n in numbers], object)


def _integers(array: Array) -> tuple[_Integers, int]:
    """The same numbers as integers over 2**bits, without rounding."""
    ratios = [value.as_integer_ratio() for value in array.ravel().tolist()]
    bits = max(denominator.bit_length() - 1 for _, denominator in ratios)
    whole: list[Any] = [n << (bits - d.bit_length() + 1) for n, d in ratios]
    return np.array(whole, object).reshape(array.shape), bits


def _refuse_constant(x: Array, names: tuple[str, ...]) -> None:
    for column, name in zip(x.T, names, strict=True):
        if np.all(column == column[0]):
            raise OctetError(
                f"feature {name}: got {column[0]:g} in every training row; a constant feature has "
                "no scale and tells nothing: leave it out"
            )
