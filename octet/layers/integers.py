"""Sums of codes, and codes of sums: the arithmetic of integer layers, as ONNX Runtime does it.

From the codes of its input to those of its output, a layer with weights q_w computes

1.  acc = Σ (q_x - z_x)(q_w - z_w) + q_b, in int32; the bias q_b has the scale s_x · s_w;
2.  m = float32(float32(s_x · s_w) / s_y), one number for each output channel;
3.  q_y = clip(round_half_even(float32(acc) · m) + z_y, 0, n).

That is QLinearConv of the ONNX standard. A mean over p positions is such a sum, whose weights are
the code 1 at the scale 1/p.
"""

import numpy as np
import numpy.typing as npt

from octet.affine import Codes, Floats, Grid, as_codes

Accumulators = npt.NDArray[np.int32]
Scales = npt.NDArray[np.float32]

LARGEST_SUM = 2**31 - 1
_EXACT_FLOAT32 = 2**24


def exact_type(largest: int) -> type[np.floating]:
    """The narrowest type in which BLAS multiplies and adds whole numbers without rounding.

    NumPy has no fast integer products. But float32 holds every integer up to 2²⁴, and float64 up to
    2⁵³; where no sum can be larger, theirs are the integers, in whatever order.

    Args:
        largest: a bound on every sum.
    """
    return np.float32 if largest <= _EXACT_FLOAT32 else np.float64


def centred(codes: Codes, grid: Grid) -> Codes | Floats:
    """Q - z, for codes of any shape: themselves where z is 0, as it mostly is behind a ReLU."""
    if not grid.zero_point.any():
        return codes
    steps: Floats = codes.astype(np.float32)
    steps -= grid.zero_point.astype(np.float32)
    return steps


def multiplier(entering: Grid, weight_scale: Scales, leaving: Grid) -> Scales:
    """The m of formula 2, in the shape of ``weight_scale``."""
    return (entering.scale * weight_scale / leaving.scale).astype(np.float32)


def requantize(acc: Accumulators | Floats, m: Scales, grid: Grid) -> Codes:
    """Formula 3.

    Args:
        acc: whole numbers, in int32 or in a type of floats that holds them; of float32 it becomes
            something else.
        m: broadcasts against them.
        grid: of the output.
    """
    with np.errstate(over="ignore"):  # what overflows to infinity is clipped like any large value
        reals = acc.astype(np.float32, copy=False)
        reals *= m
    np.rint(reals, out=reals)
    if grid.zero_point.any():
        reals += grid.zero_point.astype(np.float32)
    np.clip(reals, 0, grid.top, out=reals)
    return as_codes(reals, grid.bits)


def mean_scale(positions: int) -> Scales:
    """The scale of the weights 1 with which a sum over so many positions is a mean."""
    return np.array(1 / positions, np.float32)
