"""What training has to draw: the course of the loss, coefficients, and a sheet of views."""

import io

import numpy as np
import torch
from PIL import Image

from octet.network import Linear, Network, Pixels, values
from stages.params import Augment
from stages.train.augment import views
from stages.train.cnn import History

_DIGITS = 9
_SAMPLES = 12
_ENLARGED = 3


def history(course: History) -> bytes:
    """The history of a training as CSV."""
    rows = zip(course.step, course.loss, course.accuracy, strict=True)
    lines = [f"{step},{loss:.{_DIGITS}g},{accuracy:.{_DIGITS}g}\n" for step, loss, accuracy in rows]
    return "".join(["step,loss,accuracy\n", *lines]).encode()


def coefficients(network: Network) -> bytes:
    """The weights of each linear layer of a network as CSV."""
    weights = [values(each.weight) for each in network.layers if isinstance(each, Linear)]
    numbers = enumerate(np.concatenate([w.ravel() for w in weights]).tolist())
    lines = [f"{i},{value:.{_DIGITS}g}\n" for i, value in numbers]
    return "".join(["input,coefficient\n", *lines]).encode()


def contact_sheet(pixels: Pixels, white: int, augment: Augment, seed: int) -> bytes:
    """The first images over a random view of each, as PNG.

    Args:
        pixels: ``(rows, 1, height, width)``.
        white: the largest value of a pixel.
        augment: how far views may go; ``share`` does not matter here.
        seed: of the views.
    """
    originals = torch.from_numpy(pixels[:_SAMPLES].astype(np.float32) / np.float32(white))
    seen = views(originals, augment, 0.0, np.random.default_rng(seed))
    rows = [np.concatenate(list(images[:, 0].numpy()), axis=1) for images in (originals, seen)]
    sheet = np.rint(255 * np.clip(np.concatenate(rows), 0, 1)).astype(np.uint8)
    enlarged = sheet.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)
    file = io.BytesIO()
    # Not compressed: what zlib makes of the same pixels depends on the processor.
    Image.fromarray(enlarged).save(file, "PNG", compress_level=0)
    return file.getvalue()
