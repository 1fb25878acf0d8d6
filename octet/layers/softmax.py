"""Softmax: logits to probabilities; the last layer, and in float even behind integers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from octet import elementary
from octet.affine import Array
from octet.errors import OctetError
from octet.layers.layer import Layer, Signal
from octet.modelfile.fields import FieldReader, require
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Softmax(Layer):
    """y_i = e^(x_i) / Σ_j e^(x_j), of a row of logits ``(classes,)``."""

    kind: ClassVar[str] = "softmax"

    def shape(self, *entering: Shape) -> Shape:
        """``(classes,)``, as it was."""
        if len(entering[0]) != 1:
            raise OctetError(f"got shape {entering[0]}; allowed is one axis")
        return entering[0]

    def reals(self, *x: Array) -> Array:
        """The function, with the same bits on every CPU."""
        return elementary.softmax(x[0])

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        require(entering[0].grid is None, "softmax among integer layers: put a dequantize before")
        return super().load(spec, fields, *entering)

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Softmax of ONNX."""
        graph.node("Softmax", name, entering[0].name, axis=-1)
