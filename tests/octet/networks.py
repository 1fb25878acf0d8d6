"""Random integer networks for the tests of the runtime, of the export and of the reader."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from octet.affine import Grid, code_dtype
from octet.layers import (
    Add,
    AveragePool,
    Clip,
    Conv2d,
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
    Sigmoid,
    Standardize,
    Tanh,
    Weighted,
)
from octet.network import Network, flow, signals
from octet.parameters import Int32, Quantized, values
from octet.signature import Arrays, Classes, Column, Columns, Images, Numbers, Shape, Signature

IMAGE = (2, 8, 8)
FEATURES = 5


def output_grid(network: Network) -> Grid:
    """The grid of the last codes."""
    return [signal.grid for signal in signals(network) if signal.grid is not None][-1]


def activation(rng: np.random.Generator, behind_relu: bool = False) -> Grid:
    zero = 0 if behind_relu else rng.integers(0, 256)
    return Grid(np.float32(rng.uniform(0.01, 0.1)), np.uint8(zero), 8)


def weighted(
    rng: np.random.Generator, shape: tuple[int, ...], entering: Grid, bits: int, per_channel: bool
) -> tuple[Quantized, Int32]:
    """A weight and a bias for a layer whose input has this grid."""
    each = (shape[0], *[1] * (len(shape) - 1)) if per_channel else ()
    # Outputs as large as inputs, whatever the width and the number of inputs.
    unit = 1 / (2**bits * np.sqrt(np.prod(shape[1:])))
    scale = (unit * rng.uniform(0.5, 2, each)).astype(np.float32)
    zero = 2 ** (bits - 1) if per_channel else rng.integers(0, 2**bits)
    grid = Grid(np.asarray(scale), np.full(each, zero, code_dtype(bits)), bits)
    codes = rng.integers(0, 2**bits, shape).astype(code_dtype(bits))
    bias_scale = float(entering.scale) * grid.scale.astype(np.float64).reshape(-1)
    bias = rng.integers(-5000, 5000, shape[0]).astype(np.int32)
    return Quantized(codes, grid), Int32(bias, np.broadcast_to(bias_scale, shape[:1]))


def images(seed: int, bits: int = 8, per_channel: bool = True) -> Network:
    """Every kind of integer layer, on images."""
    rng = np.random.default_rng(seed)
    start = activation(rng)
    first = activation(rng, behind_relu=True)
    second, mean, last = (activation(rng) for _ in range(3))
    layers: tuple[Layer, ...] = (
        Standardize(rng.uniform(100, 150, 2), rng.uniform(20, 80, 2)),
        Quantize(start),
        Conv2d(*weighted(rng, (4, 2, 3, 3), start, bits, per_channel), padding=1, output=first),
        Relu(),
        MaxPool(2),
        Conv2d(*weighted(rng, (3, 4, 3, 3), first, bits, per_channel), output=second),
        Relu(),
        Conv2d(*weighted(rng, (6, 3, 1, 1), second, bits, per_channel), output=mean),
        GlobalAveragePool(output=last),
        Linear(*weighted(rng, (3, 6), last, bits, per_channel), output=activation(rng)),
    )
    return Network(layers, Signature(Images(IMAGE, 255), Classes(("a", "b", "c"))))


def flattened(seed: int, bits: int = 8, per_channel: bool = True) -> Network:
    """Images without a pool: their pixels are the inputs of a linear layer."""
    rng = np.random.default_rng(seed)
    start = activation(rng)
    inputs = int(np.prod(IMAGE))
    layers = (
        Standardize(np.full(2, 128.0), np.full(2, 50.0)),
        Quantize(start),
        Flatten(),
        Linear(*weighted(rng, (3, inputs), start, bits, per_channel), output=activation(rng)),
    )
    return Network(layers, Signature(Images(IMAGE, 255), Classes(("a", "b", "c"))))


def table(seed: int, bits: int = 8, per_channel: bool = True) -> Network:
    """Two linear layers on the columns of a table."""
    rng = np.random.default_rng(seed)
    start, between = activation(rng), activation(rng, True)
    layers = (
        Standardize(rng.normal(size=FEATURES), rng.uniform(0.5, 2, FEATURES)),
        Quantize(start),
        Linear(*weighted(rng, (4, FEATURES), start, bits, per_channel), output=between),
        Relu(),
        Linear(*weighted(rng, (2, 4), between, bits, per_channel), output=activation(rng)),
    )
    names = tuple(f"x{i}" for i in range(FEATURES))
    return Network(layers, Signature(Columns(names), Numbers("y", "")))


def in_array() -> Network:
    """Numbers from -1 to 1 in an array, as a network from elsewhere may take them."""
    rng = np.random.default_rng(0)
    start, end = unit(128, 2**-7), activation(rng)
    last = Linear(*weighted(rng, (2, 6), start, 8, True), output=end)
    return Network(
        (Quantize(start), Flatten(), last), Signature(Arrays((2, 3)), Classes(("a", "b")))
    )


def of_text() -> Network:
    """A table with text and gaps: age, and whether it is Oslo or Paris, or else Rome."""
    layer = Linear(np.array([[0.5, 100.0, 200.0]]), np.array([1.0]))
    table = Column("age", missing=30.0), Column("city", ("Rome", "Oslo", "Paris"), "Oslo")
    return Network((layer,), Signature(Columns.of(table), Numbers("price", "EUR")))


def rows(network: Network, count: int, seed: int = 0) -> np.ndarray:
    """Inputs for a network: pixels, or numbers around 0."""
    rng = np.random.default_rng(seed)
    shape = (count, *network.signature.shape)
    if isinstance(network.signature.inputs, Images):
        return rng.integers(0, 256, shape).astype(np.uint8)
    return rng.normal(size=shape)


KINDS = {"images": images, "flattened": flattened, "table": table}


def unit(zero_point: int, scale: float = 1.0) -> Grid:
    """A grid of 8 bits with this zero point."""
    return Grid(np.array(scale, np.float32), np.array(zero_point, np.uint8), 8)


def one_output(weight: np.ndarray, entering: Grid, output: Grid, bias: int = 0) -> Network:
    """A linear layer with these codes for weights, whose zero is 128 and whose scale is 1."""
    biases = Int32(np.array([bias], np.int32), entering.scale.astype(np.float64).reshape(1))
    layer = Linear(Quantized(weight.astype(np.uint8)[None], unit(128)), biases, output=output)
    names = tuple(map(str, range(len(weight))))
    return Network((Quantize(entering), layer), Signature(Columns(names), Numbers("y", "")))


def in_float(network: Network, dtype: type[np.floating] = np.float64) -> Network:
    """The network of the reals that the codes stand for, its weights and biases in this type."""
    return replace(
        network,
        layers=tuple(
            _layer_in_float(layer, dtype)
            for layer in network.layers
            if not isinstance(layer, Quantize)
        ),
    )


def _layer_in_float(layer: Layer, dtype: type[np.floating]) -> Layer:
    if isinstance(layer, Weighted):
        weight, bias = (values(p).astype(dtype) for p in (layer.weight, layer.bias))
        return replace(layer, weight=weight, bias=bias, output=None)
    return replace(layer, output=None) if isinstance(layer, Gridded) else layer


def last_codes(network: Network, codes: np.ndarray) -> np.ndarray:
    """What comes out at the end for codes behind the Quantize with which the network begins."""
    start, *layers = network.layers
    assert isinstance(start, Quantize)
    *_, (_, last) = flow(layers, Quantized(codes, start.grid), lambda layer, *x: layer.forward(*x))
    return last.codes


class Anything:
    """Integer layers of any kind, one after the other, as long as they fit.

    Half of the scales are powers of two, with which many sums lie half-way between two codes, and a
    third of the zero points are the first or the last code.
    """

    ON_IMAGES = ("pointwise", "branches", "max_pool", "average_pool", "pad", "conv2d", "conv2d")

    def __init__(
        self, rng: np.random.Generator, shape: Shape, extent: float, bits: int, per_channel: bool
    ) -> None:
        self._rng = rng
        self._bits, self._per_channel = bits, per_channel
        self._entering = self._activation(extent)
        self.shape = shape
        self.layers: list[Layer] = [Quantize(self._entering)]

    def pointwise(self) -> None:
        kind = self._rng.choice([Relu, Clip, LeakyRelu, Sigmoid, Tanh])
        if kind is Clip:
            half = self._extent() / 2
            self.layers.append(Clip(-half, half))
        elif kind is Relu:
            self.layers.append(Relu())
        else:
            self._entering = self._activation(1 if kind is not LeakyRelu else self._extent())
            self.layers.append(kind(output=self._entering))

    def branches(self) -> None:
        """What is there, and something that is made of it, added up."""
        if isinstance(self.layers[-1], Quantize):  # which in float is not there
            self.pointwise()
        trunk, branch = f"trunk{len(self.layers)}", f"branch{len(self.layers)}"
        self.layers[-1] = replace(self.layers[-1], name=trunk)
        self.pointwise()
        self.layers[-1] = replace(self.layers[-1], name=branch)
        self._entering = self._activation(2 * self._extent())
        self.layers.append(Add(inputs=(trunk, branch), output=self._entering))

    def max_pool(self) -> None:
        side, stride = self._window()
        self.layers.append(MaxPool(side, stride, int(self._rng.integers(0, min(side)))))
        self._follow()

    def average_pool(self) -> None:
        self._entering = self._activation(self._extent())
        self.layers.append(AveragePool(*self._window(), output=self._entering))
        self._follow()

    def pad(self) -> None:
        top, left, bottom, right = self._rng.integers(0, 3, 4).tolist()
        self.layers.append(Pad((top, left, bottom, right)))
        self._follow()

    def conv2d(self) -> None:
        side, stride = self._window()
        top, bottom = self._rng.integers(0, side[0], 2).tolist()
        left, right = self._rng.integers(0, side[1], 2).tolist()
        channels = self.shape[0]
        groups = int(self._rng.choice([1, channels]))
        outputs = groups * int(self._rng.integers(1, 5 if groups == 1 else 3))
        parts = self._weighted((outputs, channels // groups, *side))
        padding = (top, left, bottom, right)
        self.layers.append(Conv2d(*parts, padding, stride, groups, output=self._entering))
        self._follow()

    def global_average_pool(self) -> None:
        self._entering = self._activation(self._extent())
        self.layers.append(GlobalAveragePool(output=self._entering))
        self._follow()

    def flatten(self) -> None:
        self.layers.append(Flatten())
        self._follow()

    def linear(self) -> None:
        outputs = int(self._rng.integers(1, 6))
        parts = self._weighted((outputs, *self.shape))
        self.layers.append(Linear(*parts, output=self._entering))
        self._follow()

    def _follow(self) -> None:
        self.shape = self.layers[-1].shape(self.shape)

    def _window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Sides that fit into the image, and strides."""
        high, wide = (int(self._rng.integers(1, 1 + min(3, side))) for side in self.shape[1:])
        down, across = self._rng.integers(1, 3, 2).tolist()
        return (high, wide), (down, across)

    def _extent(self) -> float:
        return float(self._entering.scale) * 128

    def _weighted(self, shape: Shape) -> tuple[Quantized, Int32]:
        """Weight and bias; what they give for random codes spreads over the grid that is next."""
        rng = self._rng
        weight, _ = weighted(rng, shape, self._entering, self._bits, self._per_channel)
        zero_point = weight.grid.zero_point
        if not self._per_channel and rng.random() < 0.3:
            zero_point = np.array(rng.choice([0, 2**self._bits - 1]), np.uint8)
        weight = Quantized(
            weight.codes, Grid(self._some(weight.grid.scale), zero_point, self._bits)
        )
        steps = (weight.codes.astype(np.int64) - zero_point).reshape(shape[0], -1)
        seen = rng.integers(0, 256, (steps.shape[1], 50)) - int(self._entering.zero_point)
        sums = steps @ seen
        bias = rng.normal(size=shape[0]) * sums.std(axis=1) - sums.mean(axis=1)
        scale = np.float64(self._entering.scale) * weight.grid.scale.astype(np.float64).reshape(-1)
        scale = np.broadcast_to(scale, shape[:1])
        spread = float(np.max(sums.std(axis=1) * scale))
        self._entering = self._activation(3 * spread or 1.0)
        return weight, Int32(np.rint(bias).astype(np.int32), scale)

    def _activation(self, extent: float) -> Grid:
        """A grid of which some half lies between 0 and ``extent``, on either side."""
        zero = self._rng.choice([0, 255, *self._rng.integers(50, 200, 4)])
        scale = extent / 128 * self._rng.uniform(0.5, 1.5)
        return unit(int(zero), float(self._some(scale)))

    def _some(self, scale: npt.ArrayLike) -> npt.NDArray[np.float32]:
        if self._rng.random() < 0.5:
            scale = np.exp2(np.rint(np.log2(scale)))
        return np.asarray(scale, np.float32)


def anything(seed: int, bits: int, per_channel: bool) -> Network:
    """A table, or images that are not square, and any integer layers."""
    rng = np.random.default_rng(seed)
    is_table = rng.random() < 0.25
    shape = tuple(rng.integers(1, 7, 1 if is_table else 3).tolist())
    standardize = rng.random() < 0.5
    std = rng.uniform(0.5, 2, shape[:1])
    made = Anything(
        rng, shape, (3 if is_table else 255) / (std.mean() if standardize else 1), bits, per_channel
    )
    if not is_table:
        for kind in rng.choice(made.ON_IMAGES, rng.integers(0, 4)):
            getattr(made, kind)()
        getattr(made, rng.choice(["flatten", "global_average_pool"]))()
    for _ in range(rng.integers(1, 3)):
        made.linear()
        if rng.random() < 0.5:
            getattr(made, rng.choice(["pointwise", "branches"]))()
    front = (Standardize(rng.normal(size=shape[:1]), std),) if standardize else ()
    layers = (*front, *made.layers)
    if is_table:
        return Network(layers, Signature(Columns(tuple("abcdef"[: shape[0]])), Numbers("y", "")))
    return Network(layers, Signature(Images(shape, 255), Classes(tuple("abcde"[: made.shape[0]]))))
