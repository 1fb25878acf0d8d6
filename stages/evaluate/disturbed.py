"""Test images with noise on them or scaled, in the standardized unit in which networks see them."""

import numpy as np

from octet.network import Array, Network, Pixels, Standardize
from stages.comparison import outputs, scores

_SEED = 0
_NOISE = 0.3  # the noise under which accuracy is measured, in deviations of the pixels
_LITTLE_NOISE, _SCALING = 0.1, 0.9


def noisy(images: Pixels, scaler: Standardize, std: float) -> Array:
    """The images with N(0, std²) on their standardized pixels: seeded, the same for every model.

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


def figures(
    network: Network, clean: Array, scaler: Standardize, images: Pixels, truth: Pixels
) -> dict[str, object]:
    """Accuracy under noise, and ``robustness``: how far the outputs move.

    Args:
        network: float or quantized.
        clean: its outputs for the images as they are.
        scaler: of the float network.
        images, truth: the test images and their labels.
    """
    under_noise = outputs.run(network, noisy(images, scaler, _NOISE))
    a_little = outputs.run(network, noisy(images, scaler, _LITTLE_NOISE))
    fainter = outputs.run(network, scaled(images, scaler, _SCALING))
    return {
        "accuracy_noisy": float(np.mean(scores.correct(truth, under_noise))),
        "robustness": {
            "noise": scores.moved(clean, a_little),
            "scaling": scores.moved(clean, fainter),
        },
    }
