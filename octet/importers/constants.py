"""Nodes of constants: what they give, by the definition of the standard, is a constant too.

A few bytes can ask for a tensor of any size, or double one again and again. So only operators are
computed of which is known beforehand how many numbers they give.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator

from octet.errors import OctetError

Constant = npt.NDArray[Any]

# Numbers: as many as the largest file holds.
MOST_NUMBERS = 1 << 26


def _as_many(*inputs: Constant) -> int:
    return sum(each.size for each in inputs)


def _broadcast(*inputs: Constant) -> int:
    return math.prod(np.broadcast_shapes(*(each.shape for each in inputs)))


def _gathered(data: Constant, indices: Constant) -> int:
    return data.size * indices.size


def _filled(shape: Constant) -> int:
    return math.prod(map(int, shape.reshape(-1)))


def _expanded(data: Constant, shape: Constant) -> int:
    return math.prod(np.broadcast_shapes(data.shape, tuple(map(int, shape.reshape(-1)))))


def _repeated(data: Constant, repeats: Constant) -> int:
    return data.size * _filled(repeats)


def _counted(start: Constant, limit: Constant, delta: Constant) -> int:
    return math.ceil(abs((float(limit) - float(start)) / float(delta)))


# How many numbers an operator gives at most for these inputs.
_SIZES: dict[str, Callable[..., int]] = {
    **dict.fromkeys(
        [
            *("Abs", "Cast", "Ceil", "Concat", "Constant", "Exp", "Flatten", "Floor", "Identity"),
            *("Log", "Neg", "Not", "Reciprocal", "ReduceProd", "ReduceSum", "Reshape", "Shape"),
            *("Size", "Slice", "Sqrt", "Squeeze", "Transpose", "Unsqueeze"),
        ],
        _as_many,
    ),
    **dict.fromkeys(
        [
            *("Add", "And", "Div", "Equal", "Greater", "Less", "Max", "Min", "Mod", "Mul", "Or"),
            *("Pow", "Sub", "Where"),
        ],
        _broadcast,
    ),
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Gather": _gathered,
    "Range": _counted,
    "Tile": _repeated,
}
_VALUES = ("value", "value_float", "value_floats", "value_int", "value_ints")


def computed(
    proto: onnx.NodeProto, constants: Mapping[str, Constant], opset: int, left: int, where: str
) -> Constant:
    """What a node of constants gives.

    Args:
        proto: the node.
        constants: by name, its inputs among them.
        opset: of the standard.
        left: how many numbers of `MOST_NUMBERS` other such nodes of the file left.
        where: what to call the node in errors.

    Raises:
        OctetError: it cannot be computed, gives other numbers each time, or gives too many.
    """
    size = _SIZES.get(proto.op_type)
    if size is None or proto.domain not in ("", "ai.onnx"):
        allowed = ", ".join(sorted(_SIZES))
        raise OctetError(f"{where}: of constants; allowed are {allowed}: export it folded")
    if proto.op_type == "Constant" and any(each.name not in _VALUES for each in proto.attribute):
        raise OctetError(f"{where}: got {proto.attribute[0].name}; allowed is a value, not sparse")
    if proto.op_type == "Cast" and proto.attribute[0].i == onnx.TensorProto.STRING:
        raise OctetError(f"{where}: to: got STRING; allowed are numbers")
    known = {name: constants[name] for name in proto.input if name}
    try:
        if (numbers := size(*known.values())) > left:
            raise OctetError(
                f"{where}: gives {numbers} numbers; allowed are {MOST_NUMBERS} of all nodes of "
                "constants together: export it folded"
            )
        results: list[Any] = [*ReferenceEvaluator(proto, opsets={"": opset}).run(None, known)]
        return np.asarray(results[0])
    except OctetError:
        raise
    except Exception as error:  # whatever an operator that is not a layer's raises
        reason = " ".join(str(error).split())
        raise OctetError(f"{where}: of constants, and not to be computed ({reason})") from None
