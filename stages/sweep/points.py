"""The points of the sweep: a width, a rounding, and what they cost in score and save in bytes."""

from dataclasses import astuple, dataclass, fields, replace
from itertools import product

import numpy as np
from onnxruntime import InferenceSession, SessionOptions

from octet.affine import Array
from octet.exporters import onnx as export
from octet.modelfile import storage
from octet.network import Network
from octet.quantizer import Calibrated, Config, calibrate, quantize, quantize_calibrated
from octet.runtime import inference, integer
from octet.signature import Input, Numbers
from stages import outputs
from stages.dataset import Dataset
from stages.params.quant import FLOAT_BITS
from stages.params.sweep import Sweep
from stages.tasks import scores, verdict

_DIGITS = 9
_TOGETHER = 500
# Enough for the interval of a picture; the verdict of a system has five times as many.
_RESAMPLES = 2000


@dataclass(frozen=True)
class Point:
    """One row of the CSV.

    Attributes:
        bits: of a weight; 32 for the float network.
        rounding: nearest, gptq or exact; float for the float network.
        payload: bytes of codes, scales and zero points, and of what is left in float.
        score: R² of a table, accuracy of images; on the test rows.
        loss: the score of the float network less this one's.
        low, high: the paired interval of the loss, 95 %.
        fidelity: signal to quantization noise of the outputs, in dB.
    """

    bits: int
    rounding: str
    payload: int
    score: float
    loss: float
    low: float
    high: float
    fidelity: float


@dataclass(frozen=True)
class Reference:
    """What all points of a system share.

    Attributes:
        network: in float.
        calibrated: the same with its activations on grids, if they are to be.
        data: of which the test rows are scored.
        outputs: of the float network for the test rows, ``(rows, outputs)``.
    """

    network: Network
    calibrated: Calibrated | None
    data: Dataset
    outputs: Array


def prepare(network: Network, data: Dataset, config: Config) -> Reference:
    """Take the ranges of the activations and the float outputs, once for all points."""
    calibrated = None
    if config.activations == "uint8":
        calibrated = calibrate(network, data.x_train, config.calibration)
    return Reference(network, calibrated, data, outputs.run(network, data.x_test))


def ways(config: Config, sweep: Sweep) -> list[Config]:
    """Every width with every rounding; for the rest as the system is quantized."""
    return [
        replace(config, bits=bits, rounding=rounding)
        for bits, rounding in product(sweep.bits, sweep.roundings)
    ]


def measure(reference: Reference, config: Config) -> Point:
    """Quantize in one way, and compare the outputs with those of the float network.

    Raises:
        OctetError: see `octet.quantizer.layer`.
    """
    if reference.calibrated is None:
        network = quantize(reference.network, reference.data.x_train, config)
    else:
        network = quantize_calibrated(reference.calibrated, config)
    given = _outputs(network, reference.data.x_test)
    whole, (low, high) = _score(reference.data, reference.outputs), _interval(reference, given)
    score = _score(reference.data, given)
    fidelity = scores.fidelity(reference.outputs, given)["sqnr_db"]
    payload = storage.payload(network)
    return Point(config.bits, config.rounding, payload, score, whole - score, low, high, fidelity)


def in_float(reference: Reference) -> Point:
    """The float network itself, which loses nothing."""
    score = _score(reference.data, reference.outputs)
    fidelity = scores.fidelity(reference.outputs, reference.outputs)["sqnr_db"]
    payload = storage.payload(reference.network)
    return Point(FLOAT_BITS, "float", payload, score, 0.0, 0.0, 0.0, fidelity)


def dump(name: str, whole: Point, points: list[Point]) -> bytes:
    """The CSV of a system: the float network first, then the points as they come."""
    lines = [",".join(["system", *(field.name for field in fields(Point))])]
    for point in (whole, *points):
        cells = [f"{x:.{_DIGITS}g}" if isinstance(x, float) else str(x) for x in astuple(point)]
        lines.append(",".join([name, *cells]))
    return ("\n".join(lines) + "\n").encode()


def _outputs(network: Network, x: Input) -> Array:
    """As `octet.runtime.inference.run`; integers by ONNX Runtime: the same codes, sooner."""
    if not integer.is_integer(network):
        return inference.run(network, x)
    options = SessionOptions()
    options.intra_op_num_threads = 1  # the workers share the cores out among themselves
    model = export.to_onnx(network).SerializeToString()
    session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
    parts = [
        session.run(None, {export.INPUT: x[i : i + _TOGETHER].astype(np.float64)})[0]
        for i in range(0, len(x), _TOGETHER)
    ]
    return np.concatenate(parts)


def _score(data: Dataset, given: Array) -> float:
    if isinstance(data.signature.outputs, Numbers):
        return scores.regression(data.y_test, given[:, 0])["r2"]
    return float(np.mean(scores.correct(data.y_test, given)))


def _interval(reference: Reference, given: Array) -> tuple[float, float]:
    """Of the loss in score. R² falls by what MSE grows by, relative to itself, times 1 - R²."""
    data, plain = reference.data, reference.outputs
    if isinstance(data.signature.outputs, Numbers):
        found = verdict.regression(
            data.y_test, plain[:, 0], given[:, 0], margin=0.0, resamples=_RESAMPLES
        )
        unexplained = 1 - _score(data, plain)
        return unexplained * found["low"], unexplained * found["high"]
    right = scores.correct(data.y_test, plain), scores.correct(data.y_test, given)
    found = verdict.classification(*right, margin=0.0)
    return -found["high"], -found["low"]
