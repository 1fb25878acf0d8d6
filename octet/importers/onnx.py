"""A network from an ONNX model. Needs the onnx package.

What becomes of an operator is a function in octet/importers/operators.py. Batch normalization is
folded into what is before it, as is the sum with a constant; what only changes the shape of a row
becomes one Reshape at most.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from octet.errors import OctetError
from octet.importers.operators import OPERATORS, Node
from octet.importers.wiring import Layers
from octet.layers import Layer
from octet.signature import Shape

_OPSETS = range(11, 26)
_MOST_BYTES = 1 << 28
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
        onnx.checker.check_model(model)
    except FileNotFoundError:
        raise OctetError(f"{path}: no such file") from None
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise OctetError(f"{path}: not a whole ONNX model ({reason})") from None
    try:
        return layers_of(model)
    except OctetError as error:
        raise OctetError(f"{path}: {error}") from None


def layers_of(model: onnx.ModelProto) -> tuple[tuple[Layer, ...], Shape]:
    """The layers of a checked model, and the shape of one row that goes in; errors as `load`."""
    graph = model.graph
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if opset not in _OPSETS:
        raise OctetError(
            f"got opset {opset}; allowed are {_OPSETS.start} to {_OPSETS.stop - 1}: export the "
            "network anew"
        )
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    name, shape = _input(graph, constants)
    layers = Layers(name, shape)
    taken = Counter(each for node in graph.node for each in node.input)
    layers.expect(dict(taken + Counter(each.name for each in graph.output)))
    for i, proto in enumerate(graph.node):
        where = f"node {proto.name or i} ({proto.op_type})"
        if all(name in constants for name in proto.input if name):
            constants[proto.output[0]] = _computed(proto, constants, where)
        elif proto.op_type not in OPERATORS or proto.domain not in ("", "ai.onnx"):
            allowed = ", ".join(sorted(OPERATORS))
            raise OctetError(f"{where}: no such layer; allowed are {allowed}")
        else:
            try:
                OPERATORS[proto.op_type](_node(proto, constants), layers)
            except OctetError as error:
                raise OctetError(f"{where}: {error}") from None
            except _NOT_A_NODE as error:
                raise OctetError(f"{where}: not as the standard has it ({error!r})") from None
    if len(graph.output) != 1:
        raise OctetError(f"got {len(graph.output)} outputs; allowed is one")
    return layers.finish(graph.output[0].name), shape


def _node(proto: onnx.NodeProto, constants: dict[str, npt.NDArray[np.generic]]) -> Node:
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute}
    known = {name: constants[name] for name in proto.input if name in constants}
    return Node(proto.op_type, tuple(proto.input), proto.output[0], attributes, known)


def _computed(
    proto: onnx.NodeProto, constants: dict[str, npt.NDArray[np.generic]], where: str
) -> npt.NDArray[np.generic]:
    """What a node of constants gives, by the definition of the standard."""
    known = {name: constants[name] for name in proto.input if name}
    try:
        results: list[Any] = [*ReferenceEvaluator(proto).run(None, known)]
        return np.asarray(results[0])
    except Exception as error:  # whatever an operator that is not a layer's raises
        reason = " ".join(str(error).split())
        raise OctetError(f"{where}: of constants, and not to be computed ({reason})") from None


def _input(
    graph: onnx.GraphProto, constants: dict[str, npt.NDArray[np.generic]]
) -> tuple[str, Shape]:
    """The one input that is no constant, and the shape of one row."""
    inputs = [each for each in graph.input if each.name not in constants]
    if len(inputs) != 1:
        raise OctetError(f"got {len(inputs)} inputs; allowed is one")
    first, *rest = inputs[0].type.tensor_type.shape.dim or [None]
    sides = [side.dim_value for side in rest]
    if first is None or not sides or min(sides) < 1:
        raise OctetError(
            f"input {inputs[0].name}: got a shape that is not known; allowed is (rows, …) with all "
            "sides but the first in numbers"
        )
    return inputs[0].name, tuple(sides)


def _refuse_external(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise OctetError(
                f"weight {tensor.name}: stands in another file; save the model with its weights "
                "inside"
            )
