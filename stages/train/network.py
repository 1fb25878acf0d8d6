"""Train a network as its parameters say, and draw what it got to see."""

import numpy as np
import torch

from octet.errors import OctetError
from octet.layers import Layer, Standardize
from octet.signature import Columns, Images, Pixels
from stages.dataset import Dataset
from stages.params.models import NetworkModel
from stages.params.train import Augment, Train
from stages.train import kernels, plots, recipe
from stages.train.architecture import plan
from stages.train.augment import views
from stages.train.batches import Batches, ImageBatches, TableBatches
from stages.train.features import scaling
from stages.train.module import Module
from stages.train.objective import finished, objective
from stages.train.plots import History


def fit(
    dataset: Dataset, model: NetworkModel, how: Train, where: str
) -> tuple[tuple[Layer, ...], History]:
    """Train on the training rows; the layers in float32, normalization folded, scaler first.

    Args:
        dataset: of any kind.
        model: the architecture.
        how: to train.
        where: the key of the model in params.yaml, for errors.

    Raises:
        OctetError: there are fewer rows than one batch; or as `architecture.plan`,
            `kernels.device` and `recipe.train`.
    """
    steps = plan(model, dataset.signature, where)
    if len(dataset.y_train) < how.batch:
        raise OctetError(
            f"params.yaml: train.batch: got {how.batch}; allowed are up to the "
            f"{len(dataset.y_train)} training rows"
        )
    device = kernels.device(how)
    if device.type == "cpu":
        kernels.pin()
    goal = objective(dataset, steps[-1].spec.kind, how)
    scaler, batches = _standardized(dataset, goal.truth, how)
    torch.manual_seed(how.seed)
    module = Module(steps).to(device)
    history = recipe.train(module, batches, goal, how, device)
    return (scaler, *finished(module.layers(), goal)), history


def _standardized(dataset: Dataset, truth: torch.Tensor, how: Train) -> tuple[Standardize, Batches]:
    """The first layer of the network, and batches of what leaves it."""
    x, inputs = dataset.x_train, dataset.signature.inputs
    if isinstance(inputs, Columns):
        (scaler,) = scaling(x, dataset.counts, inputs.features, standardize=True).scaler
        return scaler, TableBatches(x, scaler, truth, how, _counts(dataset))
    scaler = standardize(x)
    return scaler, ImageBatches(x, scaler, truth, how)


def _counts(dataset: Dataset) -> torch.Tensor | None:
    """How much each training row counts, of a mean of 1; None if all alike."""
    if dataset.weights_train is None:
        return None
    mean = dataset.total / len(dataset.weights_train)
    return torch.from_numpy((dataset.weights_train / mean).astype(np.float32))


def standardize(pixels: Pixels) -> Standardize:
    """Mean and deviation of all pixels, the mean rounded to a whole pixel value.

    A pixel p becomes (p - mean) / std. As mean is whole, pixels 0 … 255 are their own codes on the
    grid of scale 1 / std and zero point mean: the input of an integer network is the image itself.
    """
    counts = np.bincount(pixels.reshape(-1))
    level = np.arange(len(counts))
    mean = np.rint(np.sum(counts * level) / pixels.size)
    variance = np.sum(counts * (level - mean) ** 2) / pixels.size
    if variance == 0:
        raise OctetError(f"training images: every pixel is {mean:g}; there is nothing to learn")
    channels = pixels.shape[1]
    return Standardize(np.full(channels, mean), np.full(channels, np.sqrt(variance)))


def sheet(dataset: Dataset, augment: Augment, seed: int) -> bytes:
    """A picture of what a network gets to see, as PNG: rows of a table, or images and views."""
    inputs = dataset.signature.inputs
    if isinstance(inputs, Images):
        return contact_sheet(dataset.x_train, inputs.white, augment, seed)
    return plots.row_sheet(dataset.x_train)


def contact_sheet(pixels: Pixels, white: int, augment: Augment, seed: int) -> bytes:
    """The first images over a random view of each, as PNG.

    Args:
        pixels: ``(rows, 1, height, width)``.
        white: the largest value of a pixel.
        augment: how far views may go; ``share`` does not matter here.
        seed: of the views.
    """
    shown = pixels[: plots.SAMPLES].astype(np.float32) / np.float32(white)
    originals = torch.from_numpy(shown)
    moved = views(originals, augment, 0.0, np.random.default_rng(seed))
    return plots.image_sheet(originals.numpy(), moved.numpy())
