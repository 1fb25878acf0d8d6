"""Networks from ONNX: what ONNX Runtime computes, or one line that names the node."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from octet.errors import OctetError
from octet.importers.onnx import layers_of, load
from octet.importers.operators.registry import OPERATORS
from octet.layers import Layer, Standardize
from octet.network import Network, signals
from octet.runtime import floating
from octet.signature import Columns, Images, Numbers, Shape, Signature

RNG = np.random.default_rng(4)
IMAGE, ROW = (4, 8, 6), (6,)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def model(
    *nodes: onnx.NodeProto, shape: Shape = IMAGE, opset: int = 17, **constants: np.ndarray
) -> onnx.ModelProto:
    """Nodes from ``x`` to ``y``."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [info("x", TensorProto.FLOAT, ["rows", *shape])],
        [info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def of_table(*nodes: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    """Nodes of ai.onnx.ml among them, from rows to ``y``."""
    proto = model(*nodes, shape=ROW, **constants)
    proto.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    return proto


def ml(operator: str, inputs: str, outputs: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(
        operator, inputs.split(), outputs.split(), domain="ai.onnx.ml", **attributes
    )


def classifier(*more: onnx.NodeProto, post_transform: str, classes: int = 3) -> onnx.ModelProto:
    """Opposite coefficients where there are two classes; the scores are ``y``, or what follows."""
    weight, bias = normal(classes, 6), normal(classes)
    if classes == 2:
        weight[0], bias[0] = -weight[1], -bias[1]
    node = ml(
        "LinearClassifier",
        "x",
        "label s" if more else "label y",
        coefficients=weight.ravel().tolist(),
        intercepts=bias.tolist(),
        classlabels_ints=[*range(classes)],
        post_transform=post_transform,
    )
    proto = of_table(node, *more)
    label = helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"])
    proto.graph.output.insert(0, label)
    return proto


def one(
    operator: str, *constants: np.ndarray, shape: Shape = IMAGE, **attributes: object
) -> onnx.ModelProto:
    """One node from ``x`` and constants to ``y``."""
    names = {f"c{i}": value for i, value in enumerate(constants)}
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    return model(node, shape=shape, **names)


def node(operator: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [output], **attributes)


BATCH_NORM = {"g": normal(4), "b": normal(4), "m": normal(4), "v": np.abs(normal(4)) + 0.1}
KERNEL = normal(6, 4, 3, 3)
GRAPHS = {
    "Add": model(node("Relu", "x", "a"), node("Add", "a x", "y")),
    "Add of a bias": model(
        node("Conv", "x w", "a"), node("Add", "a b", "y"), w=KERNEL, b=normal(6, 1, 1)
    ),
    "Add of a bias to a row": model(
        node("MatMul", "x w", "a"),
        node("Add", "a b", "y"),
        shape=ROW,
        w=normal(6, 3),
        b=normal(1, 3),
    ),
    "Add of one number": model(
        node("Conv", "x w", "a"), node("Add", "a b", "y"), w=KERNEL, b=normal(1, 1)
    ),
    "Add of a constant to the input": one("Add", normal(4, 1, 1)),
    "AveragePool": one("AveragePool", kernel_shape=[3, 2], strides=[2, 2]),
    "AveragePool, padded": one(
        "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "BatchNormalization": model(node("BatchNormalization", "x g b m v", "y"), **BATCH_NORM),
    "BatchNormalization, folded": model(
        node("Conv", "x w", "a"),
        node("BatchNormalization", "a g b m v", "c", epsilon=0.01),
        node("Relu", "c", "y"),
        w=normal(4, 4, 3, 3),
        **BATCH_NORM,
    ),
    "BatchNormalization, not folded": model(
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "a g b m v", "c"),
        node("Add", "a c", "y"),
        w=normal(4, 4, 3, 3),
        **BATCH_NORM,
    ),
    # The reshapes give back the tensor of MatMul, which the second branch needs as it is.
    "BatchNormalization, behind reshapes": model(
        node("MatMul", "x w", "a"),
        node("Reshape", "a to", "r"),
        node("Flatten", "r", "f"),
        node("BatchNormalization", "f g b m v", "c"),
        node("Flatten", "r", "h"),
        node("Add", "c h", "y"),
        shape=ROW,
        w=normal(6, 4),
        to=np.array([0, 1, 4]),
        **BATCH_NORM,
    ),
    "Cast": one("Cast", to=TensorProto.FLOAT),
    "Clip": one("Clip", np.float32(0), np.float32(6)),
    "Clip from 0": model(helper.make_node("Clip", ["x", "c"], ["y"]), c=np.float32(0)),
    "Conv": one("Conv", KERNEL, normal(6), strides=[2, 1], pads=[1, 0, 2, 1]),
    "Conv, its bias left out": model(helper.make_node("Conv", ["x", "w", ""], ["y"]), w=KERNEL),
    "Conv, depthwise": one("Conv", normal(8, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
    "Conv, as TensorFlow pads": one("Conv", KERNEL, strides=[2, 2], auto_pad="SAME_UPPER"),
    "Conv, the other way": one("Conv", KERNEL, strides=[2, 2], auto_pad="SAME_LOWER"),
    "Conv, padded by its kernel": one("Conv", KERNEL, pads=[3, 3, 3, 3]),
    "Div": model(node("Relu", "x", "a"), node("Div", "a c", "y"), c=np.abs(normal(1, 4, 1, 1)) + 1),
    "Div of a row, behind what it cannot be folded into": model(
        node("Tanh", "x", "a"), node("Div", "a c", "y"), shape=ROW, c=normal(6)
    ),
    "Dropout": one("Dropout"),
    "Flatten": one("Flatten"),
    "Gemm": one("Gemm", normal(6, 5), normal(5), shape=ROW, alpha=0.5, beta=2.0),
    "Gemm, one bias for all": one("Gemm", normal(6, 5), normal(1), shape=ROW),
    "Gemm, transposed": one("Gemm", normal(5, 6), normal(5), shape=ROW, transB=1),
    "GlobalAveragePool": one("GlobalAveragePool"),
    "Identity": model(node("Identity", "x", "a"), node("Relu", "a", "y")),
    "LeakyRelu": one("LeakyRelu", alpha=0.2),
    "MatMul": model(
        node("MatMul", "x w", "a"), node("Add", "b a", "y"), shape=ROW, w=normal(6, 3), b=normal(3)
    ),
    "MaxPool": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 1]),
    "Mul": model(
        node("MatMul", "x w", "a"), node("Mul", "c a", "y"), shape=ROW, w=normal(6, 3), c=normal(3)
    ),
    "Pad": one("Pad", np.array([0, 0, 1, 2, 0, 0, 0, 3])),
    "Pad, axes named": model(
        helper.make_node("Pad", ["x", "pads", "", "axes"], ["y"]),
        opset=18,
        pads=np.array([1, 2, 0, 3]),
        axes=np.array([3, 2]),
    ),
    "ReduceMean": one("ReduceMean", axes=[2, 3], keepdims=0),
    "ReduceMean, sides kept": one("ReduceMean", axes=[-1, -2]),
    "Relu": one("Relu"),
    "Reshape": one("Reshape", np.array([0, 2, -1])),
    "Sigmoid": one("Sigmoid"),
    "Softmax": one("Softmax", shape=ROW),
    "Squeeze": model(
        node("GlobalAveragePool", "x", "a"), node("Squeeze", "a c", "y"), c=np.array([2, 3])
    ),
    "Sub": one("Sub", normal(4, 1, 1)),
    "Sub and Div, as images are scaled": model(
        node("Div", "x white", "a"),
        node("Sub", "a m", "b"),
        node("Div", "b s", "y"),
        white=np.array([255], np.float32),
        m=normal(1, 4, 1, 1),
        s=np.abs(normal(1, 4, 1, 1)) + 1,
    ),
    "Sub from a constant": model(node("Sub", "c x", "y"), c=normal(6), shape=ROW),
    "Tanh": one("Tanh"),
    "Transpose": model(
        node("GlobalAveragePool", "x", "a"),
        node("Transpose", "a", "b", perm=[0, 2, 3, 1]),
        node("Reshape", "b c", "y"),
        c=np.array([-1, 4]),
    ),
    "ai.onnx.ml.LinearClassifier": classifier(post_transform="NONE"),
    "ai.onnx.ml.LinearClassifier, by softmax": classifier(post_transform="SOFTMAX"),
    "ai.onnx.ml.LinearClassifier of two": classifier(post_transform="LOGISTIC", classes=2),
    "ai.onnx.ml.LinearClassifier, one against the rest": classifier(post_transform="LOGISTIC"),
    "ai.onnx.ml.LinearRegressor": of_table(
        ml("LinearRegressor", "x", "y", coefficients=[1.0, 2, 3, 4, 5, 6], intercepts=[0.5])
    ),
    "ai.onnx.ml.Normalizer": classifier(
        ml("Normalizer", "s", "y", norm="L1"), post_transform="SOFTMAX"
    ),
    "ai.onnx.ml.Scaler": of_table(
        ml("Scaler", "x", "y", offset=[1.0, -2, 3, 0, 5, 6], scale=[1.0, 2, 0.5, 0.1, 3, 1])
    ),
}


def outputs(layers: tuple[Layer, ...], shape: Shape, x: np.ndarray) -> np.ndarray:
    inputs = Images((*shape,), 255) if len(shape) == 3 else Columns(tuple(map(str, range(*shape))))
    network = Network(layers, Signature(inputs, Numbers("y", "")))
    signals(network)
    return floating.run(network, x.astype(np.float64))


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


class Residual(nn.Module):
    """A block with a branch, as in ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3, 2, 1)
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.ReLU6())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stem = torch.relu(self.first(x))
        return torch.softmax(self.head(self.body(stem) + stem), 1)


class Pixels(nn.Module):
    """What scales pixels, in the network itself."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x / 255 - 0.5) / torch.tensor([0.2, 0.3, 0.4, 0.5]).reshape(1, 4, 1, 1)


class MeanOfImages(nn.Module):
    """The mean of each channel, without a layer for it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(4, 6, 3), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(x)).mean((2, 3)))


ARCHITECTURES: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 2)), ROW),
    "normalized": (
        lambda: nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.LeakyReLU(), nn.Linear(9, 1)),
        ROW,
    ),
    "convolutional": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, (3, 2), padding=(1, 0)),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            nn.Dropout(),
            nn.Flatten(),
            nn.Linear(96, 4),
            nn.Sigmoid(),
        ),
        IMAGE,
    ),
    "separable": (
        lambda: nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(4, 8, 3, 2, groups=4),
            nn.ReLU6(),
            nn.Conv2d(8, 5, 1),
            nn.AvgPool2d(2, 1),
            nn.Flatten(),
        ),
        IMAGE,
    ),
    "residual": (Residual, IMAGE),
    "linear": (lambda: nn.Linear(6, 1), ROW),
    "classifier": (
        lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(1)),
        ROW,
    ),
    "scaled pixels": (lambda: nn.Sequential(Pixels(), nn.Conv2d(4, 3, 3), nn.Flatten()), IMAGE),
    "normalized first": (
        lambda: nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3), nn.ReLU(), nn.Flatten()),
        IMAGE,
    ),
    "mean of images": (MeanOfImages, IMAGE),
    "pooled": (
        lambda: nn.Sequential(nn.Conv2d(4, 5, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(30, 2)),
        IMAGE,
    ),
    "mobile": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.Conv2d(8, 6, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
        IMAGE,
    ),
}


Exporter = Callable[[nn.Module, torch.Tensor], bytes]


def older(opset: int, folded: bool) -> Exporter:
    """torch's exporter by tracing."""

    def export(module: nn.Module, x: torch.Tensor) -> bytes:
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own, about this exporter
            torch.onnx.export(
                module,
                (x,),
                file,
                dynamo=False,
                opset_version=opset,
                do_constant_folding=folded,
                dynamic_axes={"input": {0: "rows"}},
                input_names=["input"],
            )
        return file.getvalue()

    return export


def newer(opset: int) -> Exporter:
    """torch's exporter by dynamo."""

    def export(module: nn.Module, x: torch.Tensor) -> bytes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (x,),
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=({0: torch.export.Dim("rows")},),
                verbose=False,
            )
        return program.model_proto.SerializeToString()

    return export


OLDER = {
    f"opset {opset}{', folded' * folded}": older(opset, folded)
    for opset in (17, 20)
    for folded in (False, True)
}
NEWER = {f"dynamo, opset {opset}": newer(opset) for opset in (18, 20)}


@pytest.mark.parametrize("exporter", OLDER)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_torch_exports_comes_in(name: str, exporter: str) -> None:
    assert_the_same(name, OLDER[exporter])


@pytest.mark.release
@pytest.mark.parametrize("exporter", NEWER)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_torchs_newer_exporter_writes_comes_in(name: str, exporter: str) -> None:
    assert_the_same(name, NEWER[exporter])


def assert_the_same(name: str, export: Exporter) -> None:
    make, shape = ARCHITECTURES[name]
    torch.manual_seed(0)
    module, x = make().eval(), normal(4, *shape)
    layers, entering = layers_of(onnx.load_model_from_string(export(module, torch.from_numpy(x))))
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    got = outputs(layers, entering, x)
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.max(np.abs(expected)))


@pytest.mark.parametrize(
    ("proto", "problem"),
    [
        (one("Elu"), r"node 0 \(Elu\): no such layer; allowed are Add, "),
        (one("Relu").__class__.FromString(b""), "got opset 0; allowed are 11 to 25"),
        (one("Conv", KERNEL, dilations=[2, 2]), r"node 0 \(Conv\): dilations: got \[2, 2\]"),
        (one("Conv", normal(6, 3, 3, 3)), r"node 0 \(Conv\): got shape \(4, 8, 6\)"),
        (one("Conv", np.full_like(KERNEL, np.nan)), r"Conv\): input 1 \(c0\): got NaN"),
        (one("Gemm", normal(6, 5), normal(5), shape=ROW, transA=1), "transA: got 1"),
        (model(node("MatMul", "x x", "y"), shape=(6,)), "input 1: got a computed tensor"),
        (one("Add", normal(8, 6)), r"constant of shape \(8, 6\), which is no bias"),
        (one("Transpose", perm=[0, 2, 3, 1]), "perm: allowed is what leaves"),
        (one("Reshape", np.array([2, -1])), "shape: got .* keeps rows apart"),
        (one("Pad", np.array([0, 1, 0, 0, 0, 0, 0, 0])), "allowed are zeros around images"),
        (one("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 0, 0]), "count_include_pad"),
        (one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), "ceil_mode"),
        (one("Softmax", axis=2), "axis: got 2"),
        # The checker of onnx lets these through.
        (one("Conv", normal(6, 1, 3, 3), group=4), "got 6 outputs in 4 groups"),
        (one("Pad", np.array([0, 0, -1, 0, 0, 0, 0, 0])), r"got padding \(-1, 0, 0, 0\)"),
        (one("Transpose", perm=[0, 1, 2, 9]), r"node 0 \(Transpose\): not as the standard has it"),
        (one("Reshape", np.array([], np.int64)), r"node 0 \(Reshape\): shape: missing"),
        (one("MaxPool"), r"node 0 \(MaxPool\): not as the standard has it \(KeyError"),
        (one("MaxPool", kernel_shape=[2, 2], pads=[1, 1]), r"MaxPool\): pads: got \[1, 1\]"),
        (
            model(node("BatchNormalization", "x g b m v", "y"), **BATCH_NORM | {"v": -np.ones(4)}),
            r"BatchNormalization\): input 4 \(v\): got a negative variance",
        ),
        (one("ReduceMean", axes=[1]), "axes: got"),
        (model(node("Relu", "z", "y")), "tensor z: nothing before gives it"),
        (one("Relu", shape=(4, 0, 6)), r"input x: got \(rows, 4, 0, 6\), with 0 for what is not"),
        (one("Relu", shape=(4, 5)), r"input x: got \(rows, 4, 5\)"),
        (one("Relu", shape=(4, 10**9, 10**9)), "numbers a row; allowed are 1048576"),
        (one("Pad", np.array([0, 0, 2**40, 0, 0, 0, 0, 0])), "numbers at once; allowed are"),
        (one("Conv", KERNEL, pads=[1, 1]), r"pads: got \[1, 1\]; allowed are four"),
        (one("Conv", KERNEL, auto_pad="SAME"), "auto_pad: got SAME"),
        (one("Conv", KERNEL, kernel_shape=[5, 5]), r"kernel_shape: got \[5, 5\]"),
        (one("Conv", KERNEL, normal(1)), r"input 2 \(c1\): got shape \(1,\); allowed is \(6,\)"),
        (one("Conv", normal(0, 4, 3, 3)), r"got shape \(0, 4, 3, 3\)"),
        (one("Gemm", normal(6, 1), normal(5, 1), shape=ROW), r"constant of shape \(5, 1\)"),
        (
            one("Gemm", np.full((6, 1), 1e30, np.float32), shape=ROW, alpha=1e30),
            "more than float32",
        ),
        (one("MatMul", np.full((6, 1), 1e300), shape=ROW), "weights, .* are more than float32"),
        (one("BatchNormalization", *[np.ones(4)] * 4, training_mode=1), "training_mode: got 1"),
        (one("BatchNormalization", *[np.ones(1)] * 4), r"got shape \(1,\); allowed is \(4,\)"),
        (
            classifier(ml("Normalizer", "s", "y"), post_transform="SOFTMAX"),
            r"Normalizer\): norm: got b'MAX'; allowed is b'L1'",
        ),
        (one("Mul", np.full(6, 5e-324), shape=ROW), "scales by more than float64 holds"),
        (one("Dropout", np.float32(0.5), np.array(True)), "training_mode: got 1; allowed is 0"),
        (one("Cast", to=TensorProto.INT32), "to: got INT32; allowed are FLOAT and DOUBLE"),
        (one("Clip", normal(2)), r"min: got shape \(2,\)"),
        (model(node("Clip", "x x", "y")), "input 1: got a computed tensor"),
        (one("LeakyRelu", alpha=np.nan), "alpha: got nan"),
        (one("Reshape", np.array([0, 4, 8, 6]), allowzero=1), "allowzero: got 1"),
        (
            model(
                node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
                node("Add", "a b", "y"),
                shape=(4, 4, 4),
                w=normal(4, 4, 3, 3),
                b=normal(4),  # along the width, not the channels
            ),
            r"constant of shape \(4,\), which is no bias",
        ),
        (
            model(
                helper.make_node("RandomNormal", [], ["w"], shape=[6, 4, 3, 3]),
                node("Conv", "x w", "y"),
            ),
            "of constants; allowed are Abs, ",
        ),
    ],
)
def test_what_octet_has_not_is_named(proto: onnx.ModelProto, problem: str) -> None:
    with pytest.raises(OctetError, match=problem):
        layers_of(proto)


def test_a_file_that_is_no_whole_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    whole = GRAPHS["Conv"].SerializeToString()
    for content in (b"", b"{}", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(OctetError, match=r"net\.onnx: "):
            load(path)
    path.unlink()
    with pytest.raises(OctetError, match=r"net\.onnx: no such file"):
        load(path)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    external = one("Conv", KERNEL)
    onnx.save(external, path, save_as_external_data=True, size_threshold=0, convert_attribute=False)
    with pytest.raises(OctetError, match="weight c0: stands in another file"):
        load(path)
