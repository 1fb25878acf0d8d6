"""A network from an ONNX model. Needs the onnx package.

What becomes of an operator is a function in octet/importers/operators. Batch normalization is
folded into what is before it, as is the sum with a constant; what only changes the shape of a row
becomes one Reshape at most.
"""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from octet.errors import OctetError
from octet.importers.constants import MOST_NUMBERS, computed
from octet.importers.operators.registry import OPERATORS, Node
from octet.importers.wiring import Layers
from octet.layers import Layer
from octet.signature import LARGEST_ROW, Shape

_OPSETS = range(11, 26)
_MOST_BYTES = 1 << 28
_NUMBERS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.UINT8)
_STANDARD = ("", "ai.onnx")
_LABELS = (onnx.TensorProto.INT64, onnx.TensorProto.STRING)
_NOT_WHOLE = (
    DecodeError,
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
    ValueError,
)
# What taking a node apart raises where an attribute or a constant is not what it should be.
_NOT_A_NODE = (IndexError, KeyError, TypeError, ValueError)


def load(path: Path) -> tuple[tuple[Layer, ...], Shape]:
    """The layers of a model file, in float32, and the shape of one row that goes in.

    Raises:
        OctetError: the file is missing, damaged or no ONNX model, or has what Octet has not: the
            node and its operator are named.
    """
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise OctetError(f"{path}: got {size} bytes; allowed are up to {_MOST_BYTES}")
        model = onnx.load_model_from_string(path.read_bytes())
        _refuse_external(model)
        onnx.checker.check_model(model, full_check=True)
    except FileNotFoundError:
        raise OctetError(f"{path}: no such file") from None
    except _NOT_WHOLE as error:
        reason = " ".join(str(error).split())
        raise OctetError(f"{path}: not a whole ONNX model ({reason})") from None
    try:
        return layers_of(model)
    except OctetError as error:
        raise OctetError(f"{path}: {error}") from None


def layers_of(model: onnx.ModelProto) -> tuple[tuple[Layer, ...], Shape]:
    """The layers of a checked model, and the shape of one row that goes in; errors as `load`."""
    graph = model.graph
    opset = next((each.version for each in model.opset_import if each.domain in _STANDARD), 0)
    if opset not in _OPSETS:
        raise OctetError(
            f"got opset {opset}; allowed are {_OPSETS.start} to {_OPSETS.stop - 1}: export the "
            "network anew"
        )
    constants = {each.name: _array(each) for each in graph.initializer}
    name, shape = _input(graph, constants)
    layers = Layers(name, shape)
    last = _output(graph)
    nodes = _needed(graph, last)
    taken = Counter(each for node in nodes.values() for each in node.input)
    layers.expect(dict(taken + Counter([last])))
    left = MOST_NUMBERS
    for i, proto in nodes.items():
        where = f"node {proto.name or i} ({proto.op_type})"
        operator = _operator(proto)
        if all(name in constants for name in proto.input if name):
            result = constants[proto.output[0]] = computed(proto, constants, opset, left, where)
            left -= result.size
        elif operator not in OPERATORS:
            allowed = ", ".join(sorted(OPERATORS))
            raise OctetError(f"{where}: no such layer; allowed are {allowed}")
        else:
            try:
                OPERATORS[operator](_node(proto, constants), layers)
            except OctetError as error:
                raise OctetError(f"{where}: {error}") from None
            except _NOT_A_NODE as error:
                raise OctetError(f"{where}: not as the standard has it ({error!r})") from None
    return layers.finish(last), shape


def _operator(proto: onnx.NodeProto) -> str:
    """As `OPERATORS` has it: the standard's own without a domain."""
    return f"{proto.op_type}" if proto.domain in _STANDARD else f"{proto.domain}.{proto.op_type}"


def _output(graph: onnx.GraphProto) -> str:
    """The name of the one output; of a label and its probabilities, as skl2onnx has them, these."""
    names: list[str] = [each.name for each in graph.output]
    if len(names) == 2 and graph.output[0].type.tensor_type.elem_type in _LABELS:
        return names[1]
    if len(names) != 1:
        raise OctetError(f"got {len(names)} outputs; allowed is one")
    return names[0]


def _needed(graph: onnx.GraphProto, last: str) -> dict[int, onnx.NodeProto]:
    """The nodes on which an output depends, by their places."""
    needed, wanted = dict[int, onnx.NodeProto](), {last}
    for i, node in reversed([*enumerate(graph.node)]):
        if wanted & {*node.output}:
            needed[i] = node
            wanted |= {*node.input}
    return dict(sorted(needed.items()))


def _node(proto: onnx.NodeProto, constants: dict[str, npt.NDArray[np.generic]]) -> Node:
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute}
    for name, value in attributes.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise OctetError(f"{name}: got {value}; allowed are finite numbers")
    known = {name: constants[name] for name in proto.input if name in constants}
    return Node(proto.op_type, tuple(proto.input), tuple(proto.output), attributes, known)


def _input(
    graph: onnx.GraphProto, constants: dict[str, npt.NDArray[np.generic]]
) -> tuple[str, Shape]:
    """The one input that is no constant, and the shape of one row."""
    inputs = [each for each in graph.input if each.name not in constants]
    if len(inputs) != 1:
        raise OctetError(f"got {len(inputs)} inputs; allowed is one")
    tensor = inputs[0].type.tensor_type
    first, *rest = tensor.shape.dim or [None]
    sides = [side.dim_value for side in rest]
    if first is None or len(sides) not in (1, 3) or min(sides) < 1:
        raise OctetError(
            f"input {inputs[0].name}: got ({', '.join(['rows', *map(str, sides)])}), with 0 for "
            "what is not known; allowed are (rows, features) and (rows, channels, height, width)"
        )
    if math.prod(sides) > LARGEST_ROW:
        raise OctetError(
            f"input {inputs[0].name}: got {math.prod(sides)} numbers a row; allowed are "
            f"{LARGEST_ROW}"
        )
    if tensor.elem_type not in _NUMBERS:
        got = onnx.TensorProto.DataType.Name(tensor.elem_type)
        raise OctetError(f"input {inputs[0].name}: got {got}; allowed are FLOAT, DOUBLE and UINT8")
    return inputs[0].name, tuple(sides)


def _array(tensor: onnx.TensorProto) -> npt.NDArray[np.generic]:
    try:
        return numpy_helper.to_array(tensor)
    except (TypeError, ValueError) as error:
        raise OctetError(f"weight {tensor.name}: not a whole tensor ({error})") from None


def _refuse_external(model: onnx.ModelProto) -> None:
    attributes = [each for node in model.graph.node for each in node.attribute]
    for tensor in [
        *model.graph.initializer,
        *(each.t for each in attributes if each.HasField("t")),
    ]:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise OctetError(
                f"weight {tensor.name}: stands in another file; save the model with its weights "
                "inside"
            )
