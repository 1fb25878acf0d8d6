"""ONNX files from strangers: each is one line or a network, in little memory."""

import random
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from octet.errors import OctetError
from octet.importers.onnx import load
from tests.octet.importers.graphs import GRAPHS, KERNEL, ROW, model, node, normal, one

SPARE = 1 << 30


@pytest.fixture(autouse=True)
def _little_memory() -> Iterator[None]:
    """No more than a gigabyte above what the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + SPARE
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def content_of(proto: onnx.ModelProto) -> bytes:
    """The bytes of a file, which the checker wants to say how many axes the output has."""
    whole = onnx.ModelProto.FromString(proto.SerializeToString())
    for output in whole.graph.output:
        axes = len(whole.graph.input[0].type.tensor_type.shape.dim)
        kind = output.type.tensor_type.elem_type
        sides = ["rows", *(f"{output.name}{i}" for i in range(1, axes))]
        output.CopyFrom(helper.make_tensor_value_info(output.name, kind, sides))
    return whole.SerializeToString()


def of_constants(*nodes: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    """The sum of what these nodes make is added to a row."""
    total = node("ReduceSum", "big", "total", keepdims=0)
    return model(*nodes, total, node("Add", "x total", "y"), shape=ROW, **constants)


def announced() -> onnx.ModelProto:
    proto = one("Conv", KERNEL)
    del proto.graph.initializer[0].dims[:]
    proto.graph.initializer[0].dims.extend([2**29])
    return proto


def sparse() -> onnx.ModelProto:
    few = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("i", TensorProto.INT64, [1], [7])
    value = helper.make_sparse_tensor(few, places, [2**40])
    return of_constants(helper.make_node("Constant", [], ["big"], sparse_value=value))


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


DOUBLED = [node("Concat", f"d{i} d{i}", f"d{i + 1}", axis=0) for i in range(60)]
HOSTILE = {
    "a cycle": (model(node("Relu", "b", "a"), node("Relu", "a", "b")), "not a whole ONNX model"),
    "of five axes": (one("Relu", shape=(1, 2, 3, 4)), "input x: got"),
    "shapes that do not meet": (
        one("Conv", normal(6, 3, 3, 3)),
        "not a whole ONNX model|got shape",
    ),
    "2 GB announced": (announced(), "not a whole (tensor|ONNX model)"),
    "sparse": (sparse(), "sparse_value; allowed is a value"),
    "ConstantOfShape": (
        of_constants(node("ConstantOfShape", "s", "big"), s=whole(2**40)),
        "gives 1099511627776 numbers; allowed are 67108864",
    ),
    "Expand": (
        of_constants(node("Expand", "c s", "big"), c=normal(1), s=whole(2**33)),
        "gives 8589934592 numbers",
    ),
    "Tile": (
        of_constants(node("Tile", "c s", "big"), c=normal(6), s=whole(2**33)),
        "gives 51539607552 numbers",
    ),
    "Range": (
        of_constants(
            node("Range", "a b d", "r"),
            node("Cast", "r", "big", to=TensorProto.FLOAT),
            a=whole(0)[0],
            b=whole(2**40)[0],
            d=whole(1)[0],
        ),
        "gives 1099511627776 numbers",
    ),
    "an outer sum": (
        of_constants(node("Add", "a b", "big"), a=normal(2**15, 1), b=normal(1, 2**15)),
        "gives 1073741824 numbers",
    ),
    "doubled again and again": (
        of_constants(*DOUBLED, node("Identity", "d60", "big"), d0=normal(6)),
        "numbers; allowed are 67108864",
    ),
    "a little, again and again": (
        of_constants(
            node("ConstantOfShape", "s", "a0"),
            *(node("Add", f"a{i} a{i}", f"a{i + 1}") for i in range(9)),
            node("Identity", "a9", "big"),
            s=whole(2**23),
        ),
        "gives 8388608 numbers; allowed are 67108864 of all nodes",
    ),
    "Cast to words": (
        of_constants(
            node("Cast", "a", "words", to=TensorProto.STRING),
            node("Cast", "words", "big", to=TensorProto.FLOAT),
            a=normal(6),
        ),
        "to: got STRING; allowed are numbers",
    ),
    "Gather": (
        of_constants(node("Gather", "a i", "big"), a=normal(1, 2**14), i=np.zeros(2**14, np.int64)),
        "gives 268435456 numbers",
    ),
    "a factor for each of many features": (
        model(
            node("Tanh", "x", "t"),
            node("BatchNormalization", "t g b m v", "y"),
            shape=(2**16,),
            **dict.fromkeys("gbmv", np.ones(2**16, np.float32)),
        ),
        "got 65536 features, each with a factor",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_asks_for_too_much_is_one_line(name: str, tmp_path: Path) -> None:
    proto, problem = HOSTILE[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(content_of(proto))
    with pytest.raises(OctetError, match=problem) as caught:
        load(path)
    assert str(caught.value).splitlines() == [str(caught.value)]


@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_file_is_one_line_or_a_network(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    path = tmp_path / "net.onnx"
    refused = 0
    for _ in range(100):
        content = bytearray(content_of(rng.choice([*GRAPHS.values()])))
        if rng.random() < 0.3:
            del content[rng.randrange(len(content)) :]
        for _ in range(rng.choice([1, 2, 8])):
            if content:
                content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        message = refusal(path)
        assert message.splitlines() == [message] * bool(message)
        refused += bool(message)
    assert refused > 20


def refusal(path: Path) -> str:
    """What is said of a file; empty if it is a network."""
    try:
        load(path)
    except OctetError as error:
        return str(error)
    return ""
