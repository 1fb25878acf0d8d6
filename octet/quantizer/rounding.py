"""Round weights to codes: each by itself (nearest), or making good earlier errors (gptq)."""

from dataclasses import dataclass

import numpy as np

from octet.affine import Array, Grid, Integers, dequantize, quantize
from octet.quantizer.hessian import Hessians

# Descent ends by itself, nearly always after a few; this guards against rounding errors.
_SWEEPS = 50


@dataclass(frozen=True)
class Lattice:
    """The weights of a layer, its bias perhaps as the last column, and where each may land.

    Several together have one more axis in front, of values and of scales.

    Attributes:
        values: ``(rows, columns)``.
        grids: one for each column, with a scale for each row: ``(rows,)``.
    """

    values: Array
    grids: tuple[Grid, ...]

    def errors(self, codes: Integers) -> Array:
        """What the codes stand for, less the values; ``(rows, columns)``."""
        landed = [dequantize(codes[..., j], grid) for j, grid in enumerate(self.grids)]
        return np.asarray(np.stack(landed, axis=-1) - self.values)

    def shared_out(self, groups: int) -> list["Lattice"]:
        """As many lattices, each with its part of the rows, in their order."""
        size = len(self.values) // groups
        parts = [slice(i * size, (i + 1) * size) for i in range(groups)]
        return [
            Lattice(
                self.values[part],
                tuple(Grid(g.scale[part], g.zero_point[part], g.bits) for g in self.grids),
            )
            for part in parts
        ]


def lattice(
    weight: Array, weight_grid: Grid, bias: Array | None = None, bias_grid: Grid | None = None
) -> Lattice:
    """Weights ``(rows, inputs)``, and the bias ``(rows,)`` beside them if it is given, on grids.

    The grid of the weights may have axes in front: then so has the lattice.
    """
    several = weight_grid.scale.shape[:-2]
    columns = _columns(weight, weight_grid, several)
    if bias is None or bias_grid is None:
        return Lattice(np.broadcast_to(weight, (*several, *weight.shape)), columns)
    values = np.hstack([weight, bias[:, None]])
    return Lattice(
        np.broadcast_to(values, (*several, *values.shape)),
        (*columns, *_columns(bias[:, None], bias_grid, several)),
    )


def _columns(tensor: Array, grid: Grid, several: tuple[int, ...]) -> tuple[Grid, ...]:
    """The grid of each column of a tensor ``(rows, columns)``, with so many axes in front."""
    # The scale of a bias has one axis: one number for each row.
    scale, zero_point = grid.scale, grid.zero_point
    if scale.ndim == 1:
        scale, zero_point = scale[:, None], zero_point[:, None]
    shape = *several, *tensor.shape
    scales, zeros = np.broadcast_to(scale, shape), np.broadcast_to(zero_point, shape)
    return tuple(Grid(scales[..., j], zeros[..., j], grid.bits) for j in range(tensor.shape[1]))


def nearest(rows: Lattice) -> Integers:
    """The code nearest to each value, whatever becomes of the others; ``(rows, columns)``."""
    codes = [quantize(rows.values[..., j], grid) for j, grid in enumerate(rows.grids)]
    return np.stack(codes, axis=-1).astype(np.int64)


def gptq(rows: Lattice, hessians: Hessians) -> Integers:
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
        hessians: H of the columns, for each group of rows. All rows are rounded at once.

    Returns:
        Codes, ``(rows, columns)``.
    """
    *several, count, _ = rows.values.shape
    orders, factors = hessians.damped
    size = count // len(hessians.each)
    order, r = np.repeat(orders, size, axis=0), np.repeat(factors, size, axis=0)
    order = np.broadcast_to(order, rows.values.shape)
    values, scale, zero_point, top = (
        np.take_along_axis(a, order, axis=-1)
        for a in (
            rows.values,
            np.stack([grid.scale for grid in rows.grids], axis=-1).astype(np.float64),
            np.stack([grid.zero_point for grid in rows.grids], axis=-1).astype(np.float64),
            np.broadcast_to([float(grid.top) for grid in rows.grids], rows.values.shape),
        )
    )
    codes, errors = np.empty(values.shape), np.zeros((*several, order.shape[-1], count))
    for k in reversed(range(order.shape[-1])):
        moved = errors[..., k + 1 :, :] * r[:, k, k + 1 :].T
        pushed = np.sum(moved, axis=-2) / r[:, k, k]
        steps = np.rint((values[..., k] - pushed) / scale[..., k])
        codes[..., k] = np.clip(steps + zero_point[..., k], 0, top[..., k])
        errors[..., k, :] = (codes[..., k] - zero_point[..., k]) * scale[..., k] - values[..., k]
    in_place = np.empty(codes.shape, np.int64)
    np.put_along_axis(in_place, order, codes.astype(np.int64), axis=-1)
    return in_place


def descend(rows: Lattice, codes: Integers, hessian: Array) -> Integers:
    """Change one code at a time, to the best for the others as they are, until none gets better.

    With the gradient g = He of a row's error e, the best move of code k at scale s is the integer
    nearest to -g_k / (H_kk s), inside the grid; every move makes eᵀHe smaller.

    Args:
        rows: values and grids.
        codes: where to start, ``(rows, columns)``.
        hessian: H of the columns, ``(columns, columns)``.

    Returns:
        Codes that lose no more than those at the start.
    """
    codes, errors = codes.copy(), rows.errors(codes)
    gradient = np.zeros(errors.shape)
    for j in range(len(hessian)):
        gradient += errors[:, j, None] * hessian[j]
    for _ in range(_SWEEPS):
        improved = False
        for k, grid in enumerate(rows.grids):
            scale = grid.scale.astype(np.float64)
            wish = codes[:, k] + np.rint(-gradient[:, k] / (hessian[k, k] * scale))
            moves = np.clip(wish, 0, grid.top).astype(np.int64) - codes[:, k]
            if np.any(moves):
                codes[:, k] += moves
                gradient += (moves * scale)[:, None] * hessian[k]
                improved = True
        if not improved:
            break
    return codes
