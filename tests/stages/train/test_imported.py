"""Networks from elsewhere: they come in as they are, or one line says why not."""

from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from octet.errors import OctetError
from octet.layers import Linear, Relu, Softmax
from octet.modelfile import storage
from octet.network import Network
from octet.quantizer import Config, quantize
from octet.runtime import floating
from octet.signature import Arrays, Classes, Columns, Numbers, Outputs, Shape, Signature
from stages import paths
from stages.dataset import Dataset, dump_dataset
from stages.params.file import Params
from stages.params.models import Model
from stages.params.systems import System
from stages.pinned import digest_of
from stages.train import kinds
from stages.train.__main__ import train
from stages.train.kinds import onnx as of_onnx
from tests.stages.train.small import COMMITTED

NUMBER, TWO, THREE = Numbers("price", "EUR"), Classes(("no", "yes")), Classes(("a", "b", "c"))
FILE = Path("net")
RNG = np.random.default_rng(0)
WEIGHT, BIAS = (RNG.normal(size=shape).astype(np.float32) for shape in ((3, 6), (3,)))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths.data_path("any").parent.mkdir()


def data(outputs: Outputs, shape: Shape = (6,)) -> Dataset:
    inputs = Columns(tuple("abcdef")) if len(shape) == 1 else Arrays(shape)
    x, y = RNG.normal(size=(40, *shape)), RNG.normal(size=40)
    if isinstance(outputs, Classes):
        y = RNG.integers(0, len(outputs.classes), 40, np.uint8)
    return Dataset(x, y, x[:9], y[:9], Signature(inputs, outputs))


def graph(
    *nodes: onnx.NodeProto, shape: Shape = (6,), rows: int | str = "rows", last: str = "y"
) -> bytes:
    """Nodes from x, with the weights w and b, to the tensor called last."""
    info = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "test",
        [info("x", TensorProto.FLOAT, [rows, *shape])],
        [info(last, TensorProto.FLOAT, [rows, "outputs"])],
        [numpy_helper.from_array(WEIGHT, "w"), numpy_helper.from_array(BIAS, "b")],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()


GEMM = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
SOFTMAX = helper.make_node("Softmax", ["y"], ["z"])
FLAT = helper.make_node("Flatten", ["x"], ["f"])
OF_FLAT = helper.make_node("Gemm", ["f", "w", "b"], ["y"], transB=1)


def run(dataset: Dataset, content: bytes, kind: str = "onnx") -> Network:
    """The network that the train stage makes of a file."""
    FILE.write_bytes(content)
    made = train("digits", with_model({"kind": kind, "path": str(FILE)}, dataset))
    Path("float").write_bytes(made[paths.float_path("digits")])
    assert set(made) == {
        paths.float_path("digits"),
        *(paths.plot_path("digits", name) for name in ("training.csv", "views.png")),
    }
    return storage.load_network(Path("float"))


def with_model(model: dict[str, object], dataset: Dataset) -> Params:
    paths.data_path("digits").write_bytes(dump_dataset(dataset))
    system = COMMITTED.systems["digits"].model_dump() | {
        "model": {"sha256": digest_of(FILE), **model}
    }
    return COMMITTED.model_copy(update={"systems": {"digits": System.model_validate(system)}})


def test_every_kind_of_model_has_a_file_and_keys() -> None:
    union, *_ = get_args(Model)
    assert {model.model_fields["kind"].description for model in get_args(union)} == {*kinds.KINDS}
    assert all(kinds.kind(name).described() for name in kinds.KINDS)


@pytest.mark.parametrize(
    ("shape", "content"),
    [
        ((6,), graph(GEMM)),
        ((6,), graph(GEMM, rows=4)),  # so many rows at once, and no others
        ((6,), graph(GEMM, SOFTMAX, last="z")),
        ((1, 2, 3), graph(FLAT, OF_FLAT, shape=(1, 2, 3))),
    ],
)
def test_an_onnx_file_comes_in_and_the_data_names_its_outputs(shape: Shape, content: bytes) -> None:
    dataset = data(THREE, shape)
    network = run(dataset, content)
    assert network.signature == dataset.signature
    outputs = floating.run(network, dataset.x_test)
    expected = of_onnx.onnx_runtime(FILE, dataset.x_test)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    assert network.provenance["import"] == {"difference_below": 1e-4}


