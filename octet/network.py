"""A network: the layers in the order in which data flows, and what goes in and comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from octet.affine import Codes, Grid, dequantize

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quantized:
    """A tensor as codes on a grid. Where two have like grids, a file holds the scale once."""

    codes: Codes
    grid: Grid


Parameter = Array | Quantized


def values(parameter: Parameter) -> Array:
    """The real numbers that a parameter stands for, float64."""
    if isinstance(parameter, Quantized):
        return dequantize(parameter.codes, parameter.grid)
    return parameter


@dataclass(frozen=True)
class Standardize:
    """x ← (x - mean) / std. Both are of shape ``(features,)`` and stay float64."""

    mean: Array
    std: Array


@dataclass(frozen=True)
class Linear:
    """y = W x + b, with weight ``(outputs, inputs)`` and bias ``(outputs,)``."""

    weight: Parameter
    bias: Parameter


Layer = Standardize | Linear


@dataclass(frozen=True)
class Signature:
    """What the columns mean: names of the features in order, name and unit of the target."""

    features: tuple[str, ...]
    target: str
    unit: str


@dataclass(frozen=True)
class Network:
    """Layers in order, their meaning, and what is known of how they came to be.

    ``rounding`` is what the quantizer knows of its codes: empty for a float network, else their
    error at the outputs and what was proven of it (see `stages.quantize.linear`).
    """

    layers: tuple[Layer, ...]
    signature: Signature
    rounding: Mapping[str, float] = field(default_factory=dict)
