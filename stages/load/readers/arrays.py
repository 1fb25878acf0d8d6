"""Arrays of one's own: .npz, .safetensors, or an .npy file each. Nothing is ever unpickled."""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from safetensors import safe_open

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray, refuse_header
from octet.signature import LARGEST_ROW, Arrays, Columns, Images, Inputs, Shape
from stages.dataset import Dataset
from stages.load.readers.truth import Truth, finite
from stages.load.split import refuse_shared
from stages.params import data as params
from stages.params.split import Split

_WHITE = 255
_MOST_AXES = 4
_MOST_CHANNELS = 4


def read(data: params.Arrays, paths: Sequence[Path], how: Split) -> Dataset:
    """Rows of any shape; uint8 with two or three axes a row are images, channels first.

    Raises:
        OctetError: a file is damaged, an array is not there or holds no numbers, or two do not
            belong together; or as `refuse_shared`, of x.
    """
    refuse_shared(paths[:1], paths[2:3])
    arrays = _arrays(data, paths)
    for (x_name, x), (y_name, y) in zip(arrays[::2], arrays[1::2], strict=True):
        if x.shape[:1] != y.shape[:1] or not y.size:
            raise OctetError(
                f"{x_name}: got shape {x.shape}, and {y_name} {y.shape}; allowed are as many rows "
                "of both, at least one"
            )
    inputs, xs = _inputs(arrays[::2], Path(data.x).stem)
    ys = [y for _, y in arrays[1::2]]
    truth = Truth(Path(data.y).stem, data.unit, data.task, arrays[1][0])
    if len(xs) == 1:
        return truth.split(inputs, xs[0], ys[0], how)
    return truth.dataset(inputs, (xs[0], ys[0]), (xs[1], ys[1]))


def _arrays(data: params.Arrays, paths: Sequence[Path]) -> list[tuple[str, AnyArray]]:
    """Those that params.yaml names, in its order, each with where it is."""
    if data.path is None:
        return [(str(path), _npy(path)) for path in paths]
    path = paths[0]
    readers = {".npz": _npz, ".safetensors": _safetensors}
    if path.suffix not in readers:
        raise OctetError(f"{path}: got {path.suffix!r}; allowed are {', '.join(readers)}")
    try:
        arrays, names = readers[path.suffix](path, data.names)
    except OSError:
        raise
    except Exception as error:
        # An .npy header is evaluated as Python: there is no end to what that may raise.
        raise OctetError(f"{path}: not a whole {path.suffix} file ({_line(error)})") from None
    if missing := [name for name in data.names if name not in arrays]:
        raise OctetError(
            f"{path}: no array {missing[0]}; got {', '.join(names)}: say which are x and y, as in "
            f"`x: {names[0] if names else 'x'}`"
        )
    return [(f"{path}: {name}", arrays[name]) for name in data.names]


def _npz(path: Path, wanted: Sequence[str]) -> tuple[dict[str, AnyArray], list[str]]:
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        arrays = {}
        for name in {*wanted} & {*names}:
            with archive.open(f"{name}.npy") as file:
                arrays[name] = _whole(file)
    return arrays, names


def _safetensors(path: Path, wanted: Sequence[str]) -> tuple[dict[str, AnyArray], list[str]]:
    refuse_header(path)
    with safe_open(path, framework="numpy") as file:
        names = sorted(file.keys())
        return {name: file.get_tensor(name) for name in {*wanted} & {*names}}, names


def _npy(path: Path) -> AnyArray:
    with path.open("rb") as file:
        try:
            return _whole(file)
        except Exception as error:
            raise OctetError(f"{path}: not a whole .npy file ({_line(error)})") from None


def _whole(file: IO[bytes]) -> AnyArray:
    """The one array of a file.

    Raises:
        ValueError: there is none, or something behind it: a second one that nobody would read.
    """
    array: AnyArray = np.lib.format.read_array(file, allow_pickle=False)
    if file.read(1):
        raise ValueError("there is something behind the array")
    return array


def _inputs(xs: Sequence[tuple[str, AnyArray]], prefix: str) -> tuple[Inputs, list[AnyArray]]:
    """What one row is, and the rows of each array in the type that this has."""
    (first, x), *others = xs
    shape: Shape = x.shape[1:]
    for name, other in others:
        if other.shape[1:] != shape or other.dtype != x.dtype:
            raise OctetError(
                f"{name}: got {other.dtype} of shape {other.shape}, and {first} {x.dtype} of shape "
                f"{x.shape}; allowed are rows of one kind"
            )
    if not 1 <= len(shape) <= _MOST_AXES or not 1 <= math.prod(shape) <= LARGEST_ROW:
        raise OctetError(
            f"{first}: got shape {x.shape}; allowed are rows of 1 to {_MOST_AXES} axes "
            f"and 1 to {LARGEST_ROW} numbers"
        )
    if x.dtype == np.uint8 and len(shape) in (2, 3):
        return _images(shape, first), [x.reshape(-1, *_sides(shape)) for _, x in xs]
    numbers = [finite(x, name) for name, x in xs]
    if len(shape) == 1:
        return Columns(tuple(f"{prefix}[{i}]" for i in range(shape[0]))), numbers
    return Arrays(shape), numbers


def _images(shape: Shape, where: str) -> Images:
    channels, height, width = _sides(shape)
    if channels > _MOST_CHANNELS >= width:
        raise OctetError(
            f"{where}: got images of shape {shape}; channels come first: store "
            "x.transpose(0, 3, 1, 2)"
        )
    return Images((channels, height, width), _WHITE)


def _sides(shape: Shape) -> tuple[int, int, int]:
    channels, height, width = (1, *shape) if len(shape) == 2 else shape
    return channels, height, width


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
