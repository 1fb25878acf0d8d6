"""Quantize a network layer by layer, each on the inputs that it sees in training."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from octet.affine import Array, Grid, refuse_not_finite
from octet.errors import OctetError
from octet.layers import GlobalAveragePool, Layer, Quantize, Weighted
from octet.network import Network, label
from octet.parameters import shape_of
from octet.quantizer import calibration
from octet.quantizer.hessian import Moments, second_moments
from octet.quantizer.layer import Figures, for_integers, parameters, weights_only
from octet.quantizer.spool import Spool
from octet.runtime import floating
from octet.signature import Images, Input
from stages.params.quant import Quant


def quantize_network(network: Network, x: Input, quant: Quant) -> Network:
    """The network with its weights and biases in codes; scalers stay as they are.

    Integer layers are quantized one after the other: each sees what those before it, in codes,
    give, and makes good what it can of their errors. What is known of the rounding of each layer
    is in ``rounding`` of the result.

    Args:
        network: in float.
        x: training rows, ``(rows, …)``.
        quant: how; ``bits`` at most 16.

    Raises:
        OctetError: see `octet.quantizer.layer`; a layer saw no data or too large numbers; or
            the network is quantized already.
    """
    _refuse_unusable(network, x)
    if quant.activations == "none":
        return quantize_apart(network, x, quant, (quant.bits,))[quant.bits]
    return quantize_coded(*with_grids(network, x, quant), quant)


def with_grids(network: Network, x: Input, quant: Quant) -> tuple[Network, Input]:
    """The network with its activations on grids, and the rows that the grids are taken from."""
    rows = calibration.pick(x, quant.calibration)
    return calibration.with_grids(network, rows, quant.calibration), rows


def quantize_coded(coded: Network, rows: Input, quant: Quant) -> Network:
    """What `quantize_network` does once activations are on grids, which no width changes.

    Args:
        coded: with its activations on grids, its weights in float.
        rows: the calibration rows.
        quant: how; activations are uint8.

    Raises:
        OctetError: see `octet.quantizer.layer`.
    """
    found: dict[str, Figures] = {}

    def quantize(i: int, layer: Weighted, seen: Moments, entering: Grid) -> Weighted:
        name = label(coded.layers, i)
        made, found[name] = for_integers(layer, seen, entering, quant, name)
        return made

    return replace(coded, layers=_walk(coded, rows, quantize), rounding=found)


def quantize_apart(
    network: Network, x: Input, quant: Quant, widths: Sequence[int]
) -> dict[int, Network]:
    """Each layer quantized as if it were the only one: what it costs by itself.

    Args:
        network: in float.
        x: training rows, ``(rows, …)``.
        quant: how, but for ``bits``.
        widths: one network for each of these, in bits.

    Raises:
        OctetError: as `quantize_network`.
    """
    _refuse_unusable(network, x)
    at_widths = {bits: quant.model_copy(update={"bits": bits}) for bits in widths}
    if quant.activations == "none" and not isinstance(network.signature.inputs, Images):
        floats = x.astype(np.float64)
        return {bits: _on_floats(network, floats, each) for bits, each in at_widths.items()}
    coded, rows = with_grids(network, x, quant)
    seen: dict[int, Moments] = {}

    def keep(i: int, layer: Weighted, moments: Moments, _: Grid) -> Weighted:
        seen[i] = moments
        return layer

    _walk(coded, rows, keep)
    return {bits: _apart(coded, seen, each) for bits, each in at_widths.items()}


def _apart(coded: Network, seen: Mapping[int, Moments], quant: Quant) -> Network:
    layers = list(coded.layers)
    found: dict[str, Figures] = {}
    for i, layer, entering in _weighted(coded):
        name = label(layers, i)
        if quant.activations == "uint8":
            layers[i], found[name] = for_integers(layer, seen[i], entering, quant, name)
        else:
            hessian = seen[i].hessian(float(entering.scale))
            layers[i], found[name] = weights_only(layer, hessian, quant, name)
    kept = layers if quant.activations == "uint8" else _in_float(layers)
    return replace(coded, layers=tuple(kept), rounding=found)


def _refuse_unusable(network: Network, x: Input) -> None:
    if network.rounding:
        raise OctetError("the float network is quantized already: run the train stage again")
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted):
            parameters(layer, label(network.layers, i))
    floating.refuse_input(network, x)


def _on_floats(network: Network, x: Array, quant: Quant) -> Network:
    """Weights only, on inputs as they are: the few of a table."""
    layers = list(network.layers)
    found: dict[str, Figures] = {}
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted):
            inputs = floating.through(network.layers[:i], x)
            name = label(layers, i)
            hessian = _second_moments(inputs, name)
            layers[i], found[name] = weights_only(layer, hessian, quant, name)
    return replace(network, layers=tuple(layers), rounding=found)


def _weighted(network: Network) -> Iterator[tuple[int, Weighted, Grid]]:
    """Each layer with weights, its index, and the grid of what enters it."""
    grid: Grid | None = None
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted) and grid is not None:
            yield i, layer, grid
        if isinstance(layer, Quantize):
            grid = layer.grid
        elif isinstance(layer, Weighted | GlobalAveragePool):
            grid = layer.output


def _walk(
    coded: Network, rows: Input, quantize: Callable[[int, Weighted, Moments, Grid], Weighted]
) -> tuple[Layer, ...]:
    """Put one layer after the other through ``quantize``; each sees what those before it give then.

    Args:
        coded: with its activations on grids, its weights in float.
        rows: the calibration rows.
        quantize: from the index of a layer, the layer, moments of what it sees and should give,
            and the grid of what it sees, to what stands in its place.
    """
    layers = list(coded.layers)
    seen, wanted = Spool(rows), Spool(rows)
    last = done = 0
    for i, layer, entering in _weighted(coded):
        seen.advance(layers[last:i])
        wanted.advance(_in_float(layers[done : i + 1]))
        moments = _moments(layer, zip(seen, wanted, strict=True), entering)
        layers[i] = quantize(i, layer, moments, entering)
        last, done = i, i + 1
    return tuple(layers)


def _moments(layer: Weighted, pairs: Iterable[tuple[Array, Array]], entering: Grid) -> Moments:
    """Moments of what enters a layer and what it should give, in steps of the entering grid."""
    shape = shape_of(layer.weight)
    moments = Moments(math.prod(shape[1:]), shape[0])
    for x, y in pairs:
        steps = np.rint(x / entering.scale.astype(np.float64))
        moments.add(_as_columns(layer.patches(steps)[:, 0]), _as_columns(y))
    return moments


def _as_columns(x: Array) -> Array:
    """``(rows, channels, …)`` to ``(channels, rows · …)``."""
    return x.swapaxes(0, 1).reshape(x.shape[1], -1)


def _second_moments(inputs: Array, name: str) -> Array:
    refuse_not_finite(inputs, f"layer {name}: inputs")
    with np.errstate(over="ignore", invalid="ignore"):
        hessian = second_moments(inputs)
    if not np.all(np.isfinite(hessian)):
        raise OctetError(
            f"layer {name}: inputs: got up to {np.max(np.abs(inputs)):g}; allowed is what can be "
            "squared and summed: rescale the features"
        )
    return hessian


def _in_float(layers: Sequence[Layer]) -> list[Layer]:
    """The layers without the grids of their activations."""
    return [
        replace(layer, output=None) if isinstance(layer, Weighted | GlobalAveragePool) else layer
        for layer in layers
        if not isinstance(layer, Quantize)
    ]
