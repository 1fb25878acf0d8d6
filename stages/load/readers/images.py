"""A folder of images: in it a folder for each class, with PNG or JPEG files."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.signature import LARGEST_ROW, Images, Pixels
from stages.dataset import Dataset
from stages.load.readers.truth import Truth
from stages.load.split import refuse_shared
from stages.params import data as params
from stages.params.split import Split
from stages.pinned import visible

_WHITE = 255
_GREY, _COLOUR = "L", "RGB"
# Those modes of Pillow whose pixels are bytes, and what they are without a palette.
_MODES = {"1": _GREY, "L": _GREY, "LA": "LA", "P": "RGBA", "RGB": _COLOUR, "RGBA": "RGBA"}


def read(data: params.ImageFolder, paths: Sequence[Path], how: Split) -> Dataset:
    """Images of one size, grey or in colour, and the folder of each as its class.

    Raises:
        OctetError: a file is damaged or no image, or of another size or number of channels than
            the first; or there are no classes; or as `refuse_shared`.
    """
    parts = [_folder(folder, data) for folder in paths]
    first, *others = map(visible, paths)
    refuse_shared(first, [file for files in others for file in files])
    truth = Truth("class", "", None, str(paths[0]))
    for (x, _), folder in zip(parts, paths, strict=True):
        if x.shape[1:] != parts[0][0].shape[1:]:
            raise OctetError(
                f"{folder}: got images of shape {x.shape[1:]}, in {paths[0]} of "
                f"{parts[0][0].shape[1:]}; give all of them one `size` and `colour`"
            )
    channels, height, width = parts[0][0].shape[1:]
    inputs = Images((channels, height, width), _WHITE)
    if len(parts) == 1:
        return truth.split(inputs, *parts[0], how)
    return truth.dataset(inputs, *parts)


def _folder(folder: Path, data: params.ImageFolder) -> tuple[Pixels, AnyArray]:
    """All images ``(rows, channels, height, width)`` of a folder, and their classes."""
    if not folder.is_dir():
        raise OctetError(f"{folder}: no folder; allowed is one with a folder for each class")
    files = visible(folder)
    if not files:
        raise OctetError(f"{folder}: no file in it; allowed are images in a folder for each class")
    for file in files:
        if len(file.relative_to(folder).parts) != 2:
            raise OctetError(f"{file}: allowed are files in a folder for each class, cat/1.png say")
    images = [_image(file, data) for file in files]
    first = images[0]
    for file, image in zip(files, images, strict=True):
        if image.shape[1:] != first.shape[1:]:
            raise OctetError(
                f"{file}: got {_size(image)}, where {files[0]} has {_size(first)}; bring all to "
                f"one size, by `size: [{first.shape[1]}, {first.shape[2]}]` say"
            )
        if len(image) != len(first):
            raise OctetError(
                f"{file}: got {len(image)} channels, where {files[0]} has {len(first)}; say "
                "`colour: true` or `colour: false`, for all"
            )
    return np.stack(images), np.array([file.parent.name for file in files], object)


def _image(file: Path, data: params.ImageFolder) -> Pixels:
    """``(channels, height, width)``, as a viewer shows it."""
    try:
        with warnings.catch_warnings(), Image.open(file, formats=("PNG", "JPEG")) as image:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image.load()
            upright = _opaque(ImageOps.exif_transpose(image), file)
    except OctetError:
        raise
    # A damaged file makes Pillow raise whatever its decoder stumbles over.
    except Exception as error:
        raise OctetError(
            f"{file}: not a whole PNG or JPEG file ({' '.join(str(error).split())}); mend it or "
            "take it out"
        ) from None
    if data.colour is not None:
        upright = upright.convert(_COLOUR if data.colour else _GREY)
    if data.size:
        upright = upright.resize(data.size[::-1], Image.Resampling.BILINEAR)
    pixels = np.asarray(upright, np.uint8)
    channels_first = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if channels_first.size > LARGEST_ROW:
        raise OctetError(
            f"{file}: got {_size(channels_first)}, {channels_first.size} numbers; allowed are "
            f"{LARGEST_ROW}: give a smaller `size: [height, width]`"
        )
    return channels_first


def _opaque(image: Image.Image, file: Path) -> Image.Image:
    """The image in grey or colour; through which nothing may be seen."""
    if image.mode not in _MODES and image.mode not in ("CMYK", "YCbCr"):
        raise OctetError(f"{file}: got pixels of mode {image.mode}; allowed are 8 bits a channel")
    image = image.convert(_MODES.get(image.mode, _COLOUR))
    if image.mode in (_GREY, _COLOUR):
        return image
    least, _ = image.getchannel("A").getextrema()
    if least != _WHITE:
        raise OctetError(f"{file}: got transparent pixels; put the image on a ground of one colour")
    return image.convert(_GREY if image.mode == "LA" else _COLOUR)


def _size(image: Pixels) -> str:
    return f"{image.shape[1]} × {image.shape[2]} pixels"
