"""Random integer networks for the tests of the runtime, of the export and of the reader."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from octet.affine import Grid, code_dtype
from octet.layers import (
    Conv2d,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
    Quantize,
    Relu,
    Standardize,
)
from octet.network import Network
from octet.parameters import Int32, Quantized, values
from octet.signature import Classes, Columns, Images, Numbers, Shape, Signature

IMAGE = (2, 8, 8)
FEATURES = 5


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
        Conv2d(*weighted(rng, (4, 2, 3, 3), start, bits, per_channel), 1, first),
        Relu(),
        MaxPool(2),
        Conv2d(*weighted(rng, (3, 4, 3, 3), first, bits, per_channel), 0, second),
        Relu(),
        Conv2d(*weighted(rng, (6, 3, 1, 1), second, bits, per_channel), 0, mean),
        GlobalAveragePool(last),
        Linear(*weighted(rng, (3, 6), last, bits, per_channel), activation(rng)),
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
        Linear(*weighted(rng, (3, inputs), start, bits, per_channel), activation(rng)),
    )
    return Network(layers, Signature(Images(IMAGE, 255), Classes(("a", "b", "c"))))


def table(seed: int, bits: int = 8, per_channel: bool = True) -> Network:
    """Two linear layers on the columns of a table."""
    rng = np.random.default_rng(seed)
    start, between = activation(rng), activation(rng, True)
    layers = (
        Standardize(rng.normal(size=FEATURES), rng.uniform(0.5, 2, FEATURES)),
        Quantize(start),
        Linear(*weighted(rng, (4, FEATURES), start, bits, per_channel), between),
        Relu(),
        Linear(*weighted(rng, (2, 4), between, bits, per_channel), activation(rng)),
    )
    names = tuple(f"x{i}" for i in range(FEATURES))
    return Network(layers, Signature(Columns(names), Numbers("y", "")))


def rows(network: Network, count: int, seed: int = 0) -> np.ndarray:
    """Inputs for a network: pixels, or numbers around 0."""
    rng = np.random.default_rng(seed)
    shape = (count, *network.signature.shape)
    if isinstance(network.signature, Images):
        return rng.integers(0, 256, shape).astype(np.uint8)
    return rng.normal(size=shape)


KINDS = {"images": images, "flattened": flattened, "table": table}


def unit(zero_point: int, scale: float = 1.0) -> Grid:
    """A grid of 8 bits with this zero point."""
    return Grid(np.array(scale, np.float32), np.array(zero_point, np.uint8), 8)


def one_output(weight: np.ndarray, entering: Grid, output: Grid, bias: int = 0) -> Network:
    """A linear layer with these codes for weights, whose zero is 128 and whose scale is 1."""
    biases = Int32(np.array([bias], np.int32), entering.scale.astype(np.float64).reshape(1))
    layer = Linear(Quantized(weight.astype(np.uint8)[None], unit(128)), biases, output)
    names = tuple(map(str, range(len(weight))))
    return Network((Quantize(entering), layer), Signature(Columns(names), Numbers("y", "")))


def in_float(network: Network, dtype: type[np.floating] = np.float64) -> Network:
    """The network of the reals that the codes stand for, its weights and biases in this type."""
    layers: list[Layer] = []
    for layer in network.layers:
        match layer:
            case Linear() | Conv2d():
                weight, bias = (values(p).astype(dtype) for p in (layer.weight, layer.bias))
                layers.append(replace(layer, weight=weight, bias=bias, output=None))
            case GlobalAveragePool():
                layers.append(GlobalAveragePool())
            case Quantize():
                pass
            case _:
                layers.append(layer)
    return replace(network, layers=tuple(layers))


def absolute(network: Network) -> Network:
    """What gives, for |x|, how much a relative error of 1 in all values could move each output.

    The network is in float.
    """
    layers: list[Layer] = []
    for layer in network.layers:
        match layer:
            case Standardize():
                layers.append(Standardize(-np.abs(layer.mean), layer.std))
            case Linear() | Conv2d():
                weight, bias = np.abs(layer.weight), np.abs(layer.bias)
                layers.append(replace(layer, weight=weight, bias=bias))
            case _:
                layers.append(layer)
    return replace(network, layers=tuple(layers))


class Anything:
    """Integer layers of any kind, one after the other, as long as they fit.

    Half of the scales are powers of two, with which many sums lie half-way between two codes, and a
    third of the zero points are the first or the last code.
    """

    def __init__(
        self, rng: np.random.Generator, shape: Shape, extent: float, bits: int, per_channel: bool
    ) -> None:
        self._rng = rng
        self._bits, self._per_channel = bits, per_channel
        self._entering = self._activation(extent)
        self.shape = shape
        self.layers: list[Layer] = [Quantize(self._entering)]

    def relu(self) -> None:
        self.layers.append(Relu())

    def max_pool(self) -> None:
        sides = [n for n in (1, 2, 3) if self.shape[1] % n == 0 and self.shape[2] % n == 0]
        side = int(self._rng.choice(sides))
        self.layers.append(MaxPool(side))
        self.shape = (self.shape[0], self.shape[1] // side, self.shape[2] // side)

    def conv2d(self) -> None:
        side = int(self._rng.integers(1, 4))
        least = max(0, -(-(side - min(self.shape[1:])) // 2))  # with less, the kernel is too large
        padding = int(self._rng.integers(least, side))
        outputs = int(self._rng.integers(1, 5))
        parts = self._weighted((outputs, self.shape[0], side, side))
        self.layers.append(Conv2d(*parts, padding, self._entering))
        self.shape = (outputs, *(n + 2 * padding - side + 1 for n in self.shape[1:]))

    def global_average_pool(self) -> None:
        self._entering = self._activation(float(self._entering.scale) * 128)
        self.layers.append(GlobalAveragePool(self._entering))
        self.shape = self.shape[:1]

    def flatten(self) -> None:
        self.layers.append(Flatten())
        self.shape = (int(np.prod(self.shape)),)

    def linear(self) -> None:
        outputs = int(self._rng.integers(1, 6))
        self.layers.append(Linear(*self._weighted((outputs, *self.shape)), self._entering))
        self.shape = (outputs,)

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
        for kind in rng.choice(["relu", "max_pool", "conv2d", "conv2d"], rng.integers(0, 4)):
            getattr(made, kind)()
        getattr(made, rng.choice(["flatten", "global_average_pool"]))()
    for _ in range(rng.integers(1, 3)):
        made.linear()
        if rng.random() < 0.5:
            made.relu()
    front = (Standardize(rng.normal(size=shape[:1]), std),) if standardize else ()
    layers = (*front, *made.layers)
    if is_table:
        return Network(layers, Signature(Columns(tuple("abcdef"[: shape[0]])), Numbers("y", "")))
    return Network(layers, Signature(Images(shape, 255), Classes(tuple("abcde"[: made.shape[0]]))))
