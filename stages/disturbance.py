"""Test rows disturbed: noise on images and fainter images, in the unit in which networks see them.

Columns of a table have no unit in common, so their rows are left as they are.
"""

from collections.abc import Callable, Mapping

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Standardize
from octet.network import Network
from octet.signature import Images, Pixels
from stages.dataset import Dataset

SCORED_NOISE = 0.3  # the noise under which a score is measured, in deviations of the pixels
_LITTLE_NOISE, _SCALING = 0.1, 0.9
_SEED = 0


def disturbed(data: Dataset, reference: Network) -> Mapping[str, Callable[[], Array]]:
    """The test rows under each disturbance, made when asked for; none of a table.

    ``noisy`` is for a score; of ``noise`` and ``scaling`` it is asked how far the outputs move.

    Args:
        data: a system's.
        reference: its float network, which knows mean and deviation of each channel.

    Raises:
        OctetError: it does not, though its inputs are images.
    """
    if not isinstance(data.signature.inputs, Images):
        return {}
    scaler = scaler_of(reference)
    if scaler is None:
        raise OctetError("the float model of an image system must standardize; run `dvc repro`")
    return {
        "noisy": lambda: noisy(data.x_test, scaler, SCORED_NOISE),
        "noise": lambda: noisy(data.x_test, scaler, _LITTLE_NOISE),
        "scaling": lambda: scaled(data.x_test, scaler, _SCALING),
    }


def scaler_of(network: Network) -> Standardize | None:
    """What standardizes its inputs, if it does."""
    return next((layer for layer in network.layers if isinstance(layer, Standardize)), None)


def noisy(images: Pixels, scaler: Standardize, std: float) -> Array:
    """The images with N(0, std²) on their standardized pixels: seeded, the same for every model.

    The first images get the same noise however many follow.

    Args:
        images: ``(rows, channels, height, width)``.
        scaler: mean and deviation of each channel.
        std: of the noise, in deviations of the pixels.

    Returns:
        What standardizes to noisy pixels; not clipped, so below black and above white too.
    """
    noise = np.random.default_rng(_SEED).standard_normal(images.shape)
    return np.asarray(images + std * scaler.std[:, None, None] * noise)


def scaled(images: Pixels, scaler: Standardize, factor: float) -> Array:
    """The images with their standardized pixels times a factor."""
    mean = scaler.mean[:, None, None]
    return np.asarray(mean + factor * (images - mean))
