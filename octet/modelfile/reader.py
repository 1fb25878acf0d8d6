"""Layers from the header and the arrays of a model file: each is checked before it is used."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from octet.errors import OctetError
from octet.layers import KINDS, Layer, Signal
from octet.modelfile.fields import FieldReader, FileArrays
from octet.network import Wiring, of_layer
from octet.signature import Shape

_MOST_LAYERS = 1000
# Numbers that a layer holds at once for one row: some 20 times or more what MNIST takes.
_LARGEST_LAYER = 2**22


def read_layers(specs: Any, file: FileArrays, shape: Shape) -> tuple[Layer, ...]:
    """The layers that a header announces.

    Args:
        specs: what the header says of each.
        file: the arrays.
        shape: of one row that goes into the network.

    Raises:
        OctetError, LookupError, TypeError, ValueError: something is not what it should be.
    """
    if not isinstance(specs, list) or len(specs) > _MOST_LAYERS:
        raise ValueError(f"layers: allowed is a list of up to {_MOST_LAYERS}")
    wiring, layers, leaving = Wiring(), list[Layer](), list[Signal]()
    for i, spec in enumerate(specs):
        if spec["kind"] not in KINDS:
            allowed = ", ".join(KINDS)
            raise OctetError(f"layer {i}: got kind {spec['kind']!r}; allowed are {allowed}")
        kind, name, inputs = KINDS[spec["kind"]], *_wires(spec)
        with of_layer(i, kind.kind):
            taken = wiring.take(kind.arity, name, inputs)
            entering = [leaving[j] if j >= 0 else Signal(shape) for j in taken]
            layer = kind.load(spec, FieldReader(str(i), file), *entering)
            refuse_large(layer, *entering)
            leaving.append(layer.signal(*entering))
        layers.append(replace(layer, name=name, inputs=inputs))
    return tuple(layers)


def _wires(spec: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    name, inputs = spec.get("name", ""), spec.get("inputs", [])
    if not isinstance(inputs, list) or not all(isinstance(each, str) for each in [name, *inputs]):
        raise TypeError("name and inputs of a layer must be strings")
    return name, tuple(inputs)


def refuse_large(layer: Layer, *entering: Signal) -> None:
    """Raise an OctetError if a layer holds more numbers at once than ours have memory for."""
    numbers = layer.numbers(*(signal.shape for signal in entering))
    if numbers > _LARGEST_LAYER:
        raise OctetError(f"{numbers} numbers at once; allowed are {_LARGEST_LAYER}")
