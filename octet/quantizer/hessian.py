"""How much an error in the weights of a layer moves its outputs: H, and its triangular factor.

Every sum here has a fixed order and runs through no BLAS, or is one of integers that no order can
change, so the codes chosen by it are the same on every CPU.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.products import multiply

# Far below the sampling error of H, and far above the rounding error of its factor.
_RIDGE = 1e-12
# An input whose variance is a smaller share than this of the mean one does not vary.
_CONSTANT = 1e-9
_TARGET_BITS = 20
# So many products of steps, each at most 255², have sums below 2²⁴, which are exact in float32.
_PIECE = 256
# Numbers of such sums at once.
_SUMS = 2**20
# Rows of a table that go through a network at once; 128 or more.
TOGETHER = 2**15
# What H of a sample says is damped by this share of its diagonal, against overfitting.
DAMPING = 0.01


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
    return moments(product_sums(x))


def product_sums(x: Array) -> Array:
    """X̃ᵀX̃ of `second_moments`, ``(inputs + 1, inputs + 1)``, each sum by NumPy's own halves."""
    columns = [np.ascontiguousarray(column) for column in x.T] + [np.ones(len(x))]
    size = len(columns)
    sums = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            sums[i, j] = sums[j, i] = np.sum(columns[i] * columns[j])
    return sums


def moments(sums: Array) -> Array:
    """H of X̃ᵀX̃, whose last number is n."""
    return _definite(sums / sums[-1, -1])


def in_halves(of_part: Callable[[slice], dict[int, Array]], rows: slice) -> dict[int, Array]:
    """Sums over rows of which a part fits into memory, to the bit as if all did.

    NumPy adds up more than 128 numbers in a row as the sum of two halves, of which the first has a
    multiple of 8 (pairwise summation, Higham, SIAM J. Sci. Comput., 1993). So do the parts.
    """
    count = rows.stop - rows.start
    if count <= TOGETHER:
        return of_part(rows)
    middle = rows.start + count // 2 - count // 2 % 8
    first, last = (
        in_halves(of_part, half) for half in (slice(rows.start, middle), slice(middle, rows.stop))
    )
    return {key: first[key] + last[key] for key in first}


