"""Put a network's activations on grids, by what its layers give on some training rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from octet.affine import Grid
from octet.errors import OctetError
from octet.layers import Dequantize, Gridded, Layer, Quantize, Standardize
from octet.network import INPUT, Network, flow, gives_probabilities, label, sources
from octet.quantizer.config import Calibration
from octet.quantizer.histogram import Histogram
from octet.quantizer.spool import batches
from octet.runtime import floating
from octet.signature import Input

# How many rows show what activations do, where nobody says.
_ENOUGH = 1000


def pick(rows: Input, calibration: Calibration) -> Input:
    """The calibration rows among those that there are.

    Raises:
        OctetError: more are asked for than there are.
    """
    wanted = min(_ENOUGH, len(rows)) if calibration.rows is None else calibration.rows
    if wanted > len(rows):
        raise OctetError(
            f"quant.calibration: got {wanted} rows to take; allowed are 1 to {len(rows)}, the "
            "number of training rows"
        )
    order = np.random.default_rng(calibration.seed).permutation(len(rows))
    return rows[np.sort(order[:wanted])]


def integer_part(network: Network) -> tuple[int, int]:
    """Where the layers of a float network begin and end that are to compute in integers."""
    start = int(isinstance(network.layers[0], Standardize))
    return start, len(network.layers) - gives_probabilities(network)


def refuse_float_only(network: Network) -> None:
    """Raise an OctetError if a layer that would have to compute in integers cannot."""
    start, stop = integer_part(network)
    for i, layer in enumerate(network.layers[start:stop], start):
        if type(layer).codes is Layer.codes:
            raise OctetError(
                f"layer {label(network.layers, i)}: got a {layer.kind} among integer layers, which "
                "has no form in integers: leave it out, or set quant.activations: none"
            )


def with_grids(network: Network, rows: Input, calibration: Calibration) -> Network:
    """The network with its activations on uint8 grids, its weights still in float.

    A `Quantize` goes behind the scaler, which is the first layer if there is one, and a
    `Dequantize` in front of a last layer that makes probabilities. Where a layer is clipped, by
    ReLU say, and needed by nobody else, its grid spans what is left: it begins at 0, and the clip
    of the integers is the ReLU.

    Args:
        network: in float.
        rows: for calibration; they pass in small batches, so memory does not grow with them.
        calibration: how to choose the range.

    Raises:
        OctetError: a layer saw no data, or takes the input as it was before it was scaled.
    """
    layers, (start, stop) = network.layers, integer_part(network)
    gridded = [i for i, layer in enumerate(layers[:stop]) if isinstance(layer, Gridded)]
    points = {start - 1: Histogram()} | {_shown_at(layers, i): Histogram() for i in gridded}
    # The extremes of all, and, where more than those matter, how often there was what between.
    passes = 1 if calibration.range == "minmax" else 2
    for note in (Histogram.widen, Histogram.count)[:passes]:
        for batch in batches(rows):
            if not start:
                note(points[-1], batch)
            for i, activations in flow(layers[:stop], batch, floating.step):
                if i in points:
                    note(points[i], activations)
    entry = points[start - 1].grid(calibration.range, "the input")
    grids = {
        i: points[_shown_at(layers, i)].grid(calibration.range, f"layer {label(layers, i)}")
        for i in gridded
    }
    on_grids = [
        replace(layer, output=grids[i]) if isinstance(layer, Gridded) and i in grids else layer
        for i, layer in enumerate(layers)
    ]
    return replace(network, layers=_between(on_grids, start, stop, entry))


def _shown_at(layers: Sequence[Layer], i: int) -> int:
    """The layer whose outputs are what the grid of layer i has to hold: i, or what clips it."""
    taken = sources(layers)
    consumers = Counter(place for places in taken for place in set(places))
    while consumers[i] == 1:
        (only,) = (j for j, places in enumerate(taken) if i in places)
        if not layers[only].narrows:
            break
        i = only
    return i


def _between(layers: Sequence[Layer], start: int, stop: int, entry: Grid) -> tuple[Layer, ...]:
    """The layers with a Quantize before ``start``, and a Dequantize before ``stop`` if it is one.

    What took the input, or the scaler, by its name takes the codes instead.
    """
    head, body, tail = list(layers[:start]), list(layers[start:stop]), list(layers[stop:])
    name, quantize = INPUT, Quantize(entry)
    if head:
        name, head = head[0].name, [replace(head[0], name="")]
        if any(INPUT in layer.inputs for layer in (*body, *tail)):
            raise OctetError(
                "a layer takes the input by its name, as it was before it was scaled; among "
                "integer layers it cannot: let it take the scaler's output"
            )
        quantize = replace(quantize, name=name)
    elif any(INPUT in layer.inputs for layer in body):
        ours = _unused(layers)
        quantize = replace(quantize, name=ours)
        body = [
            replace(layer, inputs=tuple(ours if each == INPUT else each for each in layer.inputs))
            for layer in body
        ]
    if tail:
        tail = [Dequantize(inputs=tail[0].inputs), replace(tail[0], inputs=())]
    return (*head, quantize, *body, *tail)


def _unused(layers: Sequence[Layer]) -> str:
    """A name that no layer has."""
    name = "quantized"
    while any(layer.name == name for layer in layers):
        name += "_"
    return name
