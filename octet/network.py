"""A network: the layers in the order in which data flows, and what goes in and comes out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from octet.affine import Codes, Floats, Grid, dequantize
from octet.signature import Shape, Signature

Array = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
Input = Array | Pixels


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


@dataclass(frozen=True)
class Standardize:
    """x ← (x - mean) / std, of shape ``(features,)`` or ``(channels,)``; both stay float64."""

    mean: Array
    std: Array


@dataclass(frozen=True)
class Quantize:
    """From reals to codes: what follows computes in integers only."""

    grid: Grid


@dataclass(frozen=True)
class Linear:
    """y = W x + b, with weight ``(outputs, inputs)`` and bias ``(outputs,)``.

    In an integer network ``output`` is the grid of y; else it is None. So for all layers.
    """

    weight: Parameter
    bias: Parameter
    output: Grid | None = None


@dataclass(frozen=True)
class Conv2d:
    """Cross-correlation with weight ``(outputs, channels, side, side)`` and bias ``(outputs,)``.

    The images get ``padding`` zeros on every side; the stride is 1.
    """

    weight: Parameter
    bias: Parameter
    padding: int
    output: Grid | None = None


@dataclass(frozen=True)
class Relu:
    """y = max(x, 0)."""


@dataclass(frozen=True)
class MaxPool:
    """The largest value of each tile of ``side`` by ``side``; tiles do not overlap."""

    side: int


@dataclass(frozen=True)
class GlobalAveragePool:
    """The mean of each channel: ``(channels, height, width)`` to ``(channels,)``."""

    output: Grid | None = None


@dataclass(frozen=True)
class Flatten:
    """``(channels, height, width)`` to ``(channels · height · width,)``, in C order."""


Weighted = Linear | Conv2d
Layer = Standardize | Quantize | Weighted | Relu | MaxPool | GlobalAveragePool | Flatten


@dataclass(frozen=True)
class Network:
    """Layers in order, their meaning, and what is known of how they came to be.

    ``rounding`` is what the quantizer knows of the codes of each layer, by its `label`: their error
    at the outputs and what was proven of it (see `octet.quantizer.layer`). Empty in float.
    ``provenance`` says of what it was made: ``data``, the MD5 of the data file as in dvc.lock, and
    ``params``, the parameters of which the layers do not tell. (Of the revision of the code see
    `octet.provenance`.)
    """

    layers: tuple[Layer, ...]
    signature: Signature
    rounding: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """Of one row behind a layer that a row of this shape can enter."""
    match layer:
        case Linear():
            return shape_of(layer.bias)
        case Conv2d():
            outputs, _, side, _ = shape_of(layer.weight)
            return (outputs, *(n + 2 * layer.padding - side + 1 for n in shape[1:]))
        case MaxPool():
            return (shape[0], *(n // layer.side for n in shape[1:]))
        case GlobalAveragePool():
            return shape[:1]
        case Flatten():
            return (math.prod(shape),)
        case _:
            return shape


def label(layers: Sequence[Layer], i: int) -> str:
    """What to call a layer: its place in the float network, and its kind."""
    place = sum(not isinstance(layer, Quantize) for layer in layers[:i])
    return f"{place}_{type(layers[i]).__name__.lower()}"
