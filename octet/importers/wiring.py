"""Layers as an importer finds them, each under the name of the tensor that it gives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from octet.errors import OctetError
from octet.layers import Layer, Signal, Standardize, Weighted
from octet.layers.reshape import Rearranging, Reshape
from octet.modelfile.reader import refuse_large
from octet.parameters import values
from octet.signature import Shape


@dataclass(frozen=True)
class Tensor:
    """What flows in the other format.

    Attributes:
        layer: the name of the layer that gives it.
        shape: of one row.
    """

    layer: str
    shape: Shape


class Layers:
    """Layers so far, by name, and the tensors that they give.

    Args:
        name: of the tensor that goes in.
        shape: of one row of it.
    """

    def __init__(self, name: str, shape: Shape) -> None:
        self._first = name
        self._layers: dict[str, Layer] = {}
        self._tensors = {name: Tensor(name, shape)}
        self._consumers: dict[str, int] = {}

    def tensor(self, name: str) -> Tensor:
        """The tensor of this name.

        Raises:
            OctetError: no layer gives it.
        """
        if name not in self._tensors:
            raise OctetError(f"tensor {name}: nothing before gives it")
        return self._tensors[name]

    def is_input(self, name: str) -> bool:
        """Whether this tensor is what goes into the network."""
        return self.tensor(name).layer == self._first

    def expect(self, consumers: dict[str, int]) -> None:
        """Say how many nodes take each tensor: what one alone takes may be merged into it."""
        self._consumers = consumers

    def add(self, result: str, layer: Layer, *taken: str) -> None:
        """A layer that takes these tensors and gives ``result``.

        Raises:
            OctetError: shapes do not meet, there is such a tensor, or it has too many numbers.
        """
        if result in self._tensors:
            raise OctetError(f"tensor {result}: a second one of this name")
        entering = [self.tensor(name) for name in taken]
        _refuse_infinite(layer)
        shape = layer.shape(*(tensor.shape for tensor in entering))
        refuse_large(layer, *(Signal(tensor.shape) for tensor in entering))
        inputs = tuple(tensor.layer for tensor in entering)
        if isinstance(layer, Rearranging):
            self._rearrange(result, inputs[0], shape)
            return
        self._layers[result] = replace(layer, name=result, inputs=inputs)
        self._tensors[result] = Tensor(result, shape)

    def alias(self, result: str, taken: str) -> None:
        """Another name of a tensor."""
        self._pass_on(result, self.tensor(taken))

    def only_source(self, name: str) -> Layer | None:
        """The layer that gives this tensor, if one node alone takes what it gives."""
        layer = self.tensor(name).layer
        return self._layers.get(layer) if self._consumers.get(layer, 0) == 1 else None

    def merge(self, result: str, taken: str, layer: Layer) -> None:
        """Let ``layer`` stand in place of the one that gave ``taken``, and give ``result`` too."""
        _refuse_infinite(layer)
        tensor = self.tensor(taken)
        inputs = self._layers[tensor.layer].inputs
        self._layers[tensor.layer] = replace(layer, name=tensor.layer, inputs=inputs)
        self._pass_on(result, tensor)

    def _rearrange(self, result: str, taken: str, shape: Shape) -> None:
        """Reshape; of several, one behind the other, the last alone; nothing, if it was so."""
        source = taken
        while isinstance(layer := self._layers.get(source), Rearranging):
            (source,) = layer.inputs
        if self._tensors[source].shape == shape:
            self._pass_on(result, Tensor(source, shape), directly=source == taken)
            return
        self._layers[result] = replace(Reshape(shape), name=result, inputs=(source,))
        self._tensors[result] = Tensor(result, shape)

    def _pass_on(self, result: str, tensor: Tensor, directly: bool = True) -> None:
        """Who takes ``result`` takes this tensor; what took it ``directly`` till now is no more."""
        self._tensors[result] = tensor
        count = self._consumers.get(tensor.layer, 0) + self._consumers.get(result, 0)
        self._consumers[tensor.layer] = count - directly

    def finish(self, last: str) -> tuple[Layer, ...]:
        """The layers that the last tensor needs, with names where they are needed."""
        needed = self._needed(self.tensor(last).layer)
        order = [name for name in self._layers if name in needed]
        named = {
            source
            for i, name in enumerate(order)
            for source in self._layers[name].inputs
            if len(self._layers[name].inputs) > 1 or source != (order[i - 1] if i else self._first)
        }
        words = {name: f"{place}" for place, name in enumerate(order)} | {self._first: "input"}
        return tuple(self._shortened(name, named, words) for name in order)

    def _needed(self, last: str) -> set[str]:
        needed: set[str] = set()
        waiting = [last]
        while waiting:
            name = waiting.pop()
            if name in self._layers and name not in needed:
                needed.add(name)
                waiting += self._layers[name].inputs
        return needed

    def _shortened(self, name: str, named: set[str], words: dict[str, str]) -> Layer:
        layer = self._layers[name]
        chained = len(layer.inputs) == 1 and layer.inputs[0] not in named
        inputs: Sequence[str] = () if chained else [words[source] for source in layer.inputs]
        return replace(layer, name=words[name] if name in named else "", inputs=tuple(inputs))


def _refuse_infinite(layer: Layer) -> None:
    """Raise an OctetError if what was folded into a layer is more than its numbers hold."""
    if isinstance(layer, Weighted) and not all(
        np.all(np.isfinite(values(parameter))) for parameter in (layer.weight, layer.bias)
    ):
        raise OctetError("its weights, with what is folded in, are more than float32 holds")
    if isinstance(layer, Standardize) and not (
        np.all(np.isfinite(layer.mean)) and np.all(np.isfinite(layer.std) & (layer.std > 0))
    ):
        raise OctetError("scales by more than float64 holds, with what is folded in")
