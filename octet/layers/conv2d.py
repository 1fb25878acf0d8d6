"""Conv2d: cross-correlation with a stride, groups, and padding of its own on each side."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import correlation, windows
from octet.layers.correlation import Result
from octet.layers.layer import Signal
from octet.layers.weighted import Weighted, outputs_of
from octet.layers.windows import (
    Number,
    Padding,
    Sides,
    Window,
    dump_window,
    load_window,
)
from octet.modelfile.fields import FieldReader, FieldWriter, require, whole
from octet.parameters import shape_of, values
from octet.signature import Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor


@dataclass(frozen=True)
class Conv2d(Weighted):
    """Cross-correlation with weight ``(outputs, channels / groups, height, width)``.

    Attributes:
        padding: zeros around the images: on every side, or above, left, below and right.
        stride: down and across, or one number for both.
        groups: into which the channels and the outputs are shared out, in their order: output i
            sees the channels of its group alone. As many as channels make it depthwise.
    """

    kind: ClassVar[str] = "conv2d"

    padding: int | Padding = 0
    stride: int | Sides = 1
    groups: int = 1

    @property
    def window(self) -> Window:
        """The kernel's."""
        _, _, high, wide = shape_of(self.weight)
        return windows.window((high, wide), self.stride, self.padding)

    @property
    def group_count(self) -> int:
        """As the field says."""
        return self.groups

    def shape(self, *entering: Shape) -> Shape:
        """``(channels, height, width)`` to ``(outputs, positions down, positions across)``."""
        windows.refuse_no_image(entering[0])
        channels = shape_of(self.weight)[1] * self.groups
        if entering[0][0] != channels:
            raise OctetError(f"got shape {entering[0]}; allowed are {channels} channels")
        if self.outputs % self.groups:
            raise OctetError(
                f"got {self.outputs} outputs in {self.groups} groups; allowed are multiples"
            )
        return (self.outputs, *self.window.positions(entering[0]))

    def numbers(self, *entering: Shape) -> int:
        """Of the output, of what the kernel sees, and of the padded image, the most."""
        outputs, high, wide = self.shape(*entering)
        inputs = self.groups * math.prod(shape_of(self.weight)[1:])
        image = math.prod(windows.padded(entering[0], self.window.padding))
        return max(high * wide * max(outputs, inputs), image)

    def patches(self, x: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """What the kernel sees at each position."""
        return correlation.patches(x, self.window, self.groups)

    def products(
        self,
        x: npt.NDArray[np.number],
        weight: npt.NDArray[Number],
        finish: Callable[[npt.NDArray[Number]], npt.NDArray[Result]],
    ) -> npt.NDArray[Result]:
        """Of what the kernel sees at each position."""
        return correlation.products(x, weight, self.window, finish)

    def unrounded(self, *x: Array) -> Array:
        """Exact sums of rounded factors, see `correlation.correlate`."""
        weight, bias = values(self.weight), values(self.bias)
        return correlation.correlate(x[0], weight, self.window, self.groups, bias)

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """As other layers with weights, and the window."""
        groups = {} if self.groups == 1 else {"groups": self.groups}
        return dump_window(self.window, stride=(1, 1)) | groups | super().dump(fields)

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        shape, grid = entering[0].shape, entering[0].grid
        outputs = outputs_of(spec)
        where, groups = load_window(spec, stride=1), whole(spec.get("groups", 1), 1)
        where.positions(shape)
        require(
            shape[0] % groups == outputs % groups == 0,
            f"groups: got {groups}; {shape[0]} channels and {outputs} outputs must be multiples",
        )
        kernel = (outputs, shape[0] // groups, *where.sides)
        weight = fields.parameter("weight", spec["weight"], kernel)
        bias = fields.bias("bias", spec["bias"], outputs, weight, grid)
        output = fields.output(spec, grid)
        layer = cls(weight, bias, where.padding, where.stride, groups, output=output)
        layer.refuse_unfit(grid)
        return layer

    def to_onnx(self, graph: "Graph", name: str, *entering: "Tensor") -> None:
        """Conv, or QLinearConv."""
        self.add_conv(
            graph,
            name,
            entering[0],
            shape_of(self.weight),
            group=self.groups,
            **graph.window(self.window),
        )

    def to_c(self, plan: "Plan", *entering: "Rows") -> "Rows":
        """Sums of products."""
        shape = self.shape(entering[0].shape)
        return self.add_sums(plan, entering[0], shape_of(self.weight), self.window, shape)
