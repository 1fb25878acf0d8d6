"""What is asked of every kind of model: a network in float32 for rows to train on."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from octet import elementary
from octet.affine import Array
from octet.blocks import blocks
from octet.layers import Layer
from octet.modelfile.arrays import AnyArray
from octet.network import Network, gives_probabilities
from octet.runtime import floating
from octet.signature import Numbers, Signature
from stages.dataset import Dataset
from stages.params.section import Section
from stages.params.train import Train
from stages.train import plots
from stages.train.plots import History

M = TypeVar("M", bound=Section)

# A probability of less is taken for this: its logarithm must be finite.
_LEAST_PROBABILITY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Job(Generic[M]):
    """One system's model, to be made.

    Attributes:
        dataset: of the system.
        model: its ``model`` in params.yaml.
        how: its ``train``.
        where: the key of ``model``, for errors.
    """

    dataset: Dataset
    model: M
    how: Train
    where: str


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        layers: of the network.
        history: of its training.
        sheet: a picture of what it got to see, as PNG.
        params: by group, what else of params.yaml had a say, besides ``model``.
        checks: what was measured of a network that was imported.
    """

    layers: tuple[Layer, ...]
    history: History
    sheet: bytes
    params: Mapping[str, Any] = field(default_factory=dict)
    checks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        inputs, outputs: the halves of a signature of which it makes sense; empty: any.
        train: makes the network; raises an OctetError where the data does not let it.
    """

    inputs: tuple[type, ...]
    outputs: tuple[type, ...]
    train: Callable[[Job[Any]], Trained]

    def takes(self, signature: Signature) -> bool:
        """Whether it makes sense of such data."""
        return isinstance(signature.inputs, self.inputs or object) and isinstance(
            signature.outputs, self.outputs or object
        )

    def described(self) -> str:
        """What it takes and gives, for people."""
        halves = (
            " or ".join(map(word, half)) or "anything" for half in (self.inputs, self.outputs)
        )
        return " to ".join(halves)


def word(half: type) -> str:
    """What to call this half of a signature."""
    return half.__name__.lower()


def in_one_step(dataset: Dataset, layers: tuple[Layer, ...], **checks: float) -> Trained:
    """Layers with their loss and accuracy on the training rows: no epochs brought them about.

    The loss is the mean squared error, or the log loss in nats, of rows as they count in the fit;
    the accuracy is a share of rows, of which each counts once, as in every score.
    """
    network, rights = Network(layers, dataset.signature), list[int]()

    def losses() -> Iterator[float]:
        for x, y, count in blocks(dataset.x_train, dataset.y_train, dataset.counts):
            outputs = floating.run(network, x)
            rights.append(int(np.sum(np.argmax(outputs, axis=1) == y)))
            yield from (_losses(network, outputs, y) * count).tolist()

    rows = len(dataset.y_train)
    loss = math.fsum(losses()) / dataset.total
    of_classes = not isinstance(dataset.signature.outputs, Numbers)
    course = History((1,), (loss,), (sum(rights) / rows,) if of_classes else ())
    return Trained(layers, course, plots.row_or_image_sheet(dataset.x_train), checks=checks)


def _losses(network: Network, outputs: Array, y: AnyArray) -> Array:
    """Of each row ``(rows,)``: the squared error, or -log of the share of the true class."""
    if isinstance(network.signature.outputs, Numbers):
        return np.asarray((outputs[:, 0] - y) ** 2)
    shares = outputs if gives_probabilities(network) else elementary.softmax(outputs)
    share = np.maximum(shares[np.arange(len(y)), y], _LEAST_PROBABILITY)
    return np.asarray(-np.log(share))
