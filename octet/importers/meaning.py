"""Layers from elsewhere and what their inputs and outputs mean, as one network.

A network that tells two classes apart often has one output: the logit of the second class, or its
probability. Octet's have an output for each class. So a last layer of one logit z becomes one of
-z/2 and z/2, of which softmax makes the same probabilities.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Layer, Linear, Sigmoid, Softmax
from octet.modelfile import signatures
from octet.network import Network, gives_probabilities, signals
from octet.parameters import values
from octet.signature import Numbers, Shape, Signature


def network_for(layers: Sequence[Layer], shape: Shape, signature: Signature) -> Network:
    """A network of these layers with this meaning.

    Args:
        layers: as an importer found them, in float.
        shape: of one row that goes into the first.
        signature: what its rows and outputs are.

    Raises:
        OctetError: the layers take or give another shape than the signature has, or a name in it
            is none that a model file may have.
    """
    _refuse_unreadable(signature)
    if shape != signature.shape:
        raise OctetError(
            f"takes rows of shape {shape}; the data has {signature.shape}: give the network rows "
            "of the data's shape, or reshape the data"
        )
    network = Network(tuple(layers), signature)
    leaving = signals(network)[-1].shape
    if isinstance(signature.outputs, Numbers):
        if leaving != (1,):
            raise OctetError(f"gives shape {leaving}; a number takes one output, (1,)")
        return network
    count = len(signature.outputs.classes)
    if leaving == (1,) and count == 2 and _one_logit(layers):
        return replace(network, layers=_for_two_classes(layers))
    if leaving != (count,):
        raise OctetError(
            f"gives shape {leaving}; {count} classes take ({count},), a logit or a probability "
            "for each"
        )
    return network


def _refuse_unreadable(signature: Signature) -> None:
    """Raise an OctetError for what would be written, and refused where it is read."""
    try:
        signatures.load_signature(json.loads(json.dumps(signatures.dump_signature(signature))))
    except (TypeError, ValueError) as error:
        raise OctetError(f"{error}") from None


def as_the_network_gives(outputs: Array, network: Network) -> Array:
    """What the layers from elsewhere gave ``(rows, …)``, as the network of `network_for` gives it.

    Args:
        outputs: of the layers.
        network: made of them.
    """
    flat = outputs.reshape(len(outputs), -1)
    if isinstance(network.signature.outputs, Numbers) or flat.shape[1] > 1:
        return flat
    return np.hstack([1 - flat, flat] if gives_probabilities(network) else [-flat / 2, flat / 2])


def _one_logit(layers: Sequence[Layer]) -> bool:
    """Whether the last layer but for a sigmoid is a sum that nothing else takes."""
    return isinstance(layers[_last_sum(layers)], Linear)


def _last_sum(layers: Sequence[Layer]) -> int:
    return -2 if isinstance(layers[-1], Sigmoid) and len(layers) > 1 else -1


def _for_two_classes(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers with two logits in place of one; softmax in place of a sigmoid."""
    place = _last_sum(layers)
    linear, before = layers[place], layers[:place]
    tail = (Softmax(),) if place == -2 else ()
    return (*before, two_logits(linear), *tail) if isinstance(linear, Linear) else (*layers,)


def two_logits(one: Linear) -> Linear:
    """Of a layer that gives z, in float, one that gives -z/2 and z/2."""
    halves = (values(parameter) / 2 for parameter in (one.weight, one.bias))
    weight, bias = (np.concatenate([-half, half]).astype(np.float32) for half in halves)
    return replace(one, weight=weight, bias=bias)
