"""Train an image system as its parameters say, and draw what its network got to see."""

import numpy as np
import torch

from octet.errors import OctetError
from octet.network import Network
from octet.signature import Classes, Images, Pixels
from stages.dataset import Dataset
from stages.params.models import NetworkModel
from stages.params.train import Augment, Train
from stages.train import cnn, kernels, plots
from stages.train.architecture import plan
from stages.train.augment import views


def train(
    dataset: Dataset, model: NetworkModel, recipe: Train, where: str
) -> tuple[Network, dict[str, bytes]]:
    """A float network, and the plots of its training by the names of their files.

    Args:
        dataset: images.
        model: the architecture.
        recipe: how to train.
        where: the key of the model in params.yaml, for errors.

    Raises:
        OctetError: the data is not of images with classes; or as `architecture.plan`,
            `kernels.device` and `cnn.fit`.
    """
    images, outputs = dataset.signature.inputs, dataset.signature.outputs
    if not isinstance(images, Images) or not isinstance(outputs, Classes):
        raise OctetError(f"params.yaml: {where}: takes images with classes; run `dvc repro`")
    steps = plan(model, images.shape, len(outputs.classes), where)
    device = kernels.device(recipe)
    if device.type == "cpu":
        kernels.pin()
    network, history = cnn.fit(dataset, steps, recipe, device)
    sheet = contact_sheet(dataset.x_train, images.white, recipe.augment, recipe.seed)
    return network, {"training.csv": plots.history(history), "views.png": sheet}


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
    seen = views(originals, augment, 0.0, np.random.default_rng(seed))
    return plots.image_sheet(originals.numpy(), seen.numpy())
