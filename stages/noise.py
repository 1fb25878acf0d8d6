"""Test images with noise on them, in the standardized unit in which networks see them."""

import numpy as np

from octet.affine import Array
from octet.layers import Standardize
from octet.signature import Pixels

ACCURACY_NOISE = 0.3  # the noise under which accuracy is measured, in deviations of the pixels
_SEED = 0


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
