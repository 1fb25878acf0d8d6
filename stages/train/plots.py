"""What training has to draw: the course of the loss, and a sheet of what a model gets to see."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from octet.affine import Array
from octet.modelfile.arrays import AnyArray
from octet.signature import Pixels

SAMPLES = 12
_DIGITS = 9
_ENLARGED = 3
_CELL = 8
_MOST_FEATURES = 256


@dataclass(frozen=True)
class History:
    """The course of a training: the last of some steps, and the means of what was seen in them.

    Attributes:
        step: numbers from 1.
        loss: what was made small.
        accuracy: of the training rows, each counted once, where there are classes; else empty.
    """

    step: tuple[int, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...] = ()


def history(course: History) -> bytes:
    """The history of a training as CSV. A regression is there in one step."""
    columns = {"step": map(str, course.step), "loss": _digits(course.loss)}
    if course.accuracy:
        columns["accuracy"] = _digits(course.accuracy)
    rows = [columns, *zip(*columns.values(), strict=True)]
    return "".join(f"{','.join(row)}\n" for row in rows).encode()


def _digits(numbers: Iterable[float]) -> Iterable[str]:
    return [f"{number:.{_DIGITS}g}" for number in numbers]


def image_sheet(*rows_of_images: npt.NDArray[np.floating]) -> bytes:
    """Images ``(count, channels, height, width)``, from 0 to 1, in a row; more below; as PNG.

    Three channels are red, green and blue; of any other number the first is shown.
    """
    rows = [np.concatenate(list(map(_shown, images)), axis=1) for images in rows_of_images]
    sheet = np.rint(255 * np.clip(np.concatenate(rows), 0, 1)).astype(np.uint8)
    return _png(sheet)


def _shown(image: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """``(height, width)``, or with colours ``(height, width, 3)``."""
    return np.moveaxis(image, 0, -1) if len(image) == 3 else image[0]


def row_or_image_sheet(x: AnyArray) -> bytes:
    """The first rows: of a table as `row_sheet`, of images from their least value to the largest.

    Args:
        x: ``(rows, features)``, ``(rows, channels, height, width)``, or of other axes, which are
            shown as one long one.
    """
    if x.ndim != 4:
        return row_sheet(x.reshape(len(x), -1))
    images = x[:SAMPLES].astype(np.float64)
    low, high = images.min(), images.max()
    return image_sheet((images - low) / (high - low if high > low else 1.0))


def row_sheet(x: Array) -> bytes:
    """The first rows ``(rows, features)`` of a table, a line of grey cells for each, as PNG.

    Each feature goes from black, its least value among them, to white, its largest. Of more than
    256 features the first 256 are shown.
    """
    rows = x[:SAMPLES, :_MOST_FEATURES]
    low, high = rows.min(axis=0), rows.max(axis=0)
    grey = (rows - low) / np.where(high > low, high - low, 1.0)
    cells = np.rint(255 * grey).astype(np.uint8)
    return _png(cells.repeat(_CELL, axis=0).repeat(_CELL, axis=1))


def _png(pixels: Pixels) -> bytes:
    """A picture ``(height, width)`` or ``(height, width, 3)``, enlarged."""
    enlarged = pixels.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)
    file = io.BytesIO()
    # Not compressed: what zlib makes of the same pixels depends on the processor.
    Image.fromarray(enlarged).save(file, "PNG", compress_level=0)
    return file.getvalue()
