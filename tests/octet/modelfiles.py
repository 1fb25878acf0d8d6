"""Model files for the tests of reading and writing: made, taken apart, put together wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octet import affine
from octet.errors import OctetError
from octet.layers import Linear, Standardize
from octet.modelfile.arrays import dump_arrays, load_arrays
from octet.modelfile.storage import dump_network, load_network
from octet.network import Network
from octet.parameters import Int32, Parameter, Quantized
from octet.signature import Columns, Numbers, Signature

GRANULARITIES = ["float", "per_tensor", "per_channel", "per_parameter", "unified"]


def linear(rng: np.random.Generator, shape: tuple[int, int], granularity: str, bits: int) -> Linear:
    """A random layer; the bias has 8 bits of its own unless its grid is the weight's."""
    weight, bias = rng.normal(size=shape), rng.normal(size=shape[0])
    if granularity == "float":
        return Linear(weight, bias)
    match granularity:
        case "per_channel":
            ends = weight.min(axis=1, keepdims=True), weight.max(axis=1, keepdims=True)
        case "per_parameter":
            ends = weight, weight
        case _:
            ends = min(weight.min(), bias.min()), max(weight.max(), bias.max())
    grid = affine.asymmetric(*ends, bits)
    own = affine.asymmetric(bias, bias, 8)
    bias_grid = {"unified": grid, "per_parameter": own}.get(
        granularity, affine.asymmetric(bias.min(), bias.max(), 8)
    )
    return Linear(
        Quantized(affine.quantize(weight, grid), grid),
        Quantized(affine.quantize(bias, bias_grid), bias_grid),
    )


def weights_only(granularity: str, bits: int = 4, widths: tuple[int, ...] = (3, 2)) -> Network:
    """Standardized inputs and a linear layer from each width to the next; it computes in float."""
    rng = np.random.default_rng(bits)
    features = tuple(f"feature {i}, µm" for i in range(widths[0]))
    scaler = Standardize(rng.normal(size=widths[0]), rng.uniform(0.1, 9, widths[0]))
    layers = [linear(rng, (after, before), granularity, bits) for before, after in pairwise(widths)]
    figures = {"output_error": 0.1 + 0.2, "rows": 2, "b": 1e-300}
    rounding = {} if granularity == "float" else {"0_linear": figures, "1_linear": {"rows": 1}}
    return Network(
        (scaler, *layers), Signature(Columns(features), Numbers("price", "100,000 $")), rounding
    )


def put(file: Path, content: bytes) -> None:
    """Write a new file: on ext4 to write over an old one is a wait for the disk."""
    file.unlink(missing_ok=True)
    file.write_bytes(content)


@dataclass
class Parts:
    """What is in a model file, to be changed and written again."""

    file: Path
    header: Any
    arrays: dict[str, Any]

    def write(self) -> None:
        put(self.file, dump_arrays(self.header, self.arrays))


def take_apart(file: Path, network: Network) -> Parts:
    """The parts of a file of this network, which is written there."""
    put(file, dump_network(network))
    header, arrays = load_arrays(file)
    return Parts(file, header, {name: array.copy() for name, array in arrays.items()})


def refusal(path: Path, load: Callable[[Path], object] = load_network) -> str:
    """The error about this model file: one line that begins with its name."""
    with pytest.raises(OctetError) as caught:
        load(path)
    return _in_one_line(path, caught.value)


def is_refused(path: Path) -> bool:
    """Whether a damaged file is refused, as it should be, or is a network all the same."""
    try:
        load_network(path)
    except OctetError as error:
        _in_one_line(path, error)
        return True
    return False


def _in_one_line(path: Path, error: OctetError) -> str:
    message = str(error)
    assert message.splitlines() == [message]
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def assert_same(one: Network, other: Network) -> None:
    """Every array of both has the same bytes, everything else is equal."""
    assert one.signature == other.signature
    assert one.rounding == other.rounding
    assert len(one.layers) == len(other.layers)
    for a, b in zip(one.layers, other.layers, strict=True):
        assert type(a) is type(b)
        # A window may be written shorter than it is read.
        window = {"side", "stride", "padding"} if hasattr(a, "window") else set()
        for key in (vars(a).keys() - window) | (window and {"window"}):
            _assert_same(getattr(a, key), getattr(b, key))


def _assert_same(one: Parameter | affine.Grid | int | None, other: object) -> None:
    match one:
        case Quantized():
            assert isinstance(other, Quantized)
            _assert_same(one.codes, other.codes)
            _assert_same(one.grid, other.grid)
        case Int32():
            assert isinstance(other, Int32)
            _assert_same(one.codes, other.codes)
            _assert_same(one.scale, other.scale)
        case affine.Grid():
            assert isinstance(other, affine.Grid)
            assert one.bits == other.bits
            _assert_same(one.scale, other.scale)
            _assert_same(one.zero_point, other.zero_point)
        case np.ndarray() | np.generic():
            assert isinstance(other, np.ndarray | np.generic)
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert one.tobytes() == other.tobytes()
        case _:
            assert one == other
