"""Standardize: x less its mean, in deviations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.layers.layer import Signal
from octet.layers.pointwise import SameShape
from octet.modelfile.fields import FieldReader, FieldWriter, require
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Standardize(SameShape):
    """y = (x - mean) / std, of shape ``(features,)`` or ``(channels,)``; both stay float64."""

    kind: ClassVar[str] = "standardize"

    mean: Array
    std: Array

    def shape(self, *entering: Shape) -> Shape:
        """The same; as many features or channels as there are means."""
        if entering[0][:1] != self.mean.shape:
            raise OctetError(
                f"got shape {entering[0]}; allowed are {len(self.mean)} on its first axis"
            )
        return entering[0]

    def reals(self, *x: Array) -> Array:
        """The function."""
        mean, std = (self._along(array, x[0].shape[1:]) for array in (self.mean, self.std))
        return (x[0] - mean) / std

    @staticmethod
    def _along(array: Array, shape: Shape) -> Array:
        """As it broadcasts against rows of this shape."""
        return array.reshape(-1, *[1] * (len(shape) - 1))

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """Both arrays."""
        fields.reals("mean", self.mean)
        fields.reals("std", self.std)
        return {}

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        del spec
        (signal,) = entering
        require(signal.grid is None, "standardize behind quantize")
        mean = fields.reals("mean", signal.shape[:1], np.float64)
        std = fields.reals("std", signal.shape[:1], np.float64)
        require(bool(np.all(std > 0)), "std: every value must be positive")
        return cls(mean.astype(np.float64), std.astype(np.float64))

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Sub and Div."""
        (tensor,) = entering
        mean, std = (self._along(array, tensor.signal.shape) for array in (self.mean, self.std))
        mean_name = graph.constant(f"{name}.mean", graph.like(tensor, mean))
        std_name = graph.constant(f"{name}.std", graph.like(tensor, std))
        graph.node("Sub", f"{name}.centred", tensor.name, mean_name)
        graph.node("Div", name, f"{name}.centred", std_name)
