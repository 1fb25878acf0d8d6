"""Small ONNX graphs, an operator or a few each, and what Octet makes of them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from octet.layers import Layer
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
