"""Layers from the header and the arrays of a model file: each is checked before it is used."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from octet.affine import MAX_BITS, MIN_BITS, Codes, Grid, code_dtype, refuse_not_finite
from octet.errors import OctetError
from octet.layers import (
    Conv2d,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
    Quantize,
    Relu,
    Standardize,
    Weighted,
)
from octet.modelfile.arrays import AnyArray
from octet.modelfile.packing import refuse_packed, unpack
from octet.parameters import Int32, Parameter, Quantized
from octet.runtime import integer
from octet.signature import Shape

_INT32_BITS = 32
_LARGEST_SUM = 2**31 - 1
# Numbers: of one row, on its way in or behind a linear layer; and of what a convolution sees, or
# gives, for one image. Each is some 20 times or more what MNIST takes.
LARGEST_ROW = 2**20
_LARGEST_LAYER = 2**22


class Reader:
    """The arrays of one file, handed out once each and only when they are as announced.

    Args:
        path: of the file, for errors.
        arrays: by name, as they are in the file.
        look_only: leave codes packed: what this reader gives is not to be run. All that can be
            wrong with a file, but for sums that overflow, is found without unpacking it.

    Attributes:
        unread: the names of arrays that no layer has asked for yet.
    """

    def __init__(self, path: Path, arrays: Mapping[str, AnyArray], look_only: bool) -> None:
        self.unread = sorted(arrays)
        self._look_only = look_only
        self._path = path
        self._arrays = arrays
        self._grids: dict[str, Grid] = {}
        # Of what enters the next layer, once the integers have started.
        self._codes: Grid | None = None

    def layer(self, name: str, spec: Mapping[str, Any], shape: Shape) -> Layer:
        """The layer of this name, which rows of this shape enter."""
        match spec["kind"]:
            case "standardize":
                self._require(self._codes is None, f"layer {name}: standardize behind quantize")
                mean = self._reals(f"{name}.mean", shape[:1], np.float64)
                std = self._reals(f"{name}.std", shape[:1], np.float64)
                self._require(bool(np.all(std > 0)), f"{name}.std: every value must be positive")
                return Standardize(mean.astype(np.float64), std.astype(np.float64))
            case "quantize":
                self._require(self._codes is None, f"layer {name}: a second quantize")
                self._codes = self._grid(name, self._bits(name, spec["bits"], 8), ())
                return Quantize(self._codes)
            case "linear" | "conv2d" as kind:
                return self._weighted(kind, name, spec, shape)
            case "relu":
                return Relu()
            case "max_pool":
                side = whole(spec["side"], 1)
                self._image(name, shape)
                self._require(
                    not (shape[1] % side or shape[2] % side),
                    f"layer {name}: got shape {shape}; tiles of {side} by {side} do not fill it",
                )
                return MaxPool(side)
            case "global_average_pool":
                self._image(name, shape)
                entering, positions = self._codes, shape[1] * shape[2]
                pool = GlobalAveragePool(self._output(name, spec))
                if entering is not None:
                    # Its sums fit int32: of 2²² positions at most, each with 255 at most.
                    self._finite_multiplier(name, pool, entering, positions)
                return pool
            case "flatten":
                return Flatten()
            case kind:
                raise OctetError(f"{self._path}: layer {name}: unknown kind {kind!r}")

    def _weighted(self, kind: str, name: str, spec: Mapping[str, Any], shape: Shape) -> Layer:
        outputs = spec["outputs"]
        self._require(
            type(outputs) is int and 0 < outputs <= LARGEST_ROW,
            f"layer {name}: outputs: got {outputs!r}; allowed are 1 to {LARGEST_ROW}",
        )
        layer: Weighted
        if kind == "linear":
            self._require(
                len(shape) == 1, f"layer {name} (linear): got shape {shape}; allowed is one axis"
            )
            weight = self._parameter(f"{name}.weight", spec["weight"], (outputs, *shape))
        else:
            self._image(name, shape)
            side, padding = whole(spec["side"], 1), whole(spec["padding"], 0)
            high, wide = (length + 2 * padding - side + 1 for length in shape[1:])
            self._require(
                min(high, wide) > 0 and padding < side,
                f"layer {name}: a kernel of {side} with padding {padding} on shape {shape}",
            )
            kernel = (outputs, shape[0], side, side)
            largest = high * wide * max(outputs, math.prod(kernel[1:]))
            self._require(
                largest <= _LARGEST_LAYER,
                f"layer {name}: {largest} numbers at once; allowed are {_LARGEST_LAYER}",
            )
            weight = self._parameter(f"{name}.weight", spec["weight"], kernel)
        bias = self._bias(f"{name}.bias", spec["bias"], outputs, weight)
        entering = self._codes
        output = self._output(name, spec)
        layer = (
            Linear(weight, bias, output)
            if kind == "linear"
            else Conv2d(weight, bias, padding, output)
        )
        if entering is not None:
            self._check_integers(name, layer, entering)
        return layer

    def _check_integers(self, name: str, layer: Weighted, entering: Grid) -> None:
        """Integer layers hold codes, at most one scale an output, and sums that fit int32."""
        weight = layer.weight
        if not (isinstance(weight, Quantized) and isinstance(layer.bias, Int32)):
            raise OctetError(
                f"{self._path}: layer {name}: behind quantize, the weight must be in codes and the "
                "bias in int32"
            )
        scale = weight.grid.scale
        self._require(
            weight.grid.bits <= 8 and scale.size in (1, *scale.shape[:1]),
            f"{name}.weight: among integer layers, codes have up to 8 bits and a scale per output",
        )
        largest = integer.largest_sum(layer, entering)
        self._require(
            largest <= _LARGEST_SUM, f"layer {name}: sums up to {largest} do not fit int32"
        )
        self._finite_multiplier(name, layer, entering)

    def _finite_multiplier(
        self, name: str, layer: Weighted | GlobalAveragePool, entering: Grid, positions: int = 1
    ) -> None:
        with np.errstate(over="ignore"):
            multiplier = integer.multiplier(layer, entering, positions)
        self._require(
            bool(np.all(np.isfinite(multiplier))),
            f"layer {name}: the product of its scales is more than float32 holds",
        )

    def _bias(
        self, name: str, spec: Mapping[str, Any], outputs: int, weight: Parameter
    ) -> Parameter:
        if spec.get("bits") != _INT32_BITS:
            return self._parameter(name, spec, (outputs,))
        if self._codes is None or not isinstance(weight, Quantized):
            raise OctetError(f"{self._path}: {name}: an int32 bias outside of integer layers")
        codes = self._take(f"{name}.codes", (np.int32,), (outputs,).__eq__, f"({outputs},)")
        scale = self._codes.scale.astype(np.float64) * weight.grid.scale.reshape(-1)
        return Int32(codes, np.broadcast_to(scale, (outputs,)))

    def _parameter(self, name: str, spec: Mapping[str, Any], shape: Shape) -> Parameter:
        if "bits" not in spec:
            return self._reals(name, shape, np.float32, np.float64)
        bits = self._bits(name, spec["bits"], MAX_BITS)
        packed = self._take(f"{name}.codes", (np.uint8,), lambda got: len(got) == 1, "(bytes,)")
        grid = self._grid(str(spec["grid"]), bits, shape)
        try:
            return Quantized(self._codes_of(packed, shape, grid), grid)
        except OctetError as error:
            raise OctetError(f"{self._path}: {name}: {error}") from None

    def _codes_of(self, packed: npt.NDArray[np.uint8], shape: Shape, grid: Grid) -> Codes:
        if not self._look_only:
            return unpack(packed, shape, grid.bits)
        refuse_packed(packed, math.prod(shape), grid.bits)
        return np.broadcast_to(grid.zero_point, shape)

    def _grid(self, name: str, bits: int, shape: Shape) -> Grid:
        """The grid of this name; a second tensor that names it gets the same object."""
        if name not in self._grids:
            allowed = f"one that broadcasts to {shape}"
            scale = self._take(f"{name}.scale", (np.float32,), _broadcasts_to(shape), allowed)
            zero = self._take(
                f"{name}.zero_point", (code_dtype(bits),), scale.shape.__eq__, str(scale.shape)
            )
            normal = np.isfinite(scale) & (scale >= np.finfo(np.float32).smallest_normal)
            self._require(bool(np.all(normal)), f"{name}.scale: must be positive and finite")
            self._require(
                bool(np.all(zero < 2**bits)), f"{name}.zero_point: outside 0 … 2^{bits}-1"
            )
            self._grids[name] = Grid(scale, zero, bits)
        grid = self._grids[name]
        self._require(
            grid.bits == bits and _broadcasts_to(shape)(grid.scale.shape),
            f"{name}: a grid of {grid.bits} bits and shape {grid.scale.shape} is shared by "
            f"codes of {bits} bits and shape {shape}",
        )
        return grid

    def _output(self, name: str, spec: Mapping[str, Any]) -> Grid | None:
        """The grid of what leaves a layer: in integers there is one, in float there is none."""
        self._require(
            ("output" in spec) == (self._codes is not None),
            f"layer {name}: a layer has a grid of its output where and only where it computes in "
            "integers",
        )
        if self._codes is not None:
            name = f"{name}.output"
            self._codes = self._grid(name, self._bits(name, spec["output"], 8), ())
        return self._codes

    def _bits(self, name: str, bits: object, most: int) -> int:
        if type(bits) is not int or not MIN_BITS <= bits <= most:
            raise OctetError(
                f"{self._path}: {name}: got {bits!r} bits; allowed are {MIN_BITS} to {most}"
            )
        return bits

    def _image(self, name: str, shape: Shape) -> None:
        self._require(
            len(shape) == 3,
            f"layer {name}: got shape {shape}; allowed is (channels, height, width)",
        )

    def _reals(
        self, name: str, shape: Shape, *dtypes: type[np.floating]
    ) -> npt.NDArray[np.floating]:
        array = self._take(name, dtypes, shape.__eq__, str(shape))
        refuse_not_finite(array, f"{self._path}: {name}")
        return array

    def _take(
        self,
        name: str,
        dtypes: tuple[type[np.generic], ...],
        fits: Callable[[Shape], bool],
        allowed: str,
    ) -> AnyArray:
        self._require(name in self.unread, f"{name}: no such array in the file")
        self.unread.remove(name)
        array = self._arrays[name]
        self._require(
            array.dtype in dtypes and fits(array.shape),
            f"{name}: got {array.dtype} of shape {array.shape}; "
            f"allowed is {' or '.join(str(np.dtype(d)) for d in dtypes)} of shape {allowed}",
        )
        return array

    def _require(self, holds: bool, problem: str) -> None:
        if not holds:
            raise OctetError(f"{self._path}: {problem}")


def whole(value: object, least: int) -> int:
    """The value, if it is an integer of at least that size.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int or value < least:
        raise ValueError(f"got {value!r} for an integer of at least {least}")
    return value


def number(value: object) -> float:
    """The value, if it is a finite number.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"got {value!r} for a number")
    return value


def _broadcasts_to(shape: Shape) -> Callable[[Shape], bool]:
    def fits(got: Shape) -> bool:
        return len(got) in (0, len(shape)) and all(
            n in (1, m) for n, m in zip(got, shape, strict=False)
        )

    return fits
