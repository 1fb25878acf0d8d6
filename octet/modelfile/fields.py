"""The arrays of one layer in a model file: written, and checked before they are used."""

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from octet.affine import MAX_BITS, MIN_BITS, Codes, Grid, code_dtype, refuse_not_finite
from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.modelfile.packing import pack, refuse_packed, unpack
from octet.parameters import Int32, Parameter, Quantized
from octet.signature import Shape

_INT32_BITS = 32
_LARGEST = sys.float_info.max


class FieldWriter:
    """Where a layer puts its arrays, each under a name of its own.

    Args:
        name: of the layer; those of its arrays start with it.
        arrays: of the whole file; those of the layer are added.
    """

    def __init__(self, name: str, arrays: dict[str, AnyArray]) -> None:
        self._name = name
        self._arrays = arrays

    def reals(self, field: str, array: AnyArray) -> None:
        """Add numbers as they are."""
        self._arrays[f"{self._name}.{field}"] = array

    def parameter(self, field: str, parameter: Parameter, grid_of: str) -> dict[str, Any]:
        """Add a tensor, and describe it for the header; codes on the grid of field ``grid_of``."""
        name, grid = f"{self._name}.{field}", f"{self._name}.{grid_of}"
        match parameter:
            case Quantized():
                self._arrays[f"{name}.codes"] = pack(parameter.codes, parameter.grid.bits)
                return {"grid": grid, **self._grid("bits", grid, parameter.grid)}
            case Int32():
                self._arrays[f"{name}.codes"] = parameter.codes
                return {"bits": _INT32_BITS}
            case _:
                self._arrays[name] = parameter
                return {}

    def grid(self, grid: Grid) -> dict[str, Any]:
        """Add the grid that is all that the layer holds."""
        return self._grid("bits", self._name, grid)

    def output(self, grid: Grid | None) -> dict[str, Any]:
        """Add the grid of the layer's output, if it has one."""
        return {} if grid is None else self._grid("output", f"{self._name}.output", grid)

    def _grid(self, key: str, name: str, grid: Grid) -> dict[str, Any]:
        """Add a grid's arrays, and say under ``key`` how many bits its codes have."""
        self._arrays[f"{name}.scale"], self._arrays[f"{name}.zero_point"] = (
            grid.scale,
            grid.zero_point,
        )
        return {key: grid.bits}


class FileArrays:
    """The arrays of one file, handed out once each and only when they are as announced.

    Args:
        arrays: by name, as they are in the file.
        look_only: leave codes packed: what is read is not to be run. All that can be wrong with a
            file, but for sums that overflow, is found without unpacking it.

    Attributes:
        unread: the names of arrays that no layer has asked for yet.
    """

    def __init__(self, arrays: Mapping[str, AnyArray], look_only: bool) -> None:
        self.unread = sorted(arrays)
        self._look_only = look_only
        self._arrays = arrays
        self._grids: dict[str, Grid] = {}

    def take(
        self,
        name: str,
        dtypes: tuple[type[np.generic], ...],
        fits: Callable[[Shape], bool],
        allowed: str,
    ) -> AnyArray:
        """An array that nobody has taken, of one of these dtypes and of a shape that fits."""
        require(name in self.unread, f"{name}: no such array in the file")
        self.unread.remove(name)
        array = self._arrays[name]
        require(
            array.dtype in dtypes and fits(array.shape),
            f"{name}: got {array.dtype} of shape {array.shape}; "
            f"allowed is {' or '.join(str(np.dtype(d)) for d in dtypes)} of shape {allowed}",
        )
        return array

    def grid(self, name: str, bits: int, shape: Shape) -> Grid:
        """The grid of this name; a second tensor that names it gets the same object."""
        if name not in self._grids:
            allowed = f"one that broadcasts to {shape}"
            scale = self.take(f"{name}.scale", (np.float32,), _broadcasts_to(shape), allowed)
            zero = self.take(
                f"{name}.zero_point", (code_dtype(bits),), scale.shape.__eq__, str(scale.shape)
            )
            normal = np.isfinite(scale) & (scale >= np.finfo(np.float32).smallest_normal)
            require(bool(np.all(normal)), f"{name}.scale: must be positive and finite")
            require(bool(np.all(zero < 2**bits)), f"{name}.zero_point: outside 0 … 2^{bits}-1")
            self._grids[name] = Grid(scale, zero, bits)
        grid = self._grids[name]
        require(
            grid.bits == bits and _broadcasts_to(shape)(grid.scale.shape),
            f"{name}: a grid of {grid.bits} bits and shape {grid.scale.shape} is shared by "
            f"codes of {bits} bits and shape {shape}",
        )
        return grid

    def reals(
        self, name: str, shape: Shape, *dtypes: type[np.floating]
    ) -> npt.NDArray[np.floating]:
        """Finite numbers."""
        array = self.take(name, dtypes, shape.__eq__, str(shape))
        refuse_not_finite(array, name)
        return array

    def codes(self, name: str, shape: Shape, grid: Grid) -> Codes:
        """Codes that were packed; where this only looks, others of their shape."""
        packed = self.take(f"{name}.codes", (np.uint8,), lambda shape: len(shape) == 1, "(bytes,)")
        try:
            if not self._look_only:
                return unpack(packed, shape, grid.bits)
            refuse_packed(packed, math.prod(shape), grid.bits)
        except OctetError as error:
            raise OctetError(f"{name}: {error}") from None
        return np.broadcast_to(grid.zero_point, shape)


