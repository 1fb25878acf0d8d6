"""Test images with noise on them or scaled, in the standardized unit in which networks see them."""

import numpy as np

from octet.affine import Array
from octet.layers import Standardize
from octet.network import Network
from octet.signature import Pixels
from stages import outputs
from stages.noise import ACCURACY_NOISE, noisy
from stages.tasks import scores

_LITTLE_NOISE, _SCALING = 0.1, 0.9


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
    under_noise = outputs.run(network, noisy(images, scaler, ACCURACY_NOISE))
    a_little = outputs.run(network, noisy(images, scaler, _LITTLE_NOISE))
    fainter = outputs.run(network, scaled(images, scaler, _SCALING))
    return {
        "accuracy_noisy": float(np.mean(scores.correct(truth, under_noise))),
        "robustness": {
            "noise": scores.moved(clean, a_little),
            "scaling": scores.moved(clean, fainter),
        },
    }
