"""Kinds of layers."""

import math
from dataclasses import dataclass

from octet.affine import Array, Grid
from octet.parameters import Parameter, shape_of
from octet.signature import Shape


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
