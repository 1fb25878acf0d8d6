"""A network: layers, each with what it takes from which, and what goes in and comes out.

Mostly a layer takes what the one before it gives. Where a network has branches, a layer that is
needed further on has a name, and those that take it say so in ``inputs``.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from octet.errors import OctetError
from octet.layers import Dequantize, Layer, Quantize, Sigmoid, Signal, Softmax, Weighted
from octet.parameters import Int32, Quantized
from octet.signature import Signature

T = TypeVar("T")

INPUT = "input"  # the name of what goes into a network


@dataclass(frozen=True)
class Network:
    """Layers in order, their meaning, and what is known of how they came to be.

    ``rounding`` is what the quantizer knows of the codes of each layer, by its `label`: their error
    at the outputs and what was proven of it (see `octet.quantizer.layer`). Empty in float.
    ``provenance`` says of what it was made: ``data``, the MD5 of the data file as in dvc.lock, and
    ``params``, the parameters of which the layers do not tell; ``import``, what was measured when
    it came from another format. (Of the revision of the code see `octet.provenance`.)
    """

    layers: tuple[Layer, ...]
    signature: Signature
    rounding: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def label(layers: Sequence[Layer], i: int) -> str:
    """What to call a layer: its place in the float network, and its kind."""
    place = sum(not isinstance(layer, Quantize | Dequantize) for layer in layers[:i])
    return f"{place}_{layers[i].kind}"


def in_codes(network: Network) -> bool:
    """Whether anything of it is in codes: what flows through it, or weights or a bias alone."""
    return any(
        any(isinstance(each, Quantized | Int32) for each in (layer.weight, layer.bias))
        if isinstance(layer, Weighted)
        else isinstance(layer, Quantize)
        for layer in network.layers
    )


class Wiring:
    """Which layers take the outputs of which, as one layer after the other is told.

    Places are indices of layers; -1 is what goes into the first, which can be taken by its name,
    `INPUT`, unless ``input_named`` is False.
    """

    def __init__(self, input_named: bool = True) -> None:
        self._places = {INPUT: -1} if input_named else {}
        self._count = 0

    def take(self, arity: int, name: str, inputs: Sequence[str]) -> tuple[int, ...]:
        """The places of what the next layer takes.

        Args:
            arity: how many layers it takes the outputs of.
            name: its own, or empty.
            inputs: the names of those layers; empty for the one before.

        Raises:
            OctetError: a name that no layer before has, or the layer's own once more; or another
                number of inputs than its kind takes.
        """
        if unknown := [each for each in inputs if each not in self._places]:
            raise OctetError(
                f"inputs: got {unknown[0]!r}; allowed are the names of what is before it: "
                f"{', '.join(self._places) or 'none has one'}"
            )
        taken = tuple(self._places[each] for each in inputs) or (self._count - 1,)
        if len(taken) != arity:
            raise OctetError(f"inputs: got {len(taken)}; it takes {arity}")
        if name == INPUT or name in self._places:
            raise OctetError(f"name: got {name!r}, which is taken; choose another")
        if name:
            self._places[name] = self._count
        self._count += 1
        return taken


def sources(layers: Sequence[Layer]) -> list[tuple[int, ...]]:
    """For each layer, the places of what it takes; errors as `Wiring.take`, of the layer."""
    return [*_sources(tuple((each.kind, each.arity, each.name, each.inputs) for each in layers))]


@lru_cache
def _sources(layers: tuple[tuple[str, int, str, tuple[str, ...]], ...]) -> list[tuple[int, ...]]:
    wiring, places = Wiring(), list[tuple[int, ...]]()
    for i, (kind, arity, name, inputs) in enumerate(layers):
        with of_layer(i, kind):
            places.append(wiring.take(arity, name, inputs))
    return places


@contextmanager
def of_layer(i: int, kind: str) -> Iterator[None]:
    """Say of which layer it is what goes wrong inside."""
    try:
        yield
    except OctetError as error:
        raise OctetError(f"layer {i} ({kind}): {error}") from None


def flow(layers: Sequence[Layer], first: T, step: Callable[..., T]) -> Iterator[tuple[int, T]]:
    """The index of each layer and what comes out of it, in order.

    Args:
        layers: a network's, or the first of them.
        first: what goes in.
        step: of a layer and of what goes into it, what comes out.
    """
    taken = sources(layers)
    # What no layer needs any more is let go: memory holds what is alive.
    last = _last_uses(taken)
    alive = {-1: first}
    for i, layer in enumerate(layers):
        alive[i] = step(layer, *(alive[source] for source in taken[i]))
        for source in set(taken[i]):
            if last[source] == i:
                del alive[source]
        yield i, alive[i] if i in last else alive.pop(i)


def signals(network: Network) -> list[Signal]:
    """What comes out of each layer: shape of one row, and grid of its codes.

    Raises:
        OctetError: shapes do not meet; the layer is named.
    """
    leaving: list[Signal] = []
    for i, (layer, taken) in enumerate(zip(network.layers, sources(network.layers), strict=True)):
        entering = [leaving[j] if j >= 0 else Signal(network.signature.shape) for j in taken]
        with of_layer(i, layer.kind):
            leaving.append(layer.signal(*entering))
    return leaving


def most_numbers(network: Network) -> int:
    """How many numbers of one row are in memory at once, where they are most.

    They are those that a layer holds, and those that wait for it or for layers further on.
    """
    taken = sources(network.layers)
    shapes = {-1: network.signature.shape}
    shapes |= {i: signal.shape for i, signal in enumerate(signals(network))}
    sizes = {place: math.prod(shape) for place, shape in shapes.items()}
    last, waiting, most = _last_uses(taken), [-1], sizes[-1]
    for i, layer in enumerate(network.layers):
        held = layer.numbers(*(shapes[j] for j in taken[i]))
        most = max(most, held + sum(sizes[j] for j in waiting))
        waiting = [j for j in (*waiting, i) if last.get(j, -1) > i]
    return most


def _last_uses(taken: Sequence[tuple[int, ...]]) -> dict[int, int]:
    """Of each place that is taken, the last layer that takes it."""
    return {source: i for i, places in enumerate(taken) for source in places}


def gives_probabilities(network: Network) -> bool:
    """Whether the outputs are probabilities of classes; else they are logits, or numbers."""
    return isinstance(network.layers[-1], Softmax | Sigmoid)
