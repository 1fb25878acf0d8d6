"""A network: the layers in the order in which data flows, and what goes in and comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from octet.layers import Layer, Quantize
from octet.signature import Signature


@dataclass(frozen=True)
class Network:
    """Layers in order, their meaning, and what is known of how they came to be.

    ``rounding`` is what the quantizer knows of the codes of each layer, by its `label`: their error
    at the outputs and what was proven of it (see `octet.quantizer.layer`). Empty in float.
    ``provenance`` says of what it was made: ``data``, the MD5 of the data file as in dvc.lock, and
    ``params``, the parameters of which the layers do not tell. (Of the revision of the code see
    `octet.provenance`.)
    """

    layers: tuple[Layer, ...]
    signature: Signature
    rounding: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def label(layers: Sequence[Layer], i: int) -> str:
    """What to call a layer: its place in the float network, and its kind."""
    place = sum(not isinstance(layer, Quantize) for layer in layers[:i])
    return f"{place}_{type(layers[i]).__name__.lower()}"