class Moments:
    """Sums over what a layer sees, in steps of its grid, and over what it should give for it.

    Products of steps are integers below 2¹⁶, and a sum of 2³⁷ of those is still exact in float64,
    one of 2⁸ in float32, through BLAS and in whatever order. What the layer should give is rounded
    to 20 bits below its largest, batch by batch, so that sums of its products with steps are exact
    within a batch; batches are added up in order.

    Attributes:
        count: how many x.
        first: Σ x, ``(inputs,)``.
        second: Σ x xᵀ, ``(inputs, inputs)``.
        target: Σ y, ``(outputs,)``.
        cross: Σ y xᵀ, ``(outputs, inputs)``.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        self.count = 0
        self.first, self.second = np.zeros(inputs), np.zeros((inputs, inputs))
        self.target, self.cross = np.zeros(outputs), np.zeros((outputs, inputs))

    def add(self, x: npt.NDArray[np.number], y: Array | None) -> None:
        """Take in more: x ``(inputs, any number)`` in steps, y ``(outputs, the same number)``.

        Where nobody asks what the layer should give, y is None.
        """
        self.count += x.shape[1]
        self.first += np.sum(x, axis=1, dtype=np.float64)
        self._add_second(x.astype(np.float32, copy=False))
        if y is None:
            return
        unit = np.ldexp(1.0, np.frexp(np.max(np.abs(y), initial=0.0))[1] - _TARGET_BITS)
        whole = np.rint(y / unit)
        self.target += unit * np.sum(whole, axis=1)
        self.cross += unit * multiply(whole, x.astype(np.float64, copy=False).T)

    def _add_second(self, x: npt.NDArray[np.float32]) -> None:
        """Σ x xᵀ in float32, which is twice as fast, as far as that is exact."""
        inputs, count = x.shape
        whole = count - count % _PIECE
        pieces = x[:, :whole].reshape(inputs, -1, _PIECE).swapaxes(0, 1)
        together = max(1, _SUMS // inputs**2)
        for first in range(0, len(pieces), together):
            part = pieces[first : first + together]
            sums = multiply(part, part.swapaxes(1, 2))
            self.second += np.sum(sums, axis=0, dtype=np.float64)
        self.second += multiply(x[:, whole:], x[:, whole:].T)

    def hessian(self, scale: float) -> Array:
        """H with a last row and column for the bias, as `second_moments`; ``scale`` of a step."""
        mean = scale * self.first / self.count
        upper = np.column_stack([scale**2 * self.second / self.count, mean])
        return _definite(np.vstack([upper, [*mean, 1.0]]))

    def covariance(self, scale: float) -> Array:
        """H of a layer whose bias makes good the mean of every error: H less mean · meanᵀ.

        With a bias on (nearly) any real number, an error e in the weights is best answered by
        -e·mean in the bias, and what is left is eᵀCe: the Schur complement of the bias in H. The
        difference is taken in integers, lest a constant input keep a variance of rounding errors.
        """
        return _definite(self._variation(scale))

    def _variation(self, scale: float) -> Array:
        """The covariance of x as it is, perhaps singular."""
        second, first = (a.astype(np.int64).astype(object) for a in (self.second, self.first))
        centred: npt.NDArray[np.object_] = self.count * second - np.outer(first, first)
        return np.asarray(scale**2 * (centred / self.count**2).astype(np.float64))

    def regression(self, weight: Array, scale: float) -> tuple[Array, Array]:
        """The real weights and biases that give y most nearly, where ``weight`` gave it before.

        Earlier layers are in codes already, so x is not what the layer was trained on. Least
        squares on what it sees now makes good what it can of their errors, with C = Cov(x, x):
        W' = W + (Cov(y, x) - W C)(C + D)⁻¹, ridge regression towards W. D is a percent of the
        diagonal of C, and of its mean for inputs that do not vary, of which these rows say nothing.

        Args:
            weight: W, ``(outputs, inputs)``.
            scale: of a step.

        Returns:
            W' and the bias, which gives y its mean.
        """
        mean_x, mean_y = scale * self.first / self.count, self.target / self.count
        variation = self._variation(scale)
        diagonal = np.diag(variation)
        typical = float(np.mean(diagonal)) or 1.0
        damping = DAMPING * np.where(diagonal > _CONSTANT * typical, diagonal, typical)
        r = factor(variation + np.diag(damping))
        missing = scale * self.cross / self.count - mean_y[:, None] * mean_x
        for j, row in enumerate(variation):
            missing -= weight[:, j, None] * row
        best = weight + solve(r, missing)
        return best, mean_y - np.sum(best * mean_x, axis=1)


class Hessians:
    """H of each group of a layer's rows, and what is computed of them but once.

    Attributes:
        each: ``(columns, columns)``, of one group after the other.
    """

    def __init__(self, each: Sequence[Array]) -> None:
        self.each = tuple(each)

    @cached_property
    def factors(self) -> list[Array]:
        """R of each, with RᵀR = H."""
        return [factor(hessian) for hessian in self.each]

    @cached_property
    def damped(self) -> tuple[npt.NDArray[np.intp], Array]:
        """The columns by rising diagonal, and R of H in that order, damped against overfitting.

        ``(groups, columns)`` and ``(groups, columns, columns)``.
        """
        orders = [np.argsort(np.diag(hessian), kind="stable") for hessian in self.each]
        factors = [
            factor((hessian + DAMPING * np.diag(np.diag(hessian)))[np.ix_(order, order)])
            for hessian, order in zip(self.each, orders, strict=True)
        ]
        return np.stack(orders), np.stack(factors)

    def lost(self, errors: Array) -> Array:
        """eᵀHe of each row e of ``errors`` ``(…, rows, columns)``; ``(…, rows)``."""
        groups = zip(np.split(errors, len(self.each), axis=-2), self.factors, strict=True)
        return np.concatenate([output_error(group, r) for group, r in groups], axis=-1)


def _definite(moments: Array) -> Array:
    """Raise the diagonal by 1e-12 of itself; where it is 0 of its mean, and of 1 if all are."""
    diagonal = np.diag(moments)
    raised = np.where(diagonal > 0, diagonal, np.mean(diagonal) or 1.0)
    return np.asarray(moments + np.diag(_RIDGE * raised))


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
    """Solve RᵀRx = b by substitution, forwards and back: R ``(n, n)``, b and x ``(…, n)``."""
    x = b.copy()
    for k in range(len(r)):
        x[..., k] = (x[..., k] - np.sum(r[:k, k] * x[..., :k], axis=-1)) / r[k, k]
    for k in reversed(range(len(r))):
        x[..., k] = (x[..., k] - np.sum(r[k, k + 1 :] * x[..., k + 1 :], axis=-1)) / r[k, k]
    return x


def output_error(errors: Array, r: Array) -> Array:
    """‖Re‖² = eᵀHe for each row e of ``errors`` ``(…, columns)``; ``(…,)``."""
    moved = np.zeros((*errors.shape[:-1], len(r)))
    for j in range(len(r)):
        moved += errors[..., j, None] * r[:, j]
    return np.asarray(np.sum(moved * moved, axis=-1))
