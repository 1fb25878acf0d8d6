"""What linear layers and convolutions have in common: weights, and sums of products with them."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from octet.affine import Codes, Floats, Grid
from octet.errors import OctetError
from octet.layers import integers
from octet.layers.correlation import Result
from octet.layers.integers import Accumulators, Scales
from octet.layers.layer import Gridded
from octet.layers.windows import Number, Window
from octet.modelfile.fields import FieldWriter, require
from octet.parameters import Int32, Parameter, Quantized, shape_of, values
from octet.signature import LARGEST_ROW, Shape

if TYPE_CHECKING:
    from octet.exporters.c.plan import Plan, Rows
    from octet.exporters.onnx import Graph, Tensor

_TOGETHER = 2**16


@dataclass(frozen=True)
class Products:
    """What a sum of products has: see formulas 1 and 2 of `octet.layers.integers`.

    Attributes:
        weight: ``(outputs, channels / groups, *sides)``.
        bias: ``(outputs,)``.
        m: ``(outputs,)`` or ``(1,)``.
        groups: into which channels and outputs are shared out.
    """

    weight: Quantized
    bias: Accumulators
    m: Scales
    groups: int


@dataclass(frozen=True)
class Weighted(Gridded):
    """A layer whose every output is a sum of products with weights of its own, and a bias.

    The inputs may be shared out into groups, in their order, and the outputs too: each output sees
    its group alone.

    Attributes:
        weight: ``(outputs, …)``.
        bias: ``(outputs,)``.
    """

    weight: Parameter
    bias: Parameter

    def __post_init__(self) -> None:
        """Raise an OctetError if there is not one bias for each output: NumPy would spread it."""
        weight, bias = shape_of(self.weight), shape_of(self.bias)
        if bias != weight[:1]:
            raise OctetError(
                f"got a bias of shape {bias} for a weight of shape {weight}; allowed is "
                f"{weight[:1]}: one for each output"
            )

    @property
    def outputs(self) -> int:
        """How many sums there are."""
        return shape_of(self.bias)[0]

    @property
    def group_count(self) -> int:
        """Into how many groups inputs and outputs are shared out."""
        return 1

    @abstractmethod
    def patches(self, x: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """What the weights see of rows ``(rows, …)``, in which 0 is what padding stands for.

        Returns:
            ``(groups, inputs of one output, rows, *positions)``.
        """

    @abstractmethod
    def products(
        self,
        x: npt.NDArray[np.number],
        weight: npt.NDArray[Number],
        finish: Callable[[npt.NDArray[Number]], npt.NDArray[Result]],
    ) -> npt.NDArray[Result]:
        """What becomes of sums of products of rows, with other weights than the layer's own.

        Args:
            x: ``(rows, …)``, which the type of the weight holds.
            weight: ``(groups, outputs of one, inputs of one output)``, of a type that holds all
                sums without rounding: their order is free.
            finish: what to do with some of the sums, ``(…, outputs, any number)``; it may overwrite
                them, and must not keep them: the next ones may be written there.

        Returns:
            ``(rows, outputs, *positions)``.
        """

    def codes(self, *x: Quantized) -> Quantized:
        """Formulas 1 to 3 of `octet.layers.integers`."""
        (entering,) = x
        m = integers.multiplier(entering.grid, self._weight_scale(), self.grid)
        exact = integers.exact_type(self.largest_sum(entering.grid))
        bias = self._int32().codes.astype(exact)

        def finish(sums: Floats) -> Codes:
            sums += bias[:, None]
            return integers.requantize(sums, m[:, None], self.grid)

        weight = self._weight_steps.astype(exact, copy=False)
        steps = integers.centred(entering.codes, entering.grid)
        return Quantized(self.products(steps, weight, finish), self.grid)

    @cached_property
    def _weight_steps(self) -> npt.NDArray[np.float32]:
        """q_w - z_w, ``(groups, outputs of one, inputs of one output)``."""
        weight = self._quantized()
        steps = weight.codes.astype(np.float32) - weight.grid.zero_point.astype(np.float32)
        return steps.reshape(self.group_count, self.outputs // self.group_count, -1)

    def _weight_scale(self) -> Scales:
        """``(outputs,)`` or ``(1,)``."""
        return self._quantized().grid.scale.reshape(-1)

    def largest_sum(self, entering: Grid) -> int:
        """A bound on |acc| that no input can exceed, from the codes of the layer alone.

        |Σ (q_x - z_x)(q_w - z_w) + q_b| ≤ Σ |q_w - z_w| · max(z_x, n - z_x) + |q_b|, for each
        output; the largest of them. Below 2³¹ no sum, nor any part of one, overflows int32.

        Args:
            entering: the grid of the input.

        Raises:
            OctetError: the weight is not in codes, or the bias not in int32.
        """
        reach = max(int(entering.zero_point), entering.top - int(entering.zero_point))
        return int(np.max(self._weight_sums * reach + np.abs(self._int32().codes.astype(np.int64))))

    @cached_property
    def _weight_sums(self) -> npt.NDArray[np.int64]:
        """Σ |q_w - z_w| of each output."""
        weight = self._quantized()
        codes = weight.codes.reshape(self.outputs, -1)
        zero_point = np.broadcast_to(weight.grid.zero_point.reshape(-1, 1), (self.outputs, 1))
        # Some outputs at a time: in 32 bits the codes are many times as large as in their file.
        together = max(1, _TOGETHER // max(codes.shape[1], 1))
        sums = np.empty(self.outputs, np.int64)
        for i in range(0, self.outputs, together):
            part = slice(i, i + together)
            steps = np.abs(codes[part] - zero_point[part].astype(np.int32))
            sums[part] = steps.sum(axis=1)
        return sums

    def _quantized(self) -> Quantized:
        if not isinstance(self.weight, Quantized):
            raise OctetError(f"a {self.kind} among integer layers has its weight in float")
        return self.weight

    def _int32(self) -> Int32:
        if not isinstance(self.bias, Int32):
            raise OctetError(f"a {self.kind} among integer layers has its bias not in int32")
        return self.bias

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """Weight, bias and grids."""
        shared = (
            isinstance(self.weight, Quantized)
            and isinstance(self.bias, Quantized)
            and self.weight.grid.is_like(self.bias.grid)
        )
        return {
            "outputs": self.outputs,
            "weight": fields.parameter("weight", self.weight, "weight"),
            "bias": fields.parameter("bias", self.bias, "weight" if shared else "bias"),
            **fields.output(self.output),
        }

    def refuse_unfit(self, entering: Grid | None) -> None:
        """Raise an OctetError unless, among integers, codes and sums are those of integer layers.

        They have at most one scale an output, and sums that fit int32.
        """
        if entering is None:
            return
        weight = self.weight
        require(
            isinstance(weight, Quantized) and isinstance(self.bias, Int32),
            "behind quantize, the weight must be in codes and the bias in int32",
        )
        grid = self._quantized().grid
        require(
            grid.bits <= 8 and grid.scale.size in (1, *grid.scale.shape[:1]),
            "weight: among integer layers, codes have up to 8 bits and a scale per output",
        )
        largest = self.largest_sum(entering)
        require(largest <= integers.LARGEST_SUM, f"sums up to {largest} do not fit int32")
        refuse_infinite(entering, self._weight_scale(), self.grid)

    def add_conv(
        self, graph: "Graph", name: str, entering: "Tensor", kernel: Shape, **attributes: Any
    ) -> None:
        """Nodes of a convolution with these weights, taken to have this shape."""
        if entering.signal.grid is None:
            weight = graph.singles(f"{name}.weight", values(self.weight).reshape(kernel))
            bias = graph.singles(f"{name}.bias", values(self.bias))
            graph.node("Conv", name, graph.single(entering), weight, bias, **attributes)
            return
        codes = self._quantized().codes.reshape(kernel)
        graph.qlinearconv(
            name,
            entering,
            Quantized(codes, self._quantized().grid),
            self.grid,
            graph.constant(f"{name}.bias", self._int32().codes),
            **attributes,
        )

    def add_sums(
        self, plan: "Plan", entering: "Rows", kernel: Shape, where: Window, shape: Shape
    ) -> "Rows":
        """Formulas 1 to 3 of `octet.layers.integers` with these weights, taken to have this shape.

        Args:
            plan: gets the step.
            entering: what the kernel sees.
            kernel: ``(outputs, channels of a group, height, width)``.
            where: its positions.
            shape: of what leaves.
        """
        weight = self._quantized()
        products = Products(
            Quantized(weight.codes.reshape(kernel), weight.grid),
            self._int32().codes,
            integers.multiplier(entering.grid, self._weight_scale(), self.grid),
            self.group_count,
        )
        return plan.sums(entering, products, where, self.grid, shape)


def refuse_infinite(entering: Grid, weight_scale: Scales, leaving: Grid) -> None:
    """Raise an OctetError if the multiplier of formula 2 is more than float32 holds."""
    with np.errstate(over="ignore"):
        m = integers.multiplier(entering, weight_scale, leaving)
    require(bool(np.all(np.isfinite(m))), "the product of its scales is more than float32 holds")


def outputs_of(spec: Mapping[str, Any]) -> int:
    """How many outputs the header of a model file announces."""
    outputs = spec["outputs"]
    require(
        type(outputs) is int and 0 < outputs <= LARGEST_ROW,
        f"outputs: got {outputs!r}; allowed are 1 to {LARGEST_ROW}",
    )
    return int(outputs)
