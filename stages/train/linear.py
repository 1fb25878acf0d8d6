"""Linear regression whose coefficients do not depend on the CPU that found them."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from octet.errors import OctetError
from octet.network import Array, Layer, Linear, Network, Standardize
from stages.tracked import Dataset

_Integers = npt.NDArray[np.object_]

_FRACTION_BITS = 256
_REFINEMENTS = 3


def fit(dataset: Dataset, standardize: bool) -> Network:
    """Least squares on the training rows; the scaler, if any, becomes the first layer.

    Raises:
        OctetError: a feature is constant, or the features are linearly dependent, so that the
            coefficients are not determined.
    """
    _refuse_constant(dataset.x_train, dataset.signature.features)
    x, layers = dataset.x_train, list[Layer]()
    if standardize:
        scaler = StandardScaler().fit(x)
        layers.append(Standardize(scaler.mean_, scaler.scale_))
        x = (x - scaler.mean_) / scaler.scale_
    model = LinearRegression().fit(x, dataset.y_train)
    if model.rank_ < x.shape[1]:
        raise OctetError(
            f"features: {x.shape[1]} of rank {model.rank_}; "
            "their coefficients are not determined: leave out those that others determine"
        )
    coefficients = refine(x, dataset.y_train, np.array([model.intercept_, *model.coef_]))
    layers.append(Linear(weight=coefficients[None, 1:], bias=coefficients[:1]))
    return Network(tuple(layers), dataset.signature)


def refine(x: Array, y: Array, coefficients: Array) -> Array:
    """Least squares, correctly rounded, from a solution that is only nearly one.

    A solver leaves noise in the last bits that depends on the kernels that BLAS picked for the
    CPU. Rounding it away would only make two machines agree mostly: now and then the noise
    straddles a rounding boundary. So the residual r = y - Xβ and the gradient Xᵀr are computed
    here in integers, where sums are exact in any order, and β is mended by (XᵀX)⁻¹ Xᵀr in floats:
    iterative refinement (Wilkinson, Rounding Errors in Algebraic Processes, 1963; Björck,
    Numerical Methods for Least Squares Problems, 1996, §2.9). Each pass leaves about
    cond(X)² · 2⁻⁵³ of the error; after three nothing that a float64 could hold is left of it.
    It costs nothing: the true solution is closer to what the solver meant than its own answer, by
    1e-13 or so, and the time is some tenths of a second.

    Args:
        x: features ``(rows, features)``.
        y: targets ``(rows,)``.
        coefficients: intercept first, ``(1 + features,)``, from any solver.

    Returns:
        Intercept and coefficients, ``(1 + features,)`` float64: the same bits on every CPU.
    """
    design = np.column_stack([np.ones(len(x)), x])
    triangle: Array = np.linalg.qr(design).R
    exact_design, design_bits = _integers(design)
    exact_y, y_bits = _integers(y)
    unit = design_bits + _FRACTION_BITS
    target = exact_y << max(unit - y_bits, 0)
    exact_design <<= max(y_bits - unit, 0)
    beta = np.array([int(Fraction(c) * 2**_FRACTION_BITS) for c in coefficients], object)
    for _ in range(_REFINEMENTS):
        gradient = exact_design.T @ (target - exact_design @ beta)
        step = np.linalg.solve(
            triangle.T @ triangle,
            np.array([float(Fraction(g, 2 ** (unit + design_bits))) for g in gradient]),
        )
        beta += np.array([int(Fraction(s) * 2**_FRACTION_BITS) for s in step], object)
    return np.array([float(Fraction(b, 2**_FRACTION_BITS)) for b in beta])


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
