"""The reference networks of MLPerf Tiny, which nobody here made: imported, and in codes."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from octet.importers import onnx
from octet.network import Network
from octet.quantizer import Config, quantize
from octet.runtime import floating, integer
from octet.signature import Arrays, Classes, Numbers, Signature
from tests.octet.test_export import assert_same_codes

FOLDER = Path(os.environ.get("OCTET_DATA", ""), "mlperf-tiny")
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the networks of MLPerf Tiny are not below OCTET_DATA"
)
# Each with how its rows are made up: pixels of images, else numbers around 0.
NETWORKS = {
    "ad-autoencoder": (-1, 1),
    "cifar-resnet8": (0, 255),
    "kws-dscnn": (-100, 100),
    "vww-mobilenet": (0, 1),
}
INTEGERS = Config(
    scheme="symmetric", granularity="per_channel", activations="uint8", rounding="nearest"
)


def imported(name: str) -> Network:
    layers, shape = onnx.load(FOLDER / f"{name}.onnx")
    return Network(layers, Signature(Arrays(shape), Numbers("y", "")))


def rows(name: str, network: Network, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(*NETWORKS[name], (count, *network.signature.shape))


@pytest.mark.parametrize("name", NETWORKS)
def test_in_float_it_gives_what_onnx_runtime_does(name: str) -> None:
    network = imported(name)
    x = rows(name, network, 20).astype(np.float32)
    file = (FOLDER / f"{name}.onnx").read_bytes()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    outputs = floating.run(network, x.astype(np.float64))
    np.testing.assert_allclose(outputs, expected, atol=1e-5 * np.max(np.abs(expected)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_in_codes_it_gives_those_of_onnx_runtime_after_every_layer(name: str) -> None:
    network = imported(name)
    quantized = quantize(network, rows(name, network, 12), INTEGERS)
    assert integer.is_integer(quantized)
    assert_same_codes(quantized, rows(name, network, 20)[12:])


@pytest.mark.slow
@pytest.mark.release
def test_keywords_are_spotted_with_4_bits_as_with_32() -> None:
    network = imported("kws-dscnn")
    data = np.load(FOLDER / "kws01.npz")
    x, y = data["x"].astype(np.float64), data["y"]
    network = replace(
        network, signature=Signature(Arrays(x.shape[1:]), Classes(tuple("0123456789ab")))
    )
    order = np.random.default_rng(0).permutation(len(x))
    shown, tested = np.sort(order[:200]), np.sort(order[200:])
    quantized = quantize(network, x[shown], replace(INTEGERS, bits=4, rounding="exact"))
    assert_same_codes(quantized, x[tested[:50]])
    before, after = (
        np.mean(run(each, x[tested]).argmax(axis=1) == y[tested])
        for run, each in ((floating.run, network), (integer.run, quantized))
    )
    assert before > 0.91
    assert after > before - 0.01
