"""Round weights to codes: each by itself (nearest), or making good earlier errors (gptq)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Grid, dequantize, quantize
from octet.network import Array
from stages.quantize.hessian import factor

Codes = npt.NDArray[np.int64]

_DAMPING = 0.01


@dataclass(frozen=True)
class Lattice:
    """The weights of a layer, its bias as the last column, and where each value may land.

    Attributes:
        values: ``(rows, columns)``.
        grids: one for each column, with a scale for each row: ``(rows,)``.
    """

    values: Array
    grids: tuple[Grid, ...]

    def errors(self, codes: Codes) -> Array:
        """What the codes stand for, less the values; ``(rows, columns)``."""
        landed = [dequantize(codes[:, j], grid) for j, grid in enumerate(self.grids)]
        return np.asarray(np.column_stack(landed) - self.values)


def lattice(weight: Array, bias: Array, weight_grid: Grid, bias_grid: Grid) -> Lattice:
    """Weights ``(rows, inputs)`` and bias ``(rows,)`` side by side, each with its grid."""

    def column(grid: Grid, shape: tuple[int, ...], j: int) -> Grid:
        scale = np.broadcast_to(grid.scale, shape).reshape(len(bias), -1)[:, j]
        zero_point = np.broadcast_to(grid.zero_point, shape).reshape(len(bias), -1)[:, j]
        return Grid(scale, zero_point, grid.bits)

    grids = [column(weight_grid, weight.shape, j) for j in range(weight.shape[1])]
    return Lattice(np.column_stack([weight, bias]), (*grids, column(bias_grid, bias.shape, 0)))


def nearest(rows: Lattice) -> Codes:
    """The code nearest to each value, whatever becomes of the others; ``(rows, columns)``."""
    codes = [quantize(rows.values[:, j], grid) for j, grid in enumerate(rows.grids)]
    return np.column_stack(codes).astype(np.int64)


def gptq(rows: Lattice, hessian: Array) -> Codes:
    """Round column by column, each error pushed onto the columns not yet rounded.

    Run back to front on the factor H = RᵀR, GPTQ (arXiv 2210.17323) is Babai's nearest plane
    (arXiv 2507.18553): given the errors e of the columns after it, the best real value of
    column k is

        c_k = w_k - Σ_{j>k} R_kj e_j / R_kk

    and its code is the one nearest to c_k. Columns are taken by falling diagonal of H. Against
    overfitting H to its sample, each column's diagonal is raised by one percent of itself. (GPTQ
    adds a percent of the mean diagonal. Where features have units and one is a thousand times
    another, that drowns the smaller ones; where they have none, it is the same.)

    Args:
        rows: values and grids.
        hessian: H of the columns, ``(columns, columns)``.

    Returns:
        Codes, ``(rows, columns)``.
    """
    order = np.argsort(np.diag(hessian), kind="stable")
    damped = hessian + _DAMPING * np.diag(np.diag(hessian))
    r = factor(damped[np.ix_(order, order)])
    codes = np.empty(rows.values.shape, np.int64)
    errors = np.zeros(rows.values.shape)
    for k in reversed(range(len(order))):
        column = order[k]
        grid, value = rows.grids[column], rows.values[:, column]
        pushed = np.sum(errors[:, order[k + 1 :]] * r[k, k + 1 :], axis=1) / r[k, k]
        chosen = quantize(value - pushed, grid)
        codes[:, column] = chosen
        errors[:, column] = dequantize(chosen, grid) - value
    return codes
