"""Each kind of layer as the contract test sees it: how one is made, and what torch does there."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from octet.affine import Array, Grid, asymmetric, quantize, symmetric
from octet.layers import (
    Add,
    AveragePool,
    Clip,
    Conv2d,
    Dequantize,
    Flatten,
    GlobalAveragePool,
    Gridded,
    Layer,
    LeakyRelu,
    Linear,
    MaxPool,
    Pad,
    Quantize,
    Relu,
    Reshape,
    Sigmoid,
    Softmax,
    Standardize,
    Tanh,
    Weighted,
)
from octet.network import Network
from octet.parameters import Int32, Quantized, values
from octet.signature import Columns, Images, Numbers, Shape, Signature

RNG = np.random.default_rng(20)
IMAGE = (4, 9, 7)
GRID = asymmetric(-2.0, 3.0, 8)

Torch = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Case:
    """One layer in float.

    Attributes:
        layer: with float32 weights, if it has any.
        entering: shapes of a row of each of its inputs.
        torch: the same function of tensors in float64.
        refused: shapes that may not enter.
        coded: whether the layer may stand among integer layers.
    """

    layer: Layer
    entering: tuple[Shape, ...]
    torch: Torch
    refused: tuple[tuple[Shape, ...], ...] = ()
    coded: bool = True

    def __str__(self) -> str:
        fields = {k: v for k, v in vars(self.layer).items() if isinstance(v, int | float | tuple)}
        words = [f"{key}={value}" for key, value in fields.items() if value and key != "inputs"]
        return " ".join([self.layer.kind, *words]).replace(" ", "")


def _normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def _conv(
    outputs: int, sides: tuple[int, int], stride: tuple[int, int], padding: int, groups: int
) -> Case:
    weight, bias = _normal(outputs, IMAGE[0] // groups, *sides), _normal(outputs)
    layer = Conv2d(weight, bias, padding, stride, groups)
    return Case(
        layer,
        (IMAGE,),
        lambda x: functional.conv2d(
            x, _double(weight), _double(bias), stride, padding, groups=groups
        ),
        refused=(
            ((5, 9, 7),),
            ((4, 1, 1),) if sides[0] > 1 + 2 * padding else ((3, 9, 7),),
            ((4,),),
        ),
    )


def _double(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float64))


def _sided_conv() -> Case:
    """Padding that differs by side, as networks with a stride of 2 from TensorFlow have it."""
    weight, bias = _normal(6, 4, 5, 4), _normal(6)
    return Case(
        Conv2d(weight, bias, (1, 0, 2, 3), 2),
        (IMAGE,),
        lambda x: functional.conv2d(
            functional.pad(x, (0, 3, 1, 2)), _double(weight), _double(bias), 2
        ),
    )


def _linear() -> Case:
    weight, bias = _normal(5, 6), _normal(5)
    return Case(
        Linear(weight, bias),
        ((6,),),
        lambda x: functional.linear(x, _double(weight), _double(bias)),
        refused=(((7,),), ((2, 3),), ((1, 6, 1),)),
    )


def _standardize() -> Case:
    mean, std = RNG.normal(size=4), RNG.uniform(0.5, 2, 4)
    each = (-1, 1, 1)
    return Case(
        Standardize(mean, std),
        (IMAGE,),
        lambda x: (x - _double(mean.reshape(each))) / _double(std.reshape(each)),
        refused=(((3, 9, 7),),),
        coded=False,
    )


def _pool(kind: type[MaxPool] | type[AveragePool], function: Torch) -> list[Case]:
    too_small = (((4, 1, 9),), ((4,),))
    windows = [(2, None), (3, 2), ((2, 3), (1, 2)), (3, 3), (3, 1)]
    return [
        Case(
            kind(side, stride),
            (IMAGE,),
            lambda x, side=side, stride=stride: function(x, side, stride),
            refused=too_small,
        )
        for side, stride in windows
    ]


def _on_grid(x: torch.Tensor) -> torch.Tensor:
    codes = quantize(x.numpy().astype(np.float32), GRID)
    return (_double(codes) - float(GRID.zero_point)) * float(GRID.scale)


CASES = [
    Case(Add(inputs=("a", "b")), (IMAGE, IMAGE), torch.add, refused=((IMAGE, (4, 9, 8)),)),
    *_pool(AveragePool, functional.avg_pool2d),
    *_pool(MaxPool, functional.max_pool2d),
    Case(
        MaxPool(3, 2, (1, 0, 1, 2)),
        (IMAGE,),
        lambda x: functional.max_pool2d(functional.pad(x, (0, 2, 1, 1), value=-torch.inf), 3, 2),
    ),
    Case(Clip(), (IMAGE,), functional.relu6),
    Case(Clip(-0.5, 1.25), ((6,),), lambda x: torch.clamp(x, -0.5, 1.25)),
    _conv(6, (3, 3), (1, 1), 1, 1),
    _conv(6, (2, 3), (2, 1), 0, 1),
    _conv(6, (1, 1), (2, 2), 0, 2),
    _conv(4, (3, 3), (1, 1), 1, 4),
    _conv(8, (3, 3), (2, 2), 1, 4),
    _sided_conv(),
    Case(Dequantize(), (IMAGE,), lambda x: x),
    Case(Flatten(), (IMAGE,), lambda x: torch.flatten(x, 1)),
    Case(GlobalAveragePool(), (IMAGE,), lambda x: x.mean((2, 3)), refused=(((4,),), ((4, 3),))),
    Case(LeakyRelu(), (IMAGE,), functional.leaky_relu),
    Case(LeakyRelu(0.3), ((6,),), lambda x: functional.leaky_relu(x, 0.3)),
    _linear(),
    Case(
        Pad((1, 2, 0, 3)), (IMAGE,), lambda x: functional.pad(x, (2, 3, 1, 0)), refused=(((4,),),)
    ),
    Case(Quantize(GRID), (IMAGE,), _on_grid),
    Case(Relu(), (IMAGE,), functional.relu),
    Case(Relu(), ((6,),), functional.relu),
    Case(Reshape((9, 28)), (IMAGE,), lambda x: x.reshape(-1, 9, 28), refused=(((4, 9, 8),),)),
    Case(Sigmoid(), (IMAGE,), torch.sigmoid),
    Case(Softmax(), ((6,),), lambda x: torch.softmax(x, 1), refused=((IMAGE,),), coded=False),
    _standardize(),
    Case(Tanh(), ((6,),), torch.tanh),
]


def in_codes(case: Case, entering: list[Grid], rng: np.random.Generator) -> Layer:
    """The layer of a case in integers: weights in codes, and a grid for what comes out."""
    layer = case.layer
    if isinstance(layer, Weighted):
        bits = int(rng.integers(2, 9))
        layer = _weights_in_codes(layer, entering[0], bits)
    if not isinstance(layer, Gridded):
        return layer
    grids = zip(entering, case.entering, strict=True)
    x = [rng.uniform(*_span(grid), (50, *shape)) for grid, shape in grids]
    y = layer.unrounded(*x)
    # Most outputs are on the grid, some are beyond its ends.
    return replace(layer, output=asymmetric(*np.quantile(y, [0.02, 0.98]), 8))


def _weights_in_codes(layer: Weighted, entering: Grid, bits: int) -> Weighted:
    weight, bias = values(layer.weight), values(layer.bias)
    each = (-1, *[1] * (weight.ndim - 1))
    largest = np.abs(weight).reshape(len(weight), -1).max(axis=1).reshape(each)
    grid = symmetric(-largest, largest, bits)
    scale = float(entering.scale) * grid.scale.astype(np.float64).reshape(-1)
    return replace(
        layer,
        weight=Quantized(quantize(weight, grid), grid),
        bias=Int32(np.rint(bias / scale).astype(np.int32), scale),
    )


def _span(grid: Grid) -> tuple[float, float]:
    ends = (np.array([0, grid.top]) - float(grid.zero_point)) * float(grid.scale)
    return float(ends[0]), float(ends[1])


def some_grid(rng: np.random.Generator) -> Grid:
    """Of 8 bits, around 0; half of the scales are powers of two, which make many ties."""
    scale = rng.uniform(0.01, 0.1)
    if rng.random() < 0.5:
        scale = 2.0 ** np.rint(np.log2(scale))
    zero_point = rng.choice([0, 255, *rng.integers(50, 200, 4)])
    return Grid(np.array(scale, np.float32), np.array(zero_point, np.uint8), 8)


def rows(shape: Shape, count: int, rng: np.random.Generator) -> Array:
    """Random rows in float64."""
    return np.asarray(2 * rng.normal(size=(count, *shape)))


def signature(shape: Shape) -> Signature:
    """Of rows of this shape; white is beyond what tests use, and so are pixels below 0."""
    outputs = Numbers("y", "")
    if len(shape) == 1:
        return Signature(Columns(tuple(f"x{i}" for i in range(shape[0]))), outputs)
    return Signature(Images((shape[0], shape[1], shape[2]), 255), outputs)


def network(case: Case) -> Network:
    """The layer alone, or behind what makes two branches of one input."""
    front: tuple[Layer, ...] = ()
    if case.layer.arity == 2:
        front = (Relu(name="a"), Tanh(name="b", inputs=("input",)))
    return Network((*front, case.layer), signature(case.entering[0]))


def integers(case: Case, rng: np.random.Generator) -> Network:
    """The same in integers, behind a Quantize."""
    start = some_grid(rng)
    if isinstance(case.layer, Quantize):
        return Network((replace(case.layer, grid=start),), signature(case.entering[0]))
    front: tuple[Layer, ...] = (Quantize(start, name="codes"),)
    entering = [start]
    if case.layer.arity == 2:
        tanh = Tanh(name="b", inputs=("codes",), output=some_grid(rng))
        front = (*front, Relu(name="a"), tanh)
        entering = [start, tanh.grid]
    return Network((*front, in_codes(case, entering, rng)), signature(case.entering[0]))
