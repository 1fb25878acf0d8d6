"""What training has to draw: the course of the loss, and a sheet of what a model gets to see."""

import io

import numpy as np
import torch
from PIL import Image

from octet.network import Array, Pixels
from stages.params import Augment
from stages.train.augment import views
from stages.train.cnn import History

_DIGITS = 9
_SAMPLES = 12
_ENLARGED = 3
_CELL = 8


def history(course: History) -> bytes:
    """The history of a training as CSV."""
    rows = zip(course.step, course.loss, course.accuracy, strict=True)
    lines = [f"{step},{loss:.{_DIGITS}g},{accuracy:.{_DIGITS}g}\n" for step, loss, accuracy in rows]
    return "".join(["step,loss,accuracy\n", *lines]).encode()


def solution(loss: float) -> bytes:
    """The same of least squares, which are there in one step: the mean squared error."""
    return f"step,loss\n1,{loss:.{_DIGITS}g}\n".encode()


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
    return _png(sheet)


def row_sheet(x: Array) -> bytes:
    """The first rows ``(rows, features)`` of a table, a line of grey cells for each, as PNG.

    Each feature goes from black, its least value among them, to white, its largest.
    """
    rows = x[:_SAMPLES]
    low, high = rows.min(axis=0), rows.max(axis=0)
    grey = (rows - low) / np.where(high > low, high - low, 1.0)
    cells = np.rint(255 * grey).astype(np.uint8)
    return _png(cells.repeat(_CELL, axis=0).repeat(_CELL, axis=1))


def _png(grey: Pixels) -> bytes:
    """A picture ``(height, width)``, enlarged."""
    enlarged = grey.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)
    file = io.BytesIO()
    # Not compressed: what zlib makes of the same pixels depends on the processor.
    Image.fromarray(enlarged).save(file, "PNG", compress_level=0)
    return file.getvalue()
