"""What is proven of a plan before it becomes text; what cannot be is refused.

Two things could make C's codes differ from those of `octet.layers.integers`:

1. A sum that leaves int32. C multiplies codes of weights as they are, and takes the zero point away
   afterwards; `largest_part` bounds every sum on the way.
2. Requantization without float32, as `scaled_in_integers` does it. Both it and formula 3 never fall
   as the sum rises. So they are equal for *every* int32 if they are on both sides of each of the
   up to n places where formula 3 goes from one code to the next; those are found by bisection.
"""

import numpy as np
import numpy.typing as npt

from octet.errors import OctetError
from octet.exporters.c.plan import Leaving, Mean, Step, Sums
from octet.layers.integers import LARGEST_SUM, Scales

Integers64 = npt.NDArray[np.int64]

# Beyond 512 every sum but 0 is clipped, as it is at 512; below 2⁻³³ every int32 becomes 0.
LARGEST_FACTOR, SMALLEST_FACTOR = np.float32(512), np.float32(2.0**-33)
# Up to here adding 1.5 · 2²³ rounds a float32 to an integer.
LARGEST_PRODUCT = 2**22
_MANTISSA_BITS, _EXPONENT = 24, 150


def refuse_unproven(step: Step) -> None:
    """Raise an OctetError if the codes of a step in C could be others than ours."""
    match step:
        case Sums():
            largest, m = largest_part(step), step.products.m
        case Mean():
            largest, m = largest_part(step), np.array([step.m], np.float32)
        case _:
            return
    if largest > LARGEST_SUM:
        raise OctetError(
            f"layer {step.layer}: sums up to {largest} on the way do not fit int32 in C; "
            "it can be written with --onnx"
        )
    differing = differing_channel(m, step.leaving)
    if differing is not None:
        raise OctetError(
            f"layer {step.layer}: no proof that output {differing} is the same in integers alone"
        )


def largest_part(step: Sums | Mean) -> int:
    """A bound on every sum that C has on the way to that of a step."""
    if isinstance(step, Mean):
        high, wide = step.window.sides
        return 2 * high * wide * 255
    weight, bias = step.products.weight, step.products.bias.astype(np.int64)
    codes = weight.codes.reshape(len(bias), -1).sum(axis=1, dtype=np.int64)
    return int(np.max(step.reach * (codes + weight.grid.top * step.length) + np.abs(bias)))


def factor(m: Scales) -> Scales:
    """The m that C multiplies by: every int32 gets the same code as by that of formula 2."""
    return np.where(m < SMALLEST_FACTOR, np.float32(0), np.minimum(m, LARGEST_FACTOR))


def is_wide(step: Sums | Mean) -> bool:
    """Whether some |sum · m| could be more than C rounds without clipping it first."""
    m = step.products.m if isinstance(step, Sums) else np.array([step.m], np.float32)
    return float(np.max(factor(m))) * largest_part(step) >= LARGEST_PRODUCT


def differing_channel(m: Scales, leaving: Leaving) -> int | None:
    """The first channel with a sum in int32 whose code in integers is not that of formula 3."""
    unlike = np.zeros(m.size, bool)
    sides = thresholds(m, leaving)
    for sums in (_within_int32(sides), _within_int32(sides - 1)):
        ours = _codes(formula(sums, m[:, None]), leaving)
        theirs = _codes(scaled_in_integers(sums, factor(m)[:, None]), leaving)
        unlike |= np.any(ours != theirs, axis=1)
    return int(np.argmax(unlike)) if np.any(unlike) else None


def thresholds(m: Scales, leaving: Leaving) -> Integers64:
    """``(channels, codes)``: the least sum that formula 3 gives at least each code, or 2³¹."""
    codes = np.arange(leaving.low, leaving.high + 1)
    below = np.full((m.size, codes.size), -(2**31) - 1, np.int64)
    above = np.full_like(below, 2**31)
    while np.any(above - below > 1):
        middle = (below + above) // 2
        reached = (
            _codes(formula(np.clip(middle, -(2**31), 2**31 - 1), m[:, None]), leaving) >= codes
        )
        above, below = np.where(reached, middle, above), np.where(reached, below, middle)
    return above


def formula(sums: Integers64, m: Scales) -> npt.NDArray[np.float32]:
    """round_half_even(float32(acc) · m), as `octet.layers.integers.requantize` has it."""
    with np.errstate(over="ignore"):
        return np.asarray(np.rint(sums.astype(np.int32).astype(np.float32) * m))


def scaled_in_integers(sums: Integers64, m: Scales) -> Integers64:
    """What NAME_scaled of C computes without float32, step by step."""
    mantissa, shift = parts(m)
    exact = np.abs(sums).astype(np.uint64)
    product = _to_float32(_to_float32(exact) * mantissa)
    whole = np.minimum(_half_even(product, shift), np.uint64(1024)).astype(np.int64)
    return np.where(m == 0, 0, np.sign(sums) * whole)


def parts(m: Scales) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The mantissa and the shift of m = mantissa · 2^-shift; of 0, any."""
    bits = np.asarray(m, np.float32).view(np.uint32)
    mantissa = (bits & np.uint32(0x7FFFFF)) | np.uint32(0x800000)
    shift = np.where(m == 0, 1, _EXPONENT - (bits >> np.uint32(23)).astype(np.int64))
    return mantissa.astype(np.uint64), shift.astype(np.uint64)


def _to_float32(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Rounded to 24 bits."""
    drop = np.zeros(x.shape, np.uint64)
    for _ in range(64 - _MANTISSA_BITS):
        drop += ((x >> drop) >> np.uint64(_MANTISSA_BITS) != 0).astype(np.uint64)
    return np.asarray(_half_even(x, drop) << drop)


def _half_even(x: npt.NDArray[np.uint64], bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """X / 2^bits, rounded half to even."""
    one = np.uint64(1)
    whole, half = x >> bits, (one << bits) >> one
    rest = x & ((one << bits) - one)
    up = (bits > 0) & ((rest > half) | ((rest == half) & (whole & one == one)))
    return np.asarray(whole + up.astype(np.uint64))


def _codes(steps: npt.NDArray[np.number], leaving: Leaving) -> Integers64:
    return np.clip(steps.astype(np.float64) + leaving.zero_point, leaving.low, leaving.high).astype(
        np.int64
    )


def _within_int32(sums: Integers64) -> Integers64:
    return np.clip(sums, -(2**31), 2**31 - 1)
