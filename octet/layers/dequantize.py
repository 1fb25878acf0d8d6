"""Dequantize: from codes back to reals, in front of what stays in float."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from octet.affine import Array, dequantize
from octet.errors import OctetError
from octet.layers.layer import Signal, Value
from octet.layers.pointwise import SameShape
from octet.modelfile.fields import FieldReader, require
from octet.parameters import Quantized

if TYPE_CHECKING:
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Dequantize(SameShape):
    """From codes to the reals that they stand for."""

    kind: ClassVar[str] = "dequantize"

    def reals(self, *x: Array) -> Array:
        """They are reals."""
        return x[0]

    def forward(self, *x: Value) -> Value:
        """The reals.

        Raises:
            OctetError: the rows are in reals.
        """
        (value,) = x
        if not isinstance(value, Quantized):
            raise OctetError("a dequantize without a quantize in front of it")
        return dequantize(value.codes, value.grid)

    def signal(self, *entering: Signal) -> Signal:
        """Reals."""
        return Signal(entering[0].shape)

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        del spec, fields
        require(entering[0].grid is not None, "dequantize without quantize in front")
        return cls()

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Sub and Mul in float64: the products do not all fit into DequantizeLinear's float32."""
        graph.dequantize(name, entering[0], np.float64)
