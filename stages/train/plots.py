"""What training has to draw: the course of the loss, and a sheet of what a model gets to see."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from octet.affine import Array
from octet.signature import Pixels

SAMPLES = 12
_DIGITS = 9
_ENLARGED = 3
_CELL = 8


@dataclass(frozen=True)
class History:
    """One row for every 100 steps: the last of them, and mean loss and accuracy in them."""

    step: tuple[int, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]


def history(course: History) -> bytes:
    """The history of a training as CSV."""
    rows = zip(course.step, course.loss, course.accuracy, strict=True)
    lines = [f"{step},{loss:.{_DIGITS}g},{accuracy:.{_DIGITS}g}\n" for step, loss, accuracy in rows]
    return "".join(["step,loss,accuracy\n", *lines]).encode()


def solution(loss: float) -> bytes:
    """The same of least squares, which are there in one step: the mean squared error."""
    return f"step,loss\n1,{loss:.{_DIGITS}g}\n".encode()


def image_sheet(*rows_of_images: npt.NDArray[np.float32]) -> bytes:
    """Images ``(count, 1, height, width)``, from 0 to 1, in a row; more of them below; as PNG."""
    rows = [np.concatenate(list(images[:, 0]), axis=1) for images in rows_of_images]
    sheet = np.rint(255 * np.clip(np.concatenate(rows), 0, 1)).astype(np.uint8)
    return _png(sheet)


def row_sheet(x: Array) -> bytes:
    """The first rows ``(rows, features)`` of a table, a line of grey cells for each, as PNG.

    Each feature goes from black, its least value among them, to white, its largest.
    """
    rows = x[:SAMPLES]
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
