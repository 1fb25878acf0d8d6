"""The points of the sweep are those that the quantize and evaluate stages would find."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octet.modelfile import storage
from octet.network import Network
from octet.quantizer import Config, quantize
from octet.runtime import inference
from stages.load import readers
from stages.params.file import load_params
from stages.params.sweep import Sweep
from stages.point import Point
from stages.sweep import measure
from stages.tasks import classification, task_of
from stages.tasks.classification import CLASSIFICATION
from stages.train import linear
from tests.octet.quantizer.cases import config, digits
from tests.stages.small import systems
from tests.stages.tasks.test_tasks import GATES

IMAGES = config(activations="uint8", granularity="per_channel")
EVERYTHING = Sweep(bits=(2, 8), roundings=("nearest", "gptq", "exact"), backend="loky")


@pytest.fixture(scope="module")
def reference() -> measure.Reference:
    return measure.prepare(*digits(), IMAGES, GATES)


def test_each_width_meets_each_rounding_and_the_rest_stays() -> None:
    hows = measure.ways(IMAGES, EVERYTHING)
    assert [(how.bits, how.rounding) for how in hows] == [
        (bits, rounding) for bits in (2, 8) for rounding in ("nearest", "gptq", "exact")
    ]
    assert {replace(how, bits=8, rounding="exact") for how in hows} == {
        replace(IMAGES, bits=8, rounding="exact")
    }


def test_every_point_is_in_one_group_and_what_takes_longest_comes_first() -> None:
    groups = measure.together(measure.ways(IMAGES, EVERYTHING))
    assert [[(way.bits, way.rounding) for way in group] for group in groups] == [
        [(2, "gptq"), (2, "exact")],
        [(8, "gptq"), (8, "exact")],
        [(2, "nearest")],
        [(8, "nearest")],
    ]
    apart = measure.together(measure.ways(config(), EVERYTHING))
    assert [[(way.bits, way.rounding) for way in group] for group in apart] == [
        [(bits, rounding)]
        for bits, rounding in [
            *((bits, "exact") for bits in (2, 8)),
            *((bits, how) for bits in (2, 8) for how in ("nearest", "gptq")),
        ]
    ]


@pytest.mark.parametrize(
    "way", measure.ways(IMAGES, EVERYTHING), ids=lambda w: f"{w.bits}{w.rounding}"
)
def test_a_point_is_the_network_that_quantize_would_write(
    reference: measure.Reference, way: Config, tmp_path: Path
) -> None:
    network, data = digits()
    file = tmp_path / "quantized.safetensors"
    quantized = quantize(network, data.x_train, way)
    file.write_bytes(storage.dump_network(quantized))
    sizes = storage.sizes(file)
    outputs = inference.run(quantized, data.x_test)
    right = [classification.correct(data.y_test, each) for each in (reference.outputs, outputs)]
    verdict = CLASSIFICATION.decide(data.y_test, reference.outputs, outputs, GATES)
    assert measure.measure(reference, [way])[0] == Point(
        bits=way.bits,
        rounding=way.rounding,
        payload=sizes.codes + sizes.scales,
        score=float(np.mean(right[1])),
        loss=float(np.mean(right[0])) - float(np.mean(right[1])),
        low=-verdict["high"],
        high=-verdict["low"],
        fidelity=classification.distance(reference.outputs, outputs)["sqnr_db"],
        non_inferior=int(verdict["non_inferior"]),
    )


def test_the_interval_of_a_table_is_of_r2() -> None:
    data = readers.read("diabetes", load_params().split)
    network = Network(linear.fit(data, standardize=True), data.signature)
    found = measure.prepare(network, data, config(), GATES)
    (point,) = measure.measure(found, [config(bits=3)])
    outputs = inference.run(quantize(network, data.x_train, config(bits=3)), data.x_test)
    mse_float = np.mean((found.outputs[:, 0] - data.y_test) ** 2)
    mse = np.mean((outputs[:, 0] - data.y_test) ** 2)
    assert point.loss == pytest.approx((mse - mse_float) / np.var(data.y_test), rel=1e-9)
    assert point.low < point.loss < point.high


@pytest.mark.parametrize("name", systems())
def test_a_system_of_any_kind_is_swept(name: str) -> None:
    system = systems()[name]
    task = task_of(system.data.signature)
    reference = measure.prepare(system.network, system.data, system.how, GATES)
    whole = measure.in_float(reference)
    assert whole.score == task.headline(system.data.y_test, reference.outputs)
    assert (whole.bits, whole.rounding) == (32, "float")
    assert (whole.loss, whole.low, whole.high, whole.non_inferior) == (0, 0, 0, 1)
    two, eight = measure.measure(reference, [replace(system.how, bits=bits) for bits in (2, 8)])
    assert two.low <= two.loss <= two.high
    assert two.fidelity < eight.fidelity < whole.fidelity
    assert two.payload < eight.payload < whole.payload
