"""Quantize a network at a width and with a rounding, and score what comes of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from octet.affine import Array
from octet.modelfile import storage
from octet.network import Network
from octet.quantizer import Calibrated, Config, calibrate, quantize, quantize_calibrated
from octet.quantizer.layer import regressed
from octet.runtime import inference
from stages import outputs
from stages.dataset import Dataset
from stages.params.gates import Gates
from stages.params.quant import FLOAT_BITS
from stages.params.sweep import Sweep
from stages.point import Point
from stages.tasks import task_of

# Bytes of weights times test rows: of linear models, and networks of hundreds of either.
_QUICK = 2**20


@dataclass(frozen=True)
class Reference:
    """What all points of a system share.

    Attributes:
        network: in float.
        calibrated: the same with its activations on grids, if they are to be.
        data: of which the test rows are scored.
        outputs: of the float network for the test rows, ``(rows, outputs)``.
        gates: what a point must show.
    """

    network: Network
    calibrated: Calibrated | None
    data: Dataset
    outputs: Array
    gates: Gates


def prepare(network: Network, data: Dataset, config: Config, gates: Gates) -> Reference:
    """Take the ranges of the activations and the float outputs, once for all points."""
    calibrated = None
    if config.activations == "uint8":
        calibrated = calibrate(network, data.x_train, config.calibration)
    return Reference(network, calibrated, data, outputs.run(network, data.x_test), gates)


def ways(config: Config, sweep: Sweep) -> list[Config]:
    """Every width with every rounding; for the rest as the system is quantized."""
    return [
        replace(config, bits=bits, rounding=rounding)
        for bits, rounding in product(sweep.bits, sweep.roundings)
    ]


def together(ways: Iterable[Config]) -> list[list[Config]]:
    """Groups that share work: integer networks of a width, what their layers should give.

    The longest come first, so that no worker is left with one: exact rounding takes twice as long
    as others.
    """
    groups: dict[tuple[int, str], list[Config]] = {}
    for way in ways:
        shares = way.activations == "uint8" and regressed(way)
        groups.setdefault((way.bits, "" if shares else way.rounding), []).append(way)
    return sorted(groups.values(), key=lambda group: all(way.rounding != "exact" for way in group))


def is_quick(reference: Reference) -> bool:
    """Whether all points together take less than starting processes for them would."""
    return storage.payload(reference.network) * len(reference.data.x_test) < _QUICK


def measure(reference: Reference, configs: Sequence[Config]) -> list[Point]:
    """Quantize in some ways, and compare the outputs with those of the float network.

    Raises:
        OctetError: see `octet.quantizer.layer`.
    """
    if reference.calibrated is None:
        rows = reference.data.x_train
        networks = [quantize(reference.network, rows, config) for config in configs]
    else:
        networks = quantize_calibrated(reference.calibrated, configs)
    return [_measure(reference, *each) for each in zip(networks, configs, strict=True)]


def _measure(reference: Reference, network: Network, config: Config) -> Point:
    after = inference.run(network, reference.data.x_test)
    task, truth = task_of(network.signature), reference.data.y_test
    verdict = task.decide(truth, reference.outputs, after, reference.gates)
    interval = task.loss(verdict, task.headline(truth, reference.outputs))
    way = config.bits, config.rounding
    return _point(reference, network, way, after, (*interval, int(verdict["non_inferior"])))


def in_float(reference: Reference) -> Point:
    """The float network itself, which loses nothing."""
    way = FLOAT_BITS, "float"
    return _point(reference, reference.network, way, reference.outputs, (0.0, 0.0, 1))


def _point(
    reference: Reference,
    network: Network,
    way: tuple[int, str],
    after: Array,
    verdict: tuple[float, float, int],
) -> Point:
    task, truth = task_of(network.signature), reference.data.y_test
    before, score = task.headline(truth, reference.outputs), task.headline(truth, after)
    fidelity = task.distance(reference.outputs, after)["sqnr_db"]
    low, high, shown = verdict
    return Point(*way, storage.payload(network), score, before - score, low, high, fidelity, shown)
