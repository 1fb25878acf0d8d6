"""What tests of quantization and of evaluation share: layers, networks and ways to quantize."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from octet import affine
from octet.affine import Array, Grid
from octet.layers import (
    Add,
    Clip,
    Conv2d,
    GlobalAveragePool,
    LeakyRelu,
    Linear,
    MaxPool,
    Relu,
    Softmax,
    Standardize,
    Weighted,
)
from octet.network import Network
from octet.parameters import Int32, Quantized, values
from octet.quantizer import Calibration, Config
from octet.quantizer.hessian import Hessians, Moments, second_moments
from octet.quantizer.layer import RoundingReport, for_integers, weights_only
from octet.runtime import floating
from octet.signature import Classes, Images, Pixels, Signature
from stages.dataset import Dataset
from stages.load import readers
from stages.params.file import load_params
from stages.params.models import NetworkModel
from stages.train import network as training

GRANULARITIES = ["per_tensor", "per_channel", "per_parameter", "unified"]
# A scale per channel is symmetric, all others are either.
SHARING = [(each, "symmetric") for each in GRANULARITIES] + [
    (each, "asymmetric") for each in GRANULARITIES if each != "per_channel"
]
ROUNDINGS = ["nearest", "gptq", "exact"]
NAME = "7_linear"

SIDE = 8
CLASSES = tuple("abc")


def config(**changes: Any) -> Config:
    """Plain 8-bit rounding to nearest, but for the changes; per channel it is symmetric."""
    plain = Config(
        scheme="symmetric" if changes.get("granularity") == "per_channel" else "asymmetric",
        range="minmax",
        rounding="nearest",
        calibration=Calibration(rows=40, range="minmax"),
    )
    return replace(plain, **changes)


def quantized(
    layer: Linear, inputs: Array, how: Config
) -> tuple[Quantized, Quantized, dict[str, float]]:
    """Weight and bias in codes, which are checked to be of the right shape and width."""
    in_codes, report = weights_only(layer, Hessians([second_moments(inputs)]), how, NAME)
    for before, after in ((layer.weight, in_codes.weight), (layer.bias, in_codes.bias)):
        assert isinstance(after, Quantized)
        assert after.codes.shape == before.shape
        assert after.codes.dtype == after.grid.zero_point.dtype
        assert after.codes.dtype == (np.uint8 if after.grid.bits <= 8 else np.uint16)
        assert np.all(after.codes <= after.grid.top)
    return in_codes.weight, in_codes.bias, report


def random_layer(rng: np.random.Generator, rows: int = 3, columns: int = 4) -> Linear:
    return Linear(rng.normal(size=(rows, columns)), rng.normal(size=rows))


def random_conv(
    rng: np.random.Generator, outputs: int, channels: int, side: int = 3, padding: int = 1
) -> Conv2d:
    """Weights of about the size with which activations keep theirs."""
    weight = rng.normal(size=(outputs, channels, side, side)) / np.sqrt(channels * side**2 / 2)
    return Conv2d(weight, 0.1 * rng.normal(size=outputs), padding)


def random_inputs(rng: np.random.Generator, columns: int = 4, own: float = 0.5) -> Array:
    """Samples of inputs that share all but ``own``, each in its own unit."""
    x = rng.normal(size=(80, 1)) + own * rng.normal(size=(80, columns))
    return (x + rng.normal(size=columns)) * rng.uniform(0.5, 2, columns)


@dataclass
class Case:
    """A layer, the codes that it sees less their zero point, and what it should give for them."""

    layer: Weighted
    steps: Array
    wanted: Array
    entering: Grid

    def moments(self) -> Moments:
        sums = Moments(len(self.steps), len(self.wanted))
        sums.add(self.steps, self.wanted)
        return sums

    def quantized(self, how: Config) -> tuple[Weighted, RoundingReport]:
        """The layer in codes, which are checked to be what integers can run."""
        layer, report = for_integers(self.layer, [self.moments()], self.entering, how, NAME)
        assert isinstance(layer.weight, Quantized)
        assert layer.weight.codes.shape == self.layer.weight.shape
        assert layer.weight.codes.dtype == np.uint8
        assert np.all(layer.weight.codes <= layer.weight.grid.top)
        assert isinstance(layer.bias, Int32)
        assert (layer.bias.codes.dtype, layer.bias.codes.shape) == (np.int32, (len(self.wanted),))
        step = float(self.entering.scale) * layer.weight.grid.scale.astype(np.float64).reshape(-1)
        assert np.array_equal(layer.bias.scale, np.broadcast_to(step, layer.bias.codes.shape))
        return layer, report

    def outputs(self, layer: Weighted) -> Array:
        """What a layer gives for what it sees; ``(outputs, number)``."""
        weight = values(layer.weight)
        x = self.steps * float(self.entering.scale)
        return weight.reshape(len(weight), -1) @ x + values(layer.bias)[:, None]

    def lost(self, layer: Weighted) -> float:
        return float(np.sum(np.mean((self.outputs(layer) - self.wanted) ** 2, axis=1)))

    def known(self) -> float:
        """To how much what it should give is known: 20 bits."""
        return 2.0**-20 * float(np.max(np.abs(self.wanted)))


def case(
    seed: int,
    layer: Weighted | None = None,
    *,
    count: int = 120,
    own: float = 0.5,
    noise: float = 0.0,
) -> Case:
    """Inputs that share all but ``own``, ``noise`` apart from those of the float network."""
    rng = np.random.default_rng(seed)
    layer = layer or random_layer(rng, 3, 6)
    weight = values(layer.weight).reshape(len(layer.bias), -1)
    inputs = weight.shape[1]
    x = rng.normal(size=(1, count)) + own * rng.normal(size=(inputs, count))
    x += rng.normal(size=(inputs, 1))
    wanted = weight @ x + layer.bias[:, None]
    x += noise * rng.normal(size=(inputs, 1)) * rng.normal(size=(1, count))
    entering = affine.asymmetric(x.min(), x.max(), 8)
    steps = affine.quantize(x, entering).astype(float) - float(entering.zero_point)
    if not noise:
        wanted = weight @ (steps * float(entering.scale)) + layer.bias[:, None]
    return Case(layer, steps, wanted, entering)


def random_images(rng: np.random.Generator, rows: int, side: int = SIDE) -> Pixels:
    """Images of a bright spot on black with a little noise; black and white are in each."""
    across = np.arange(side)
    centre = rng.uniform(0, side - 1, (2, rows, 1))
    high, wide = (np.exp(-((across - at) ** 2) / 3) for at in centre)
    spots = high[:, :, None] * wide[:, None, :]
    pixels = np.rint(255 * spots / spots.max(axis=(1, 2), keepdims=True))
    pixels += rng.integers(0, 20, pixels.shape)
    return np.where(pixels < 30, 0, np.minimum(pixels, 255)).astype(np.uint8)[:, None]


def random_cnn(rng: np.random.Generator) -> Network:
    """Every kind of layer but one, for `random_images`, in which each class is the one at times."""
    head = random_layer(rng, 3, 5)
    layers = (
        Standardize(np.array([40.0]), np.array([70.0])),
        random_conv(rng, 4, 1),
        Relu(),
        MaxPool(2),
        random_conv(rng, 5, 4, padding=0),
        Relu(),
        GlobalAveragePool(),
        head,
    )
    outputs = floating.through(layers, random_images(rng, 100).astype(np.float64))
    head.bias[:] -= np.mean(outputs, axis=0)
    return Network(layers, Signature(Images((1, SIDE, SIDE), 255), Classes(CLASSES)))


def branched(rng: np.random.Generator) -> Network:
    """Two branches, a depthwise and a grouped convolution, clips, a table and probabilities."""
    head = random_layer(rng, 3, 8)
    layers = (
        Standardize(np.array([40.0]), np.array([70.0])),
        random_conv(rng, 6, 1),
        Clip(0.0, 1.5, name="stem"),
        replace(random_conv(rng, 6, 1), groups=6, name="left"),
        Add(inputs=("stem", "left")),
        Relu(),
        replace(random_conv(rng, 8, 3), groups=2, stride=2),
        LeakyRelu(0.1),
        GlobalAveragePool(),
        head,
        Softmax(),
    )
    outputs = floating.through(layers[:-1], random_images(rng, 100).astype(np.float64))
    head.bias[:] -= np.mean(outputs, axis=0)
    return Network(layers, Signature(Images((1, SIDE, SIDE), 255), Classes(CLASSES)))


@cache
def digits() -> tuple[Network, Dataset]:
    """A network of some thousand parameters, trained on scikit-learn's digits in half a second."""
    known = load_params()
    dataset = readers.read("digits", known.split)
    layers: list[dict[str, Any]] = [
        {"kind": "conv", "channels": 6, "kernel": 3, "padding": 1},
        {"kind": "max_pool", "side": 2},
        {"kind": "conv", "channels": 8, "kernel": 3, "padding": 0},
        {"kind": "global_average_pool"},
        {"kind": "linear", "outputs": 10},
    ]
    model = NetworkModel.model_validate(
        {"kind": "network", "budget": 2000, "layers": tuple(layers)}
    )
    recipe = known.train.model_copy(update={"epochs": 5, "device": "cpu"})
    layers, _ = training.fit(dataset, model, recipe, "model")
    return Network(layers, dataset.signature), dataset
