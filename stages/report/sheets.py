"""Pictures that are made of pixels, as data that a page holds in itself, and confusion matrices.

They are GIF, not PNG: what zlib makes of the same pixels depends on the processor, and without it a
PNG is ten times as large. LZW has one encoder, of integers, and loses nothing of 256 greys.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Standardize
from octet.network import Network
from octet.signature import Classes, Images, Pixels
from stages.dataset import Dataset
from stages.noise import ACCURACY_NOISE, noisy
from stages.report.evidence import Evidence

_SAMPLES = 12
_MOST_DISAGREEMENTS = 24

Counts = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Sheet:
    """An image: ``source`` is a data URI; ``label`` is for those who do not see it."""

    source: str
    label: str
    width: int
    height: int


@dataclass(frozen=True)
class Confusion:
    """Counts ``(classes, classes)`` of test images, by true class (rows) and answer (columns)."""

    caption: str
    classes: tuple[str, ...]
    counts: Counts
    signed: bool = False

    @property
    def most(self) -> int:
        """The largest count that matters: off the diagonal of counts, anywhere in a difference."""
        off = self.counts if self.signed else self.counts - np.diag(np.diag(self.counts))
        return max(1, int(np.max(np.abs(off))))


def views(path: Path) -> Sheet:
    """The sheet of training images over random views of them.

    Raises:
        OctetError: the file is no image.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
    except OSError as error:
        raise OctetError(f"{path}: not an image ({error}); run `dvc repro`") from None
    return _sheet(pixels, "Training images above, a random view of each below.")


def noise(data: Dataset, reference: Network) -> Sheet | None:
    """The first test images over what noise makes of them, as `accuracy_noisy` is measured.

    None where the network does not standardize, so that noise has no unit.
    """
    scalers = [layer for layer in reference.layers if isinstance(layer, Standardize)]
    if not scalers:
        return None
    images = data.x_test[:_SAMPLES]
    rows = [
        _as_grey(each, _white(data)) for each in (images, noisy(images, scalers[0], ACCURACY_NOISE))
    ]
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    label = (
        f"Test images above; below, each with noise of {ACCURACY_NOISE} deviations of its pixels."
    )
    return _sheet(sheet, label)


def disagreements(evidence: Evidence, data: Dataset) -> tuple[list[Sheet], int]:
    """The first test images on which the two models differ, and how many there are."""
    before, after = (np.argmax(outputs, axis=1) for outputs in evidence.outputs)
    rows = np.flatnonzero(before != after)
    classes = _classes(data)
    shown = []
    for row in rows[:_MOST_DISAGREEMENTS].tolist():
        truth, *answers = (classes[int(each[row])] for each in (data.y_test, before, after))
        label = f"#{row} is {truth}: float says {answers[0]}, quantized {answers[1]}"
        shown.append(_sheet(_as_grey(data.x_test[row : row + 1], _white(data))[0], label))
    return shown, len(rows)


def confusions(evidence: Evidence, data: Dataset) -> list[Confusion]:
    """Of both models, and what quantization changed."""
    classes = _classes(data)
    before, after = (_confusion(data.y_test, y, len(classes)) for y in evidence.outputs)
    return [
        Confusion("Float: true class by row, answer by column", classes, before),
        Confusion("Quantized: true class by row, answer by column", classes, after),
        Confusion(
            "Quantized less float: blue is for the better", classes, after - before, signed=True
        ),
    ]


def _confusion(truth: Pixels, outputs: Array, classes: int) -> Counts:
    cells = truth.astype(np.intp) * classes + np.argmax(outputs, axis=1)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def _white(data: Dataset) -> int:
    inputs = data.signature.inputs
    return inputs.white if isinstance(inputs, Images) else 1


def _classes(data: Dataset) -> tuple[str, ...]:
    outputs = data.signature.outputs
    return outputs.classes if isinstance(outputs, Classes) else ()


def _as_grey(images: Array | Pixels, white: int) -> Pixels:
    """Images ``(rows, channels, height, width)`` as greys ``(rows, height, width)``, 0 to 255."""
    grey = images.astype(np.float64).mean(axis=1) * (255 / white)
    return np.asarray(np.rint(np.clip(grey, 0, 255)), np.uint8)


def _sheet(pixels: Pixels, label: str) -> Sheet:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "GIF")
    source = f"data:image/gif;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
    return Sheet(source, label, pixels.shape[1], pixels.shape[0])
