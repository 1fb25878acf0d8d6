"""Add: the sum of two branches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from octet.affine import Array, Floats, quantize
from octet.errors import OctetError
from octet.layers.layer import Gridded, Signal
from octet.modelfile.fields import FieldReader, FieldWriter, require
from octet.parameters import Quantized
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Add(Gridded):
    """y = a + b, of two layers whose rows have the same shape.

    Of codes on the grids (s_a, z_a) and (s_b, z_b), the sum on (s_y, z_y) is

        q_y = clip(round_half_even(fl(fl(s_a (q_a - z_a)) + fl(s_b (q_b - z_b))) / s_y) + z_y, 0, n)

    where fl rounds to float32: DequantizeLinear, Add and QuantizeLinear as the standard defines
    them, one after the other. ONNX Runtime gives these codes at its levels ``disabled`` and
    ``basic``; from ``extended`` on it fuses the four nodes into a QLinearAdd of its own, which
    rounds otherwise (8 of 2 million pairs of codes differ by one). The standard is the oracle. So
    that a session at any level gives its codes, `to_onnx` writes DequantizeLinear as what it is
    made of, Cast, Sub and Mul, which nothing fuses.
    """

    kind: ClassVar[str] = "add"
    arity: ClassVar[int] = 2

    def shape(self, *entering: Shape) -> Shape:
        """That of both."""
        if entering[0] != entering[1]:
            raise OctetError(f"got shapes {entering[0]} and {entering[1]}; both must be the same")
        return entering[0]

    def unrounded(self, *x: Array) -> Array:
        """The sum."""
        return x[0] + x[1]

    def codes(self, *x: Quantized) -> Quantized:
        """The formula above."""
        total = _singles(x[0]) + _singles(x[1])
        return Quantized(quantize(total, self.grid), self.grid)

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """The grid of the output."""
        return fields.output(self.output)

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        first, second = entering
        require((first.grid is None) == (second.grid is None), "one branch is in codes, one is not")
        return cls(output=fields.output(spec, first.grid))

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Add; of codes as above."""
        if self.output is None:
            graph.node("Add", name, *(graph.single(tensor) for tensor in entering))
            return
        singles = [
            graph.dequantize(f"{name}.{i}", tensor, np.float32) for i, tensor in enumerate(entering)
        ]
        graph.node("Add", f"{name}.sum", *singles)
        graph.node("QuantizeLinear", name, f"{name}.sum", *graph.scale(name, self.output))

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """As above, in float32."""
        first, second = entering
        tops = [Quantized(np.array([0, rows.grid.top]), rows.grid) for rows in entering]
        self.codes(*tops)  # raises where a sum is more than float32 holds
        return plan.sum(first, plan.as_image(second, first.image), self.grid)


def _singles(value: Quantized) -> Floats:
    """What the codes stand for, rounded to float32: DequantizeLinear."""
    zero_point = value.grid.zero_point.astype(np.float32)
    return (value.codes.astype(np.float32) - zero_point) * value.grid.scale
