"""The best real numbers inside a box: min (x - t)ᵀH(x - t) with 0 ≤ x ≤ top."""

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.quantizer.hessian import factor, solve

_FLAT = 1e-10  # a gradient this small against its own terms is rounding error


def relax(target: Array, top: Array, hessian: Array) -> Array:
    """Minimise by the primal active-set method; Nocedal & Wright, Numerical Optimization, 16.5.

    The coordinates on the boundary are held, the others solved for. A step that would leave the
    box stops where it meets the wall and holds that coordinate; a minimum at which the gradient
    pulls a held coordinate inwards lets the one with the strongest pull go.

    Args:
        target: t, ``(n,)``.
        top: the upper ends of the box, ``(n,)``.
        hessian: H, positive definite, ``(n, n)``.

    Returns:
        x, ``(n,)``. (Whatever it is, a bound that is computed from it holds: see `exact`.)
    """
    x = np.clip(target, 0.0, top)
    held = (x <= 0) | (x >= top)
    for _ in range(50 * len(target)):
        x, blocking = _step(x, target, top, hessian, held)
        if blocking is not None:
            held[blocking] = True
            continue
        terms = hessian * (x - target)
        gradient = np.sum(terms, axis=1)
        inwards = np.where(x <= 0, -gradient, gradient)
        pull = np.where(held, inwards - _FLAT * np.sum(np.abs(terms), axis=1), -np.inf)
        if np.max(pull) <= 0:
            break
        held[np.argmax(pull)] = False
    return x


def _step(
    x: Array, target: Array, top: Array, hessian: Array, held: npt.NDArray[np.bool_]
) -> tuple[Array, int | None]:
    """Towards the minimum over the free coordinates; which of them met a wall, if one did."""
    free, fixed = np.flatnonzero(~held), np.flatnonzero(held)
    if not free.size:
        return x, None
    pushed = np.sum(hessian[np.ix_(free, fixed)] * (x - target)[fixed], axis=1)
    goal = x.copy()
    goal[free] = target[free] - solve(factor(hessian[np.ix_(free, free)]), pushed)
    outside = np.flatnonzero((goal < 0) | (goal > top))
    if not outside.size:
        return goal, None
    wall = np.where(goal < 0, 0.0, top)
    shares = (wall - x)[outside] / (goal - x)[outside]
    first = int(np.argmin(shares))
    blocking = int(outside[first])
    x = np.clip(x + shares[first] * (goal - x), 0.0, top)
    x[blocking] = wall[blocking]
    return x, blocking