class FieldReader:
    """What a layer reads its arrays from.

    Args:
        name: of the layer.
        file: all arrays of the file.
    """

    def __init__(self, name: str, file: FileArrays) -> None:
        self._name = name
        self._file = file

    def reals(self, field: str, shape: Shape, *dtypes: type[np.floating]) -> AnyArray:
        """Finite numbers of this shape and of one of these dtypes."""
        return self._file.reals(f"{self._name}.{field}", shape, *dtypes)

    def grid(self, spec: Mapping[str, Any]) -> Grid:
        """The grid that is all that the layer holds, of 8 bits at most."""
        return self._file.grid(self._name, self._bits(self._name, spec["bits"], 8), ())

    def output(self, spec: Mapping[str, Any], entering: Grid | None) -> Grid | None:
        """The grid of what leaves a layer: in integers there is one, in float there is none."""
        require(
            ("output" in spec) == (entering is not None),
            "a layer has a grid of its output where and only where it computes in integers",
        )
        if entering is None:
            return None
        name = f"{self._name}.output"
        return self._file.grid(name, self._bits(name, spec["output"], 8), ())

    def parameter(self, field: str, spec: Mapping[str, Any], shape: Shape) -> Parameter:
        """A tensor in float, or in codes on a grid."""
        name = f"{self._name}.{field}"
        if "bits" not in spec:
            return self._file.reals(name, shape, np.float32, np.float64)
        bits = self._bits(name, spec["bits"], MAX_BITS)
        grid = self._file.grid(str(spec["grid"]), bits, shape)
        return Quantized(self._file.codes(name, shape, grid), grid)

    def bias(
        self,
        field: str,
        spec: Mapping[str, Any],
        outputs: int,
        weight: Parameter,
        entering: Grid | None,
    ) -> Parameter:
        """As `parameter`, or in int32, at the scale of what enters times that of the weight."""
        if spec.get("bits") != _INT32_BITS:
            return self.parameter(field, spec, (outputs,))
        name = f"{self._name}.{field}"
        if entering is None or not isinstance(weight, Quantized):
            raise OctetError(f"{name}: an int32 bias outside of integer layers")
        require(
            weight.grid.scale.size in (1, outputs),
            f"{name}: its scale is that of the weight, of which there is not one per output",
        )
        codes = self._file.take(f"{name}.codes", (np.int32,), (outputs,).__eq__, f"({outputs},)")
        scale = entering.scale.astype(np.float64) * weight.grid.scale.reshape(-1)
        return Int32(codes, np.broadcast_to(scale, (outputs,)))

    def _bits(self, name: str, bits: object, most: int) -> int:
        if type(bits) is not int or not MIN_BITS <= bits <= most:
            raise OctetError(f"{name}: got {bits!r} bits; allowed are {MIN_BITS} to {most}")
        return bits


def require(holds: bool, problem: str) -> None:
    """Raise an OctetError if something in a file is not as it must be."""
    if not holds:
        raise OctetError(problem)


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
    # No NaN and no infinity is at most the largest float, and neither is a longer integer.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError(f"got {value!r} for a number")
    return value


def _broadcasts_to(shape: Shape) -> Callable[[Shape], bool]:
    def fits(other: Shape) -> bool:
        return len(other) in (0, len(shape)) and all(
            n in (1, m) for n, m in zip(other, shape, strict=False)
        )

    return fits
