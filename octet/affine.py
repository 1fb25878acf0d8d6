"""Affine quantization: choose a scale and a zero point, quantize, dequantize.

A grid maps the codes 0 … n, n = 2**bits - 1, to the real numbers (code - zero_point) * scale.
Everything else in this project that speaks of a scale calls the four functions below, so the
definitions stand here once. They are those of ONNX QuantizeLinear and DequantizeLinear.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.blocks import blocks
from octet.errors import OctetError

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]
Codes = npt.NDArray[np.unsignedinteger]
Integers = npt.NDArray[np.integer]

MIN_BITS, MAX_BITS = 2, 16
_SMALLEST_NORMAL = np.finfo(np.float32).smallest_normal


@dataclass(frozen=True)
class Grid:
    """The reals that codes of ``bits`` bits can stand for.

    Attributes:
        scale: float32, the distance between neighbours; one number (shape ``()``) or any shape
            that broadcasts against the tensor: ``(rows, 1)`` is per channel.
        zero_point: the code of the real number 0, uint8 up to 8 bits and uint16 above; same shape.
        bits: width of a code, 2 to 16.
    """

    scale: npt.NDArray[np.float32]
    zero_point: Codes
    bits: int

    @property
    def top(self) -> int:
        """The largest code, n = 2**bits - 1."""
        return (1 << self.bits) - 1

    def is_like(self, other: "Grid") -> bool:
        """Whether the codes of both mean the same."""
        return (
            self.bits == other.bits
            and self.scale.shape == other.scale.shape
            and bool(np.all(self.scale == other.scale))
            and bool(np.all(self.zero_point == other.zero_point))
        )


def code_dtype(bits: int) -> type[np.uint8] | type[np.uint16]:
    """The unsigned integer that holds one code of ``bits`` bits."""
    return np.uint8 if bits <= 8 else np.uint16


def asymmetric(lo: npt.ArrayLike, hi: npt.ArrayLike, bits: int) -> Grid:
    """The grid that spans [lo, hi] with all of its codes.

    1. Extend the range to hold 0:  lo ← min(lo, 0), hi ← max(hi, 0). Padding and ReLU need an
       exact zero.
    2. scale = (hi - lo) / n in float64, rounded once to float32. A range without extent has no
       scale: where it is 0 or subnormal, scale = 1 and zero_point = 0.
    3. zero_point = clip(round_half_even(-lo / scale), 0, n).

    Args:
        lo, hi: ends of the range, in the unit of the tensor; any equal shapes.
        bits: 2 to 16.

    Raises:
        OctetError: an end is not finite, or the range is too wide for a float32 scale.
    """
    lo = np.minimum(np.asarray(lo, np.float64), 0.0)
    hi = np.maximum(np.asarray(hi, np.float64), 0.0)
    top = (1 << bits) - 1
    with np.errstate(over="ignore"):
        extent = hi - lo
    scale, usable = _to_scale(lo, hi, extent / top)
    zero_point = np.where(usable, np.clip(np.rint(-lo / scale), 0, top), 0)
    return Grid(scale, zero_point.astype(code_dtype(bits)), bits)


def symmetric(lo: npt.ArrayLike, hi: npt.ArrayLike, bits: int) -> Grid:
    """The grid with its zero in the middle.

    zero_point = 2**(bits-1) and scale = max(|lo|, |hi|) / (2**(bits-1) - 1).

    ONNX Runtime wants one zero point for all channels of a convolution, so weights with a scale
    per channel are symmetric. Arguments and errors as for `asymmetric`.
    """
    lo, hi = np.asarray(lo, np.float64), np.asarray(hi, np.float64)
    middle = 1 << (bits - 1)
    scale, _ = _to_scale(lo, hi, np.maximum(np.abs(lo), np.abs(hi)) / (middle - 1))
    return Grid(scale, np.full(scale.shape, middle, code_dtype(bits)), bits)


def quantize(x: Floats, grid: Grid, name: str = "the tensor") -> Codes:
    """The code nearest to each value: clip(round_half_even(x / scale) + zero_point, 0, n).

    Three details make this ONNX QuantizeLinear to the bit, for float32 input: divide (a product
    with the reciprocal rounds twice), add the zero point after rounding (before it, ties fall
    another way when it is odd), and round ties to even.

    Args:
        x: values, any shape that broadcasts with the grid's.
        grid: the grid to land on.
        name: what to call ``x`` in an error.

    Returns:
        Codes of the shape of ``x``, uint8 up to 8 bits and uint16 above.

    Raises:
        OctetError: ``x`` holds NaN or an infinity. (ONNX would make them 0 in silence.)
    """
    refuse_not_finite(x, name)
    with np.errstate(over="ignore"):  # an overflow to infinity is clipped like any large value
        steps = np.rint(x / grid.scale)
    codes: Floats = np.clip(steps + grid.zero_point.astype(steps.dtype), 0, grid.top)
    return as_codes(codes, grid.bits)


def dequantize(codes: Integers, grid: Grid) -> npt.NDArray[np.float64]:
    """The reals that the codes stand for: (code - zero_point) * scale, in float64.

    The product is exact: 17 bits times the 24 of a float32 fit into 53. Rounded to float32 it is
    what ONNX DequantizeLinear gives.
    """
    steps = codes.astype(np.float64) - grid.zero_point.astype(np.float64)
    return np.asarray(steps * grid.scale.astype(np.float64))


def as_codes(whole: npt.NDArray[np.number], bits: int) -> Codes:
    """Whole numbers 0 … n in the dtype of codes."""
    codes: Codes = whole.astype(code_dtype(bits))
    return codes


def refuse_not_finite(x: Floats, name: str) -> None:
    """Raise an OctetError that names the tensor and its first NaN or infinity."""
    if not all(np.all(np.isfinite(part)) for (part,) in blocks(np.atleast_1d(x))):
        where = np.argwhere(~np.isfinite(np.atleast_1d(x)))[0].tolist()
        got = np.atleast_1d(x)[tuple(where)]
        raise OctetError(f"{name}: got {got} at index {where}; every value must be finite")


def _to_scale(
    lo: npt.NDArray[np.float64], hi: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Round scales to float32; 1 where they vanish. Returns the scales and where they are real."""
    refuse_not_finite(np.asarray(lo), "lower end of the range")
    refuse_not_finite(np.asarray(hi), "upper end of the range")
    with np.errstate(over="ignore"):
        scale = np.asarray(wanted, np.float32)
    if not np.all(np.isfinite(scale)):
        raise OctetError(
            f"range [{np.min(lo):g}, {np.max(hi):g}]: too wide for a float32 scale; "
            "rescale the data or the weights"
        )
    usable = scale >= _SMALLEST_NORMAL
    return np.where(usable, scale, np.float32(1)), usable
