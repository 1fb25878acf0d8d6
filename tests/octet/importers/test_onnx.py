"""Networks from ONNX compute what ONNX Runtime does."""

import numpy as np
import onnxruntime
import pytest

from octet.importers.onnx import layers_of
from octet.importers.operators.registry import OPERATORS
from octet.layers import Standardize
from tests.octet.importers.graphs import GRAPHS, ROW, normal, one, outputs


def oracle(content: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[-1]


def test_every_operator_has_a_graph() -> None:
    shown = {name.split(",")[0].split(" ")[0] for name in GRAPHS}
    assert shown == OPERATORS.keys() - {"ai.onnx.ml.ZipMap"}  # which gives a list; see skl2onnx's


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_computes_what_onnx_runtime_does(name: str) -> None:
    proto = GRAPHS[name]
    layers, shape = layers_of(proto)
    x = normal(5, *shape)
    expected = oracle(proto.SerializeToString(), x)
    got = outputs(layers, shape, x)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=2e-6 * np.max(np.abs(expected)))


def test_a_scaler_of_a_double_model_keeps_its_digits() -> None:
    offset = np.array([1_600_000_050.0, 5, 0.1, 0, 0, 0])
    (scaler,), _ = layers_of(one("Sub", offset, shape=ROW))
    assert isinstance(scaler, Standardize)
    np.testing.assert_array_equal(scaler.mean, offset)


def test_what_only_changes_shapes_is_one_layer_at_most() -> None:
    layers, _ = layers_of(GRAPHS["Transpose"])
    assert [layer.kind for layer in layers] == ["global_average_pool"]
    layers, _ = layers_of(GRAPHS["BatchNormalization, folded"])
    assert [layer.kind for layer in layers] == ["conv2d", "relu"]
