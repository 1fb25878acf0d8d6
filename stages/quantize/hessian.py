"""How much an error in the weights of a layer moves its outputs: H, and its triangular factor.

Every sum here has a fixed order and runs through no BLAS, so the codes chosen by it are the same
on every CPU.
"""

import numpy as np

from octet.network import Array

# Far below the sampling error of H, and far above the rounding error of its factor.
_RIDGE = 1e-12


def second_moments(x: Array) -> Array:
    """H = X̃ᵀX̃ / n, where X̃ is the inputs of a layer with a column of ones for the bias.

    For an error e in one row of weights and its bias, eᵀHe is the mean squared error of that
    output over the rows of ``x``. With the bias in it, an error in the weights that shifts the
    mean of the output is seen, and can be made good in the bias.

    Args:
        x: ``(rows, inputs)``.

    Returns:
        ``(inputs + 1, inputs + 1)``, symmetric; the last row and column belong to the bias. The
        diagonal is raised by 1e-12 of itself, so that H is definite whatever the inputs.
    """
    columns = [np.ascontiguousarray(column) for column in x.T] + [np.ones(len(x))]
    size = len(columns)
    moments = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            moments[i, j] = moments[j, i] = np.sum(columns[i] * columns[j]) / len(x)
    diagonal = np.diag(moments)
    typical = np.mean(diagonal)
    return moments + np.diag(_RIDGE * np.where(diagonal > 0, diagonal, typical))


def factor(hessian: Array) -> Array:
    """Upper triangular R with RᵀR = H, by Cholesky; Golub & Van Loan, Matrix Computations, 4.2.

    Args:
        hessian: definite, ``(n, n)``.
    """
    rest = hessian.copy()
    for k in range(len(rest)):
        rest[k, k:] /= np.sqrt(rest[k, k])
        rest[k + 1 :, k + 1 :] -= np.outer(rest[k, k + 1 :], rest[k, k + 1 :])
    return np.triu(rest)


def solve(r: Array, b: Array) -> Array:
    """Solve RᵀRx = b by substitution, forwards and back: R ``(n, n)``, b and x ``(n,)``."""
    x = b.copy()
    for k in range(len(x)):
        x[k] = (x[k] - np.sum(r[:k, k] * x[:k])) / r[k, k]
    for k in reversed(range(len(x))):
        x[k] = (x[k] - np.sum(r[k, k + 1 :] * x[k + 1 :])) / r[k, k]
    return x


def output_error(errors: Array, r: Array) -> Array:
    """‖Re‖² = eᵀHe for each row e of ``errors`` ``(rows, columns)``; ``(rows,)``."""
    moved = np.zeros((len(errors), len(r)))
    for j in range(len(r)):
        moved += errors[:, j, None] * r[:, j]
    return np.asarray(np.sum(moved * moved, axis=1))
