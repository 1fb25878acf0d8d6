"""Arrays and networks as .safetensors, in and out: the only reader of model files.

Nothing is taken on trust: every array that a header announces is checked for its name, shape,
dtype and values before it is used, and nothing but the announced arrays may be in the file.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from octet.affine import MAX_BITS, MIN_BITS, Grid, code_dtype, refuse_not_finite
from octet.errors import OctetError
from octet.network import (
    Array,
    Layer,
    Linear,
    Network,
    Parameter,
    Quantized,
    Signature,
    Standardize,
)
from octet.packing import pack, unpack

AnyArray = npt.NDArray[Any]

# safetensors writes its metadata in the order of a randomly seeded hash map, so two keys would
# make two files of the same content differ. One key has one order; its value is sorted JSON.
_HEADER = "octet"


def dump_arrays(header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> bytes:
    """The bytes of a .safetensors file: the same content always gives the same bytes."""
    in_c_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return save(in_c_order, {_HEADER: json.dumps(header, sort_keys=True)})


def load_arrays(path: Path) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """Header and arrays of a file that `dump_arrays` made.

    Raises:
        OctetError: the file is missing, truncated, not safetensors, or not from this project.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except FileNotFoundError:
        raise OctetError(f"{path}: no such file; `dvc repro` makes it") from None
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise OctetError(
            f"{path}: not a whole .safetensors file ({reason}); delete it and run `dvc repro`"
        ) from None
    try:
        header = json.loads(metadata[_HEADER])
    except (KeyError, ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise OctetError(f"{path}: a .safetensors file, but without this project's header")
    return header, arrays


def dump_network(network: Network) -> bytes:
    """The bytes of a model file."""
    arrays: dict[str, AnyArray] = {}
    layers = [_dump_layer(str(i), layer, arrays) for i, layer in enumerate(network.layers)]
    header = {"layers": layers, "rounding": network.rounding, **asdict(network.signature)}
    return dump_arrays(header, arrays)


def load_signature(header: Mapping[str, Any]) -> Signature:
    """The signature that a header holds, as ``asdict`` put it there.

    Raises:
        KeyError, TypeError: there is none, or it is not made of strings.
    """
    features, target, unit = header["features"], header["target"], header["unit"]
    if not isinstance(features, list) or not all(
        isinstance(name, str) for name in (*features, target, unit)
    ):
        raise TypeError("features, target and unit must be strings")
    return Signature(tuple(features), target, unit)


def load_network(path: Path) -> Network:
    """Read and check a model file.

    Raises:
        OctetError: as `load_arrays`, or the arrays are not those that the header announces:
            a missing or surplus one, a wrong shape or dtype, NaN, a scale that is not positive,
            a zero point outside 0 … n, layers whose widths do not meet.
    """
    header, arrays = load_arrays(path)
    reader = _Reader(path, arrays)
    try:
        signature = load_signature(header)
        width = len(signature.features)
        layers = []
        for i, spec in enumerate(header["layers"]):
            layer, width = reader.layer(str(i), spec, width)
            layers.append(layer)
        rounding = {str(key): _number(value) for key, value in header["rounding"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise OctetError(f"{path}: the header does not describe a network ({error!r})") from None
    if reader.unread:
        raise OctetError(f"{path}: holds arrays that no layer names: {', '.join(reader.unread)}")
    if not layers:
        raise OctetError(f"{path}: a network of no layers")
    return Network(tuple(layers), signature, rounding)


@dataclass(frozen=True)
class Sizes:
    """Bytes of a model file, by what they hold.

    Attributes:
        floats: weights and biases in float.
        codes: weights and biases in codes, packed.
        scales: every scale and zero point, without which codes mean nothing.
        scaler: means and deviations of the features, float in every file.
        file: the whole file, header included.
    """

    floats: int
    codes: int
    scales: int
    scaler: int
    file: int


def sizes(path: Path) -> Sizes:
    """What a model file spends its bytes on, read off the file. Errors as for `load_arrays`."""
    _, arrays = load_arrays(path)

    def total(*kinds: str) -> int:
        return sum(a.nbytes for name, a in arrays.items() if name.split(".")[-1] in kinds)

    return Sizes(
        floats=total("weight", "bias"),
        codes=total("codes"),
        scales=total("scale", "zero_point"),
        scaler=total("mean", "std"),
        file=path.stat().st_size,
    )


def _dump_layer(name: str, layer: Layer, arrays: dict[str, AnyArray]) -> dict[str, Any]:
    """Add a layer's arrays to ``arrays`` and describe them for the header."""
    match layer:
        case Standardize():
            arrays[f"{name}.mean"], arrays[f"{name}.std"] = layer.mean, layer.std
            return {"kind": "standardize"}
        case Linear():
            weight, bias = f"{name}.weight", f"{name}.bias"
            shared = (
                isinstance(layer.weight, Quantized)
                and isinstance(layer.bias, Quantized)
                and layer.weight.grid.is_like(layer.bias.grid)
            )
            return {
                "kind": "linear",
                "outputs": len(
                    layer.bias.codes if isinstance(layer.bias, Quantized) else layer.bias
                ),
                "weight": _dump_parameter(weight, layer.weight, weight, arrays),
                "bias": _dump_parameter(bias, layer.bias, weight if shared else bias, arrays),
            }


def _dump_parameter(
    name: str, parameter: Parameter, grid: str, arrays: dict[str, AnyArray]
) -> dict[str, Any]:
    if not isinstance(parameter, Quantized):
        arrays[name] = parameter
        return {}
    arrays[f"{name}.codes"] = pack(parameter.codes, parameter.grid.bits)
    arrays[f"{grid}.scale"] = parameter.grid.scale
    arrays[f"{grid}.zero_point"] = parameter.grid.zero_point
    return {"bits": parameter.grid.bits, "grid": grid}


class _Reader:
    """The arrays of one file, handed out once each and only when they are as announced."""

    def __init__(self, path: Path, arrays: Mapping[str, AnyArray]) -> None:
        self.path = path
        self.arrays = arrays
        self.unread = sorted(arrays)
        self.grids: dict[str, Grid] = {}

    def layer(self, name: str, spec: Mapping[str, Any], width: int) -> tuple[Layer, int]:
        """The layer of this name, and the number of values that leave it."""
        match spec["kind"]:
            case "standardize":
                mean = self.floats(f"{name}.mean", (width,))
                std = self.floats(f"{name}.std", (width,))
                self.require(bool(np.all(std > 0)), f"{name}.std: every value must be positive")
                return Standardize(mean, std), width
            case "linear":
                outputs = spec["outputs"]
                self.require(
                    type(outputs) is int and outputs > 0,
                    f"layer {name}: outputs: got {outputs!r}; allowed is a positive integer",
                )
                weight = self.parameter(f"{name}.weight", spec["weight"], (outputs, width))
                bias = self.parameter(f"{name}.bias", spec["bias"], (outputs,))
                return Linear(weight, bias), outputs
            case kind:
                raise OctetError(f"{self.path}: layer {name}: unknown kind {kind!r}")

    def parameter(self, name: str, spec: Mapping[str, Any], shape: tuple[int, ...]) -> Parameter:
        if "bits" not in spec:
            return self.floats(name, shape)
        bits = spec["bits"]
        self.require(
            type(bits) is int and MIN_BITS <= bits <= MAX_BITS,
            f"{name}: got {bits!r} bits; allowed are {MIN_BITS} to {MAX_BITS}",
        )
        packed = self.take(f"{name}.codes", np.uint8, lambda got: len(got) == 1, "(bytes,)")
        try:
            codes = unpack(packed, shape, bits)
        except OctetError as error:
            raise OctetError(f"{self.path}: {name}: {error}") from None
        grid = self.grid(str(spec["grid"]), bits, shape)
        return Quantized(codes, grid)

    def grid(self, name: str, bits: int, shape: tuple[int, ...]) -> Grid:
        """The grid of this name; a second tensor that names it gets the same object."""
        if name not in self.grids:
            allowed = f"one that broadcasts to {shape}"
            scale = self.take(f"{name}.scale", np.float32, _broadcasts_to(shape), allowed)
            zero = self.take(f"{name}.zero_point", code_dtype(bits), scale.shape.__eq__, allowed)
            normal = np.isfinite(scale) & (scale >= np.finfo(np.float32).smallest_normal)
            self.require(bool(np.all(normal)), f"{name}.scale: must be positive and finite")
            self.require(bool(np.all(zero < 2**bits)), f"{name}.zero_point: outside 0 … 2^{bits}-1")
            self.grids[name] = Grid(scale, zero, bits)
        grid = self.grids[name]
        self.require(
            grid.bits == bits and _broadcasts_to(shape)(grid.scale.shape),
            f"{name}: a grid of {grid.bits} bits and shape {grid.scale.shape} is shared by "
            f"codes of {bits} bits and shape {shape}",
        )
        return grid

    def floats(self, name: str, shape: tuple[int, ...]) -> Array:
        array = self.take(name, np.float64, shape.__eq__, str(shape))
        refuse_not_finite(array, f"{self.path}: {name}")
        return array

    def take(
        self,
        name: str,
        dtype: type[np.generic],
        fits: Callable[[tuple[int, ...]], bool],
        allowed: str,
    ) -> AnyArray:
        self.require(name in self.unread, f"{name}: no such array in the file")
        self.unread.remove(name)
        array = self.arrays[name]
        self.require(
            array.dtype == dtype and fits(array.shape),
            f"{name}: got {array.dtype} of shape {array.shape}; "
            f"allowed is {np.dtype(dtype)} of shape {allowed}",
        )
        return array

    def require(self, holds: bool, problem: str) -> None:
        if not holds:
            raise OctetError(f"{self.path}: {problem}")


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"got {value!r} for a number")
    return value


def _broadcasts_to(shape: tuple[int, ...]) -> Callable[[tuple[int, ...]], bool]:
    def fits(got: tuple[int, ...]) -> bool:
        return len(got) in (0, len(shape)) and all(
            n in (1, m) for n, m in zip(got, shape, strict=False)
        )

    return fits
