"""Quantize a network layer by layer, each on the inputs that it sees in training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from octet.affine import Grid
from octet.errors import OctetError
from octet.layers import Dequantize, Quantize, Weighted
from octet.network import Network, label
from octet.quantizer import calibration
from octet.quantizer.config import Calibration, Config
from octet.quantizer.hessian import Hessians, Moments
from octet.quantizer.layer import (
    RoundingReport,
    for_integers,
    parameters,
    regressed,
    weights_only,
)
from octet.quantizer.walk import Treatment, hessians, walk
from octet.runtime import floating, integer
from octet.signature import Columns, Input

OnLayer = Callable[[str], None]


def _silent(_: str) -> None:
    """The library says nothing by itself."""


@dataclass(frozen=True)
class Calibrated:
    """A network whose activations are on grids, which no width of its weights changes.

    Attributes:
        network: its weights still in float.
        rows: those that the grids were taken from.
    """

    network: Network
    rows: Input


def quantize(network: Network, rows: Input, config: Config, on_layer: OnLayer = _silent) -> Network:
    """The network with its weights and biases in codes; scalers stay as they are.

    Integer layers are quantized one after the other: each sees what those before it, in codes,
    give, and makes good what it can of their errors. What is known of the rounding of each layer
    is in ``rounding`` of the result.

    Args:
        network: in float.
        rows: of the training data, ``(rows, …)``.
        config: how.
        on_layer: told the label of each layer when its turn comes.

    Raises:
        OctetError: see `octet.quantizer.layer`; a layer saw no data or too large numbers; or
            the network is quantized already.
    """
    _refuse_unusable(network, rows, config)
    if config.activations == "none":
        return quantize_apart(network, rows, config, (config.bits,), on_layer)[config.bits]
    (quantized,) = quantize_calibrated(
        calibrate(network, rows, config.calibration), [config], on_layer
    )
    return quantized


def calibrate(network: Network, rows: Input, how: Calibration) -> Calibrated:
    """Take the grids of a float network's activations from some of the rows."""
    picked = calibration.pick(rows, how)
    return Calibrated(calibration.with_grids(network, picked, how), picked)


def quantize_calibrated(
    calibrated: Calibrated, configs: Sequence[Config], on_layer: OnLayer = _silent
) -> list[Network]:
    """What `quantize` does once activations are on grids, in several ways.

    They come faster together than apart: what a layer should give is computed once for all.

    Args:
        calibrated: by `calibrate`.
        configs: how; activations are uint8.
        on_layer: as of `quantize`; a layer has its turn in all ways before the next one has.

    Raises:
        OctetError: see `octet.quantizer.layer`; what is wrong in one way ends all.
    """
    network = calibrated.network
    reports: list[dict[str, RoundingReport]] = [{} for _ in configs]

    def treatment(config: Config, report: dict[str, RoundingReport]) -> Treatment:
        def in_codes(layer: Weighted, i: int, moments: list[Moments], entering: Grid) -> Weighted:
            name = label(network.layers, i)
            on_layer(name)
            layer, report[name] = for_integers(layer, moments, entering, config, name)
            return layer

        return in_codes

    treatments = [treatment(*each) for each in zip(configs, reports, strict=True)]
    with_targets = any(map(regressed, configs))
    several = walk(network, calibrated.rows, treatments, integer.step, with_targets)
    return [
        replace(network, layers=layers, rounding=report)
        for layers, report in zip(several, reports, strict=True)
    ]


def quantize_apart(
    network: Network,
    rows: Input,
    config: Config,
    widths: Sequence[int],
    on_layer: OnLayer = _silent,
) -> dict[int, Network]:
    """Each layer quantized as if it were the only one: what it costs by itself.

    Args:
        network: in float.
        rows: of the training data, ``(rows, …)``.
        config: how, but for ``bits``.
        widths: one network for each of these, in bits.
        on_layer: as of `quantize`, once for each width.

    Raises:
        OctetError: as `quantize`.
    """
    _refuse_unusable(network, rows, config)
    at_widths = {bits: replace(config, bits=bits) for bits in widths}
    if config.activations == "none" and isinstance(network.signature.inputs, Columns):
        h = hessians(network, rows)
        return {bits: _weights_only(network, h, each, on_layer) for bits, each in at_widths.items()}
    calibrated = calibrate(network, rows, config.calibration)
    moments_of: dict[int, tuple[list[Moments], Grid]] = {}

    def keep(layer: Weighted, i: int, moments: list[Moments], entering: Grid) -> Weighted:
        moments_of[i] = moments, entering
        return layer

    with_targets = config.activations == "uint8" and regressed(config)
    walk(calibrated.network, calibrated.rows, [keep], floating.step, with_targets)
    if config.activations == "uint8":
        return {
            bits: _apart(calibrated.network, moments_of, each, on_layer)
            for bits, each in at_widths.items()
        }
    places = _places_in_float(calibrated.network)
    h = {
        places[i]: Hessians([group.hessian(float(entering.scale)) for group in moments])
        for i, (moments, entering) in moments_of.items()
    }
    return {bits: _weights_only(network, h, each, on_layer) for bits, each in at_widths.items()}


def _apart(
    network: Network,
    moments_of: Mapping[int, tuple[list[Moments], Grid]],
    config: Config,
    on_layer: OnLayer,
) -> Network:
    """A calibrated network with each layer quantized by the moments of what it sees in float."""
    layers = list(network.layers)
    reports: dict[str, RoundingReport] = {}
    for i, (moments, entering) in moments_of.items():
        layer, name = layers[i], label(network.layers, i)
        if isinstance(layer, Weighted):
            on_layer(name)
            layers[i], reports[name] = for_integers(layer, moments, entering, config, name)
    return replace(network, layers=tuple(layers), rounding=reports)


def _weights_only(
    network: Network, h: Mapping[int, Hessians], config: Config, on_layer: OnLayer
) -> Network:
    """A float network with each layer quantized by H of what it sees."""
    layers = list(network.layers)
    reports: dict[str, RoundingReport] = {}
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted):
            name = label(network.layers, i)
            on_layer(name)
            layers[i], reports[name] = weights_only(layer, h[i], config, name)
    return replace(network, layers=tuple(layers), rounding=reports)


def _places_in_float(network: Network) -> dict[int, int]:
    """Where in the float network each layer stood, before it was calibrated."""
    stayed = [
        i for i, layer in enumerate(network.layers) if not isinstance(layer, Quantize | Dequantize)
    ]
    return {i: place for place, i in enumerate(stayed)}


def _refuse_unusable(network: Network, rows: Input, config: Config) -> None:
    if network.rounding:
        raise OctetError("the float network is quantized already: run the train stage again")
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted):
            parameters(layer, label(network.layers, i))
    floating.refuse_input(network, rows)
    if len(rows) == 0:
        raise OctetError("input: got no rows; allowed is one of the training data at least")
    if config.activations == "uint8":
        calibration.refuse_float_only(network)
