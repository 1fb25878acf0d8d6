"""What the tests of training share: parts of params.yaml, and pictures small enough to follow."""

from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from octet.network import Network
from octet.signature import Classes, Columns, Images, Numbers, Signature
from stages.dataset import Dataset
from stages.load import readers
from stages.params.file import Params
from stages.params.layers import Conv, Flatten, GlobalAveragePool, Layer, Linear, MaxPool, Relu
from stages.params.models import NetworkModel
from stages.params.train import Augment, Train
from stages.train import network
from stages.train.architecture import Step, plan
from stages.train.plots import History

ROOT = Path(__file__).parents[3]
COMMITTED = Params.model_validate(YAML(typ="safe", pure=True).load(ROOT / "params.yaml"))
WHERE = "systems.small.model"
CLASSES = 10


def committed(name: str) -> NetworkModel:
    """The model of a system of params.yaml."""
    model = COMMITTED.system(name).model
    assert isinstance(model, NetworkModel)
    return model


def recipe(**changes: Any) -> Train:
    """A short training: what params.yaml says of all systems, but for some keys."""
    merged = COMMITTED.train.model_dump() | {"batch": 16} | changes
    return Train.model_validate(merged)


def strengths(**changes: float) -> Augment:
    """Views that differ from their image in these ways alone."""
    none = {"rotation": 0, "translation": 0, "scale": 0, "perspective": 0, "crop": 0}
    return Augment.model_validate({"share": 1} | none | changes)


def conv(channels: int, kernel: int = 3, padding: int = 1, **others: Any) -> Conv:
    return Conv(kind="conv", channels=channels, kernel=kernel, padding=padding, **others)


def pool(side: int = 2) -> MaxPool:
    return MaxPool(kind="max_pool", side=side)


def average() -> GlobalAveragePool:
    return GlobalAveragePool(kind="global_average_pool")


def flat() -> Flatten:
    return Flatten(kind="flatten")


def dense(outputs: int = CLASSES) -> Linear:
    return Linear(kind="linear", outputs=outputs)


def relu() -> Relu:
    return Relu(kind="relu")


def model_of(*layers: Layer, budget: int = 10**6) -> NetworkModel:
    return NetworkModel(kind="network", budget=budget, layers=layers)


def of_images(shape: tuple[int, int, int] = (1, 8, 8)) -> Signature:
    return Signature(Images(shape, 16), Classes(tuple("0123456789")))


def planned(*layers: Layer, image: tuple[int, int, int] = (1, 8, 8)) -> tuple[Step, ...]:
    return plan(model_of(*layers), of_images(image), WHERE)


def pictures(rows: int = 48, shape: tuple[int, int, int] = (1, 8, 8), seed: int = 0) -> Dataset:
    """Noise with labels: there is nothing to learn, but it trains."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 17, (rows, *shape), np.uint8)
    y = rng.integers(0, CLASSES, rows, np.uint8)
    return Dataset(x, y, x[:5], y[:5], of_images(shape))


def table(outputs: Numbers | Classes, rows: int = 48) -> Dataset:
    """Three features of unlike units, and a target or labels that they determine."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3)) * [1, 100, 0.01] + [0, 5000, 1]
    y = x[:, 0] + x[:, 1] / 100 + 100 * x[:, 2]
    if isinstance(outputs, Classes):
        y = (y > np.median(y)).astype(np.uint8)
    return Dataset(x, y, x[:5], y[:5], Signature(Columns(("a", "b", "c")), outputs))


def fit(data: Dataset, layers: tuple[Layer, ...], how: Train) -> tuple[Network, History]:
    """A network of these layers, trained."""
    trained, history = network.fit(data, model_of(*layers), how, WHERE)
    return Network(trained, data.signature), history


def digits() -> Dataset:
    return readers.read("digits", COMMITTED.split)
