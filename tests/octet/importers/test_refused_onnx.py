"""What Octet has not in an ONNX file, or what is no whole one: one line that names it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from octet.errors import OctetError
from octet.importers.onnx import layers_of, load
from tests.octet.importers.graphs import (
    BATCH_NORM,
    GRAPHS,
    KERNEL,
    ROW,
    classifier,
    ml,
    model,
    node,
    normal,
    one,
)


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
