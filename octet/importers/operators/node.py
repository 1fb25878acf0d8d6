"""One node of an ONNX graph, as its operator sees it; and the registry of operators."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from octet.affine import Array, Floats
from octet.errors import OctetError
from octet.importers.wiring import Layers
from octet.signature import Shape


@dataclass(frozen=True)
class Node:
    """One node of a graph.

    Attributes:
        operator: its type.
        inputs: the names of its tensors; empty where an optional one is left out.
        outputs: the names of what it gives.
        attributes: by name.
        constants: those of its inputs that are known, by name.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    constants: Mapping[str, npt.NDArray[Any]]

    @property
    def output(self) -> str:
        """The name of its first output; most have no other that is a tensor of rows."""
        return self.outputs[0]

    def has(self, i: int) -> bool:
        """Whether there is an input i: an optional one may be left out."""
        return i < len(self.inputs) and self.inputs[i] != ""

    def constant(self, i: int) -> npt.NDArray[Any] | None:
        """Input i if it is a constant; None if it is computed, or there is none."""
        return self.constants.get(self.inputs[i]) if self.has(i) else None

    def option(self, i: int) -> npt.NDArray[Any] | None:
        """Input i, which must be a constant where it is there."""
        value = self.constant(i)
        if value is None and self.has(i):
            raise OctetError(f"input {i}: got a computed tensor; allowed are constants")
        return value

    def weights(self, i: int, allowed: Shape | None = None) -> Array:
        """Input i: a constant of finite numbers, of the shape that is ``allowed``, if any is.

        Float64, which a scaler of a DOUBLE model needs; a weighted sum takes its `singles`.
        """
        value = self.option(i)
        if value is None:
            raise OctetError(f"input {i}: missing")
        numbers = value.astype(np.float64)
        if not np.all(np.isfinite(numbers)):
            raise OctetError(f"input {i} ({self.inputs[i]}): got NaN or an infinity")
        if numbers.size == 0 or allowed not in (None, numbers.shape):
            raise OctetError(
                f"input {i} ({self.inputs[i]}): got shape {numbers.shape}; "
                f"allowed is {allowed or 'one without a 0'}"
            )
        return numbers

    def refuse_other(self, **allowed: Any) -> None:
        """Raise an OctetError where an attribute is there and not what is allowed."""
        for name, value in allowed.items():
            got = self.attributes.get(name, value)
            if got != value:
                raise OctetError(f"{name}: got {got}; allowed is {value}")


def singles(x: npt.NDArray[Any]) -> Floats:
    """In float32; what that cannot hold becomes infinite, and is refused."""
    with np.errstate(over="ignore"):
        return x.astype(np.float32)


Operator = Callable[[Node, Layers], None]
OPERATORS: dict[str, Operator] = {}


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Say that a function makes layers of nodes of these types."""

    def register(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register
