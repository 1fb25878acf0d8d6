"""The tensors of a layer: weights and biases, in float or in codes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Array, Codes, Floats, Grid, dequantize
from octet.signature import Shape


@dataclass(frozen=True)
class Quantized:
    """A tensor as codes on a grid. Where two have like grids, a file holds the scale once."""

    codes: Codes
    grid: Grid


@dataclass(frozen=True)
class Int32:
    """A bias as it enters integer sums: ``(outputs,)`` codes with zero point 0.

    Its scale, ``(outputs,)`` float64, is that of the layer's input times that of its weight, so a
    file does not hold it.
    """

    codes: npt.NDArray[np.int32]
    scale: Array


Parameter = Floats | Quantized | Int32


def values(parameter: Parameter) -> Array:
    """The real numbers that a parameter stands for, float64."""
    match parameter:
        case Quantized():
            return dequantize(parameter.codes, parameter.grid)
        case Int32():
            return parameter.codes * parameter.scale
        case _:
            return parameter.astype(np.float64)


def shape_of(parameter: Parameter) -> Shape:
    """The shape of a tensor, in codes or not."""
    return (parameter.codes if isinstance(parameter, Quantized | Int32) else parameter).shape
