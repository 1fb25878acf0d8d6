"""Quantize a network layer by layer, each on the inputs that it sees in training."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from octet.affine import Array, Grid, refuse_not_finite
from octet.errors import OctetError
from octet.layers import GlobalAveragePool, Layer, Quantize, Weighted
from octet.network import Network, label
from octet.parameters import shape_of
from octet.quantizer import calibration
from octet.quantizer.config import Calibration, Config
from octet.quantizer.hessian import Moments, second_moments
from octet.quantizer.layer import RoundingReport, for_integers, parameters, weights_only
from octet.quantizer.spool import Spool
from octet.runtime import floating
from octet.signature import Images, Input


@dataclass(frozen=True)
class Calibrated:
    """A network whose activations are on grids, which no width of its weights changes.

    Attributes:
        network: its weights still in float.
        rows: those that the grids were taken from.
    """

    network: Network
    rows: Input


def quantize(network: Network, rows: Input, config: Config) -> Network:
    """The network with its weights and biases in codes; scalers stay as they are.

    Integer layers are quantized one after the other: each sees what those before it, in codes,
    give, and makes good what it can of their errors. What is known of the rounding of each layer
    is in ``rounding`` of the result.

    Args:
        network: in float.
        rows: of the training data, ``(rows, …)``.
        config: how.

    Raises:
        OctetError: see `octet.quantizer.layer`; a layer saw no data or too large numbers; or
            the network is quantized already.
    """
    _refuse_unusable(network, rows)
    if config.activations == "none":
        return quantize_apart(network, rows, config, (config.bits,))[config.bits]
    return quantize_calibrated(calibrate(network, rows, config.calibration), config)


def calibrate(network: Network, rows: Input, how: Calibration) -> Calibrated:
    """Take the grids of a float network's activations from some of the rows."""
    picked = calibration.pick(rows, how)
    return Calibrated(calibration.with_grids(network, picked, how), picked)


def quantize_calibrated(calibrated: Calibrated, config: Config) -> Network:
    """What `quantize` does once activations are on grids.

    Args:
        calibrated: by `calibrate`.
        config: how; activations are uint8.

    Raises:
        OctetError: see `octet.quantizer.layer`.
    """
    layers = calibrated.network.layers
    reports: dict[str, RoundingReport] = {}

    def in_codes(i: int, layer: Weighted, moments: Moments, entering: Grid) -> Weighted:
        name = label(layers, i)
        layer, reports[name] = for_integers(layer, moments, entering, config, name)
        return layer

    return replace(calibrated.network, layers=_walk(calibrated, in_codes), rounding=reports)


def quantize_apart(
    network: Network, rows: Input, config: Config, widths: Sequence[int]
) -> dict[int, Network]:
    """Each layer quantized as if it were the only one: what it costs by itself.

    Args:
        network: in float.
        rows: of the training data, ``(rows, …)``.
        config: how, but for ``bits``.
        widths: one network for each of these, in bits.

    Raises:
        OctetError: as `quantize`.
    """
    _refuse_unusable(network, rows)
    at_widths = {bits: replace(config, bits=bits) for bits in widths}
    if config.activations == "none" and not isinstance(network.signature.inputs, Images):
        floats = rows.astype(np.float64)
        return {bits: _on_floats(network, floats, each) for bits, each in at_widths.items()}
    calibrated = calibrate(network, rows, config.calibration)
    moments_of: dict[int, Moments] = {}

    def keep(i: int, layer: Weighted, moments: Moments, _: Grid) -> Weighted:
        moments_of[i] = moments
        return layer

    _walk(calibrated, keep)
    return {bits: _apart(calibrated.network, moments_of, each) for bits, each in at_widths.items()}


def _apart(network: Network, moments_of: Mapping[int, Moments], config: Config) -> Network:
    """A calibrated network with each layer quantized by the moments of what it sees in float."""
    layers = list(network.layers)
    reports: dict[str, RoundingReport] = {}
    for i, layer, entering in _weighted(network):
        name, moments = label(layers, i), moments_of[i]
        if config.activations == "uint8":
            layers[i], reports[name] = for_integers(layer, moments, entering, config, name)
        else:
            hessian = moments.hessian(float(entering.scale))
            layers[i], reports[name] = weights_only(layer, hessian, config, name)
    kept = layers if config.activations == "uint8" else _in_float(layers)
    return replace(network, layers=tuple(kept), rounding=reports)


def _refuse_unusable(network: Network, x: Input) -> None:
    if network.rounding:
        raise OctetError("the float network is quantized already: run the train stage again")
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted):
            parameters(layer, label(network.layers, i))
    floating.refuse_input(network, x)


def _on_floats(network: Network, x: Array, config: Config) -> Network:
    """Weights only, on inputs as they are: the few of a table."""
    layers = list(network.layers)
    reports: dict[str, RoundingReport] = {}
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted):
            inputs = floating.through(network.layers[:i], x)
            name = label(layers, i)
            hessian = _second_moments(inputs, name)
            layers[i], reports[name] = weights_only(layer, hessian, config, name)
    return replace(network, layers=tuple(layers), rounding=reports)


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
    calibrated: Calibrated, in_codes: Callable[[int, Weighted, Moments, Grid], Weighted]
) -> tuple[Layer, ...]:
    """Put one layer after the other through ``in_codes``; each sees what those before it give then.

    Args:
        calibrated: by `calibrate`.
        in_codes: from the index of a layer, the layer, moments of what it sees and should give,
            and the grid of what it sees, to what stands in its place.
    """
    layers = list(calibrated.network.layers)
    entered, wanted = Spool(calibrated.rows), Spool(calibrated.rows)
    last = done = 0
    for i, layer, entering in _weighted(calibrated.network):
        entered.advance(layers[last:i])
        wanted.advance(_in_float(layers[done : i + 1]))
        moments = _moments(layer, zip(entered, wanted, strict=True), entering)
        layers[i] = in_codes(i, layer, moments, entering)
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
