"""python -m tests.seeds: accuracies of the image systems and losses by width, over five seeds."""

import importlib
import io
import itertools
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from octet.exporters import onnx as export
from octet.network import Network
from octet.quantizer import Calibration, calibration, quantize
from octet.runtime import inference
from stages import disturbance
from stages.dataset import Dataset, load_dataset
from stages.params.file import Params, load_params
from stages.params.models import NetworkModel
from stages.params.quant import Quant
from stages.tasks import classification
from stages.train import network as training

SEEDS = range(5)
BITS = (8, 6, 5, 4, 3, 2)
NOISE = 0.3
COLUMNS = [
    ("float", 0),
    ("noisy", 0),
    ("best", 8),
    ("noisy", 8),
    ("ort per tensor", 8),
    ("ort per channel", 8),
]
NEAREST = {"rounding": "nearest", "range": "minmax"}

# (system, what was measured, its width or 0) -> percent of the test images, by seed
Found = dict[tuple[str, str, int], float]


def main() -> None:
    """Train each MNIST system five times, quantize it in every way, and print two tables."""
    checked = load_params()
    systems = [name for name, system in checked.systems.items() if system.data == "mnist"]
    work = [joblib.delayed(measure)(checked, *task) for task in itertools.product(systems, SEEDS)]
    found: list[Found] = joblib.Parallel(n_jobs=2)(work)
    print("accuracy on the 10,000 test images, percent: mean ± deviation of 5 seeds (least)\n")
    print(
        "| system | float | float, noisy | uint8 | uint8, noisy | ONNX Runtime's quantize_static |"
    )
    print("|---|---|---|---|---|---|")
    for name in systems:
        cells = [summary(found, (name, what, bits)) for what, bits in COLUMNS]
        print(f"| {name} | {' | '.join(cells)} |")
    print("\naccuracy lost against float, points: mean of 5 seeds (worst)\n")
    print("| weight bits |" + "".join(f" {n}: nearest, min-max | {n}: best |" for n in systems))
    print("|---|" + "---|---|" * len(systems))
    for bits in BITS:
        cells = [lost(found, name, how, bits) for name in systems for how in ("nearest", "best")]
        print(f"| {bits} | {' | '.join(cells)} |")


def measure(checked: Params, name: str, seed: int) -> Found:
    """Everything that is measured of one system with one seed."""
    torch.set_num_threads(1)
    data, quant = load_dataset(name), checked.quant_of(name)
    model = checked.systems[name].model
    assert isinstance(model, NetworkModel)
    recipe = checked.train_of(name).model_copy(update={"seed": seed})
    network = Network(training.fit(data, model, recipe, name)[0], data.signature)
    how = quant.config().calibration
    found = {
        (name, "float", 0): accuracy(network, data),
        (name, "noisy", 0): accuracy(network, noisy(data, network)),
        (name, "ort per tensor", 8): by_onnxruntime(network, data, how, False),
        (name, "ort per channel", 8): by_onnxruntime(network, data, how, True),
    }
    for bits in BITS:
        best = quantized(network, data, quant, bits)
        found[name, "best", bits] = accuracy(best, data)
        found[name, "nearest", bits] = accuracy(
            quantized(network, data, quant, bits, NEAREST), data
        )
        if bits == 8:
            found[name, "noisy", bits] = accuracy(best, noisy(data, network))
    return found


def quantized(
    network: Network,
    data: Dataset,
    quant: Quant,
    bits: int,
    changes: dict[str, str] | None = None,
) -> Network:
    how = quant.model_copy(update={"bits": bits, **(changes or {})})
    return quantize(network, data.x_train, how.config())


def noisy(data: Dataset, network: Network) -> Dataset:
    """The test images under the noise that the evaluate stage puts on them."""
    scaler = network.layers[0]
    return replace(data, x_test=disturbance.noisy(data.x_test, scaler, NOISE))


def accuracy(network: Network, data: Dataset) -> float:
    return 100 * classification.accuracy(data.y_test, inference.run(network, data.x_test))


class Rows(CalibrationDataReader):
    """The calibration images, in batches, as onnxruntime wants them."""

    def __init__(self, images: np.ndarray) -> None:
        self._batches: Iterator[np.ndarray] = iter(np.array_split(images.astype(np.float64), 20))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {export.INPUT: batch}


def by_onnxruntime(network: Network, data: Dataset, how: Calibration, per_channel: bool) -> float:
    """The accuracy of quantize_static on the same float model and calibration images, 8 bits.

    With the weights that suit each: uint8 with one scale, or int8 with one for each channel.
    """
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        source, target = Path(folder, "float.onnx"), Path(folder, "uint8.onnx")
        onnx.save(export.to_onnx(network), source)
        quantize_static(
            source,
            target,
            Rows(calibration.pick(data.x_train, how)),
            per_channel=per_channel,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8 if per_channel else QuantType.QUInt8,
        )
        session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
        (outputs,) = session.run(None, {export.INPUT: data.x_test.astype(np.float64)})
    return 100 * classification.accuracy(data.y_test, outputs)


def summary(found: list[Found], key: tuple[str, str, int]) -> str:
    numbers = [each[key] for each in found if key in each]
    return f"{statistics.mean(numbers):.3f} ± {statistics.stdev(numbers):.3f} ({min(numbers):.2f})"


def lost(found: list[Found], name: str, how: str, bits: int) -> str:
    numbers = [
        each[name, "float", 0] - each[name, how, bits]
        for each in found
        if (name, how, bits) in each
    ]
    return f"{statistics.mean(numbers):.3f} ({max(numbers):.2f})"


if __name__ == "__main__":
    # By its module's name, joblib finds `measure` in other processes too.
    importlib.import_module("tests.seeds").main()
