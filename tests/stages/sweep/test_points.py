"""The points of the sweep are those that the quantize and evaluate stages would find."""

import csv
import io
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
from stages.sweep import points
from stages.tasks import scores, verdict
from stages.train import linear
from tests.octet.quantizer.cases import config, digits

IMAGES = config(activations="uint8", granularity="per_channel")
EVERYTHING = Sweep(bits=(2, 8), roundings=("nearest", "gptq", "exact"), backend="loky")


@pytest.fixture(scope="module")
def reference() -> points.Reference:
    return points.prepare(*digits(), IMAGES)


def test_each_width_meets_each_rounding_and_the_rest_stays() -> None:
    hows = points.ways(IMAGES, EVERYTHING)
    assert [(how.bits, how.rounding) for how in hows] == [
        (bits, rounding) for bits in (2, 8) for rounding in ("nearest", "gptq", "exact")
    ]
    assert {replace(how, bits=8, rounding="exact") for how in hows} == {
        replace(IMAGES, bits=8, rounding="exact")
    }


@pytest.mark.parametrize(
    "way", points.ways(IMAGES, EVERYTHING), ids=lambda w: f"{w.bits}{w.rounding}"
)
def test_a_point_is_the_network_that_quantize_would_write(
    reference: points.Reference, way: Config, tmp_path: Path
) -> None:
    network, data = digits()
    file = tmp_path / "quantized.safetensors"
    quantized = quantize(network, data.x_train, way)
    file.write_bytes(storage.dump_network(quantized))
    sizes = storage.sizes(file)
    outputs = inference.run(quantized, data.x_test)
    point = points.measure(reference, way)
    right = scores.correct(data.y_test, reference.outputs), scores.correct(data.y_test, outputs)
    found = verdict.classification(*right, 0.01)
    assert point == points.Point(
        bits=way.bits,
        rounding=way.rounding,
        payload=sizes.codes + sizes.scales,
        score=float(np.mean(right[1])),
        loss=float(np.mean(right[0])) - float(np.mean(right[1])),
        low=-found["high"],
        high=-found["low"],
        fidelity=scores.fidelity(reference.outputs, outputs)["sqnr_db"],
    )


def test_the_interval_of_a_table_is_of_r2() -> None:
    data = readers.read("diabetes", load_params().split)
    names = data.signature.inputs.features
    layers = linear.fit(data.x_train, data.y_train, names, standardize=True)
    network = Network(layers, data.signature)
    found = points.prepare(network, data, config())
    point = points.measure(found, config(bits=3))
    outputs = inference.run(quantize(network, data.x_train, config(bits=3)), data.x_test)
    mse_float = np.mean((found.outputs[:, 0] - data.y_test) ** 2)
    mse = np.mean((outputs[:, 0] - data.y_test) ** 2)
    assert point.loss == pytest.approx((mse - mse_float) / np.var(data.y_test), rel=1e-9)
    assert point.low < point.loss < point.high


def test_the_csv_has_the_float_network_first(reference: points.Reference) -> None:
    ways = points.ways(IMAGES, Sweep(bits=(8,), roundings=("nearest",), backend="loky"))
    found = [points.measure(reference, way) for way in ways]
    text = points.dump("digits", points.in_float(reference), found).decode()
    whole, eight = csv.DictReader(io.StringIO(text))
    assert (whole["system"], whole["bits"], whole["rounding"], whole["loss"]) == (
        "digits",
        "32",
        "float",
        "0",
    )
    assert (eight["bits"], eight["rounding"], eight["payload"]) == (
        "8",
        "nearest",
        str(found[0].payload),
    )
    assert float(eight["score"]) == pytest.approx(found[0].score, rel=1e-8)
