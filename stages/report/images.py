"""What the report shows of images: contact sheets of pixels, as data that a page holds in itself.

They are GIF, not PNG: what zlib makes of the same pixels depends on the processor, and without it a
PNG is ten times as large. LZW has one encoder, of integers, and loses nothing of 256 greys;
colours become the nearest of 252.
"""

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from octet.affine import Array
from octet.errors import OctetError
from octet.signature import Images, Pixels
from stages.disturbance import SCORED_NOISE, noisy, scaler_of
from stages.report.evidence import Evidence

_SAMPLES = 12
# Of red, green and blue in a GIF of colours.
_LEVELS = (6, 7, 6)


@dataclass(frozen=True)
class Sheet:
    """An image: ``source`` is a data URI; ``label`` is for those who do not see it."""

    source: str
    label: str
    width: int
    height: int


def sheets(evidence: Evidence, images: Images) -> list[Sheet]:
    """What training showed the network, and what noise makes of test images.

    Raises:
        OctetError: the file of the first is no image.
    """
    views = [_views(evidence.views)] if evidence.views else []
    scaler = scaler_of(evidence.reference)
    if scaler is None:  # then noise has no unit
        return views
    pixels = evidence.data.x_test[:_SAMPLES]
    rows = [_shown(each, images) for each in (pixels, noisy(pixels, scaler, SCORED_NOISE))]
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    label = f"Test images above; below, each with noise of {SCORED_NOISE} deviations of its pixels."
    return [*views, _sheet(sheet, label)]


def one(evidence: Evidence, images: Images, row: int, label: str) -> Sheet:
    """One test image."""
    return _sheet(_shown(evidence.data.x_test[row : row + 1], images)[0], label)


def _views(path: Path) -> Sheet:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image if image.mode in ("L", "RGB") else image.convert("L"))
    except OSError as error:
        raise OctetError(f"{path}: not an image ({error}); run `dvc repro`") from None
    return _sheet(pixels, "Training images above, a random view of each below.")


def _shown(pixels: Array | Pixels, images: Images) -> Pixels:
    """Images ``(rows, channels, height, width)`` as people see them, 0 to 255.

    Of three channels ``(rows, height, width, 3)``, of any other number greys
    ``(rows, height, width)``.
    """
    values = pixels.astype(np.float64)
    seen = np.moveaxis(values, 1, -1) if values.shape[1] == 3 else values.mean(axis=1)
    return np.asarray(np.rint(np.clip(seen * (255 / images.white), 0, 255)), np.uint8)


def _sheet(pixels: Pixels, label: str) -> Sheet:
    file = io.BytesIO()
    image = _in_palette(pixels) if pixels.ndim == 3 else Image.fromarray(pixels)
    image.save(file, "GIF")
    source = f"data:image/gif;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
    return Sheet(source, label, pixels.shape[1], pixels.shape[0])


def _in_palette(pixels: Pixels) -> Image.Image:
    """Colours ``(height, width, 3)`` in the nearest of 252, of which green has 7 levels.

    Always the same: those that Pillow would pick are picked in floats. Eyes are keenest for green.
    """
    steps = np.array(_LEVELS) - 1
    levels = np.rint(pixels * (steps / 255)).astype(np.uint8)
    codes = np.ravel_multi_index(tuple(np.moveaxis(levels, -1, 0)), _LEVELS)
    image = Image.fromarray(codes.astype(np.uint8))
    colours = np.unravel_index(np.arange(math.prod(_LEVELS)), _LEVELS)
    palette = np.stack(colours, axis=1) * (255 / steps)
    image.putpalette(np.rint(palette).astype(np.uint8).tobytes())
    return image
