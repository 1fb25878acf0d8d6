"""Networks as .safetensors, in and out: the only door for model files.

Nothing is taken on trust: every array that a header announces is checked for its name, shape,
dtype and values before it is used, and nothing but the announced arrays may be in the file.
"""

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray, dump_arrays, load_arrays
from octet.modelfile.fields import FieldWriter, FileArrays, number
from octet.modelfile.reader import read_layers
from octet.modelfile.reference import (
    Reference,
    dump_reference,
    load_reference,
    refuse_other_names,
)
from octet.modelfile.signatures import dump_signature, load_signature
from octet.network import Network, most_numbers, signals
from octet.signature import Classes

# Of a row, in all that is alive at once: four times what a layer may hold. In reals, 128 MB.
_MOST_NUMBERS = 2**24
_REFERENCE = "reference"
# What taking a header apart raises where something in it is not what it should be.
_NOT_A_NETWORK = (
    AttributeError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


def dump_network(network: Network, reference: Reference | None = None) -> bytes:
    """The bytes of a model file; with what is known of rows, if anything is."""
    layers, arrays = _dump_layers(network)
    header = {
        "layers": layers,
        "rounding": network.rounding,
        "provenance": network.provenance,
        **dump_signature(network.signature),
    }
    if reference is not None:
        header[_REFERENCE], counted = dump_reference(reference)
        arrays |= counted
    return dump_arrays(header, arrays)


def _dump_layers(network: Network) -> tuple[list[dict[str, Any]], dict[str, AnyArray]]:
    arrays: dict[str, AnyArray] = {}
    specs = []
    for i, layer in enumerate(network.layers):
        wires = {"name": layer.name} if layer.name else {}
        inputs = {"inputs": list(layer.inputs)} if layer.inputs else {}
        fields = FieldWriter(str(i), arrays)
        specs.append({"kind": layer.kind, **wires, **inputs, **layer.dump(fields)})
    return specs, arrays


def load_network(path: Path) -> Network:
    """Read and check a model file; errors as of `load_model`."""
    return load_model(path)[0]


def load_model(path: Path) -> tuple[Network, Reference | None]:
    """Read and check a model file: its network, and what it knows of rows, if anything.

    Raises:
        OctetError: as `load_arrays`, or the arrays are not those that the header announces:
            a missing or surplus one, a wrong shape or dtype, NaN, a scale that is not positive,
            a zero point outside 0 … n, layers whose shapes do not meet or are too many or too
            wide to run, an integer layer whose sums could overflow, a summary of what is not there.
    """
    _refuse_onnx(path)
    header, arrays = load_arrays(path)
    if "layers" not in header:
        raise OctetError(f"{path}: a file of Octet's, but no model: its header has no layers")
    try:
        # Codes of few bits are several times as large in memory: what is refused never gets there.
        _read(FileArrays(arrays, look_only=True), header)
        return _read(FileArrays(arrays, look_only=False), header)
    except OctetError as error:
        raise OctetError(f"{path}: {error}") from None
    except _NOT_A_NETWORK as error:
        raise OctetError(f"{path}: the header does not describe a network ({error!r})") from None


def _refuse_onnx(path: Path) -> None:
    """Say what to do with an ONNX file; by its first bytes none of Octet's could be as long."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        if re.match(rb"\x08[\x01-\x20][\x12\x3a]", file.read(3)):
            raise OctetError(
                f"{path}: an ONNX file; `octet import {path} OUT.safetensors` makes a model file "
                "of it"
            )


def _read(file: FileArrays, header: Mapping[str, Any]) -> tuple[Network, Reference | None]:
    signature = load_signature(header)
    layers = read_layers(header["layers"], file, signature.shape)
    counted = header.get(_REFERENCE)
    reference = None if counted is None else load_reference(counted, file, signature)
    if file.unread:
        raise OctetError(f"holds arrays that no layer names: {', '.join(file.unread)}")
    if not layers:
        raise OctetError("a network of no layers")
    rounding = {
        layer: {key: number(value) for key, value in figures.items()}
        for layer, figures in header["rounding"].items()
    }
    network = Network(layers, signature, rounding, _provenance(header["provenance"]))
    if (numbers := most_numbers(network)) > _MOST_NUMBERS:
        raise OctetError(
            f"the layers hold {numbers} numbers of a row at once; allowed are {_MOST_NUMBERS}"
        )
    if isinstance(signature.outputs, Classes):
        count, shape = len(signature.outputs.classes), signals(network)[-1].shape
        if shape != (count,):
            raise OctetError(f"the last layer gives shape {shape}; {count} classes take ({count},)")
    if reference is not None:
        refuse_other_names(reference, network)
    return network, reference


@dataclass(frozen=True)
class Sizes:
    """Bytes of a model file, by what they hold.

    Attributes:
        floats: weights and biases in float.
        codes: weights and biases in codes, packed.
        scales: every scale and zero point, without which codes mean nothing.
        scaler: means and deviations of the features, float in every file.
        file: the whole file, header included, but for what `reference` counts.
        reference: what the file is longer by for what it knows of rows, which no prediction needs.
    """

    floats: int
    codes: int
    scales: int
    scaler: int
    file: int
    reference: int


def sizes(path: Path) -> Sizes:
    """What a model file spends its bytes on, read off the file. Errors as for `load_arrays`."""
    header, arrays = load_arrays(path)
    whole = without = path.stat().st_size
    if header.pop(_REFERENCE, None) is not None:
        others = {n: a for n, a in arrays.items() if not n.startswith(f"{_REFERENCE}.")}
        without = len(dump_arrays(header, others))
    return Sizes(
        floats=total(arrays, "weight", "bias"),
        codes=total(arrays, "codes"),
        scales=total(arrays, "scale", "zero_point"),
        scaler=total(arrays, "mean", "std"),
        file=without,
        reference=whole - without,
    )


def payload(network: Network) -> int:
    """The bytes that a file of the network would spend on floats, codes and scales."""
    _, arrays = _dump_layers(network)
    return total(arrays, "weight", "bias", "codes", "scale", "zero_point")


def total(arrays: Mapping[str, AnyArray], *kinds: str) -> int:
    """The bytes of the arrays of these kinds: what their names end in."""
    return sum(a.nbytes for name, a in arrays.items() if name.split(".")[-1] in kinds)


def _provenance(value: dict[str, Any]) -> dict[str, Any]:
    """What a file says of its origin: of any content, but JSON."""
    if not value.keys() <= {"data", "import", "params"} or not isinstance(
        value.get("data", ""), str
    ):
        raise ValueError("provenance: allowed are data, a string, import, and params")
    if not all(isinstance(group, dict) for group in value.get("params", {}).values()):
        raise ValueError("provenance: params: allowed are mappings")
    if not isinstance(value.get("import", {}), dict):
        raise TypeError("provenance: import: allowed is a mapping")
    json.dumps(value, allow_nan=False)
    return value