@pytest.mark.parametrize("zipped", [False, True])
def test_a_classifier_of_skl2onnx_comes_in(zipped: bool) -> None:
    dataset = data(THREE)
    model = LogisticRegression().fit(dataset.x_train, dataset.y_train)
    proto = to_onnx(
        model,
        dataset.x_train[:1].astype(np.float32),
        options={id(model): {"zipmap": zipped}},
        target_opset=17,
    )
    network = run(dataset, proto.SerializeToString())
    np.testing.assert_allclose(
        floating.run(network, dataset.x_test), model.predict_proba(dataset.x_test), atol=1e-5
    )


@pytest.mark.parametrize("probability", [False, True])
def test_one_output_for_two_classes_becomes_one_for_each(probability: bool) -> None:
    one = helper.make_node("Gemm", ["x", "w1", "b1"], ["y"], transB=1)
    sigmoid = [helper.make_node("Sigmoid", ["y"], ["z"])] if probability else []
    proto = onnx.load_model_from_string(graph(one, *sigmoid, last="z" if probability else "y"))
    for name, array in (("w1", WEIGHT[:1]), ("b1", BIAS[:1])):
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    dataset = data(TWO)
    outputs = floating.run(run(dataset, proto.SerializeToString()), dataset.x_test)
    logit = dataset.x_test @ WEIGHT[0] + BIAS[0]
    second = 1 / (1 + np.exp(-logit)) if probability else logit / 2
    np.testing.assert_allclose(outputs[:, 1], second, atol=1e-5)
    np.testing.assert_allclose(outputs[:, 0], 1 - second if probability else -second, atol=1e-5)


def of_octet(signature: Signature) -> Network:
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(3, 6)).astype(np.float32)
    return Network((Linear(weight, np.zeros(3, np.float32)), Relu(), Softmax()), signature)


def test_a_model_file_of_octets_own_comes_in_as_it_is() -> None:
    dataset = data(THREE)
    network = of_octet(dataset.signature)
    back = run(dataset, storage.dump_network(network), "given")
    np.testing.assert_array_equal(
        floating.run(back, dataset.x_test), floating.run(network, dataset.x_test)
    )
    assert "import" not in back.provenance


def quantized(dataset: Dataset) -> bytes:
    network = of_octet(dataset.signature)
    return storage.dump_network(quantize(network, dataset.x_train, Config(rounding="nearest")))


OTHER_CLASSES = Signature(Columns(tuple("abcdef")), Classes(("x", "y", "z")))
OTHER_COLUMNS = Signature(Columns(tuple("ghijkl")), THREE)


@pytest.mark.parametrize(
    ("dataset", "kind", "content", "problem"),
    [
        (data(TWO), "onnx", graph(GEMM), r"net: gives shape \(3,\); 2 classes take \(2,\)"),
        (data(NUMBER), "onnx", graph(GEMM), r"net: gives shape \(3,\); a number takes one output"),
        (data(THREE, (2, 3)), "onnx", graph(GEMM), r"net: takes rows of shape \(6,\); the data"),
        (data(THREE), "onnx", b"no", "net: not a whole ONNX model"),
        (data(THREE), "given", b"no", "net: not a whole .safetensors file"),
        (data(THREE), "given", quantized(data(THREE)), "net: got a quantized network; allowed is"),
        (
            data(THREE),
            "given",
            storage.dump_network(of_octet(OTHER_CLASSES)),
            r"got a network for x, y, z; the data is of a, b, c",
        ),
        (
            data(THREE),
            "given",
            storage.dump_network(of_octet(OTHER_COLUMNS)),
            "takes columns g, h, i, j, k, l; allowed is columns a, b, c, d, e, f",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(
    dataset: Dataset, kind: str, content: bytes, problem: str
) -> None:
    with pytest.raises(OctetError, match=problem) as caught:
        run(dataset, content, kind)
    assert str(caught.value).splitlines() == [str(caught.value)]


def test_an_import_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    layers, shape = of_onnx.onnx.layers_of(onnx.load_model_from_string(graph(GEMM)))
    wrong = layers[0].weight * np.float32(1.01)
    monkeypatch.setattr(of_onnx.onnx, "load", lambda _: ((Linear(wrong, BIAS),), shape))
    with pytest.raises(OctetError, match=r"allowed is 0\.0001\. .* report it with"):
        run(data(THREE), graph(GEMM))
