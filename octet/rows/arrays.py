"""Rows from arrays: an .npy file, or a .safetensors file with the names that data files use."""

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors import SafetensorError, safe_open

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray, refuse_header
from octet.rows.batches import Batch, Rows
from octet.signature import Shape, Signature

# Numbers that are read together.
_TOGETHER = 1 << 16
# In a .safetensors file, rows and their targets or labels; the first pair whose rows are there.
_NAMES = (("x", "y"), ("x_test", "y_test"))


class _Sliced(Protocol):
    """An array of which a part can be read without the rest."""

    def __getitem__(self, rows: slice, /) -> AnyArray: ...


def read_npy(path: Path, signature: Signature) -> Rows:
    """The rows of an .npy file, part by part. Nothing is ever unpickled.

    Raises:
        OctetError: the file is no array of numbers, or has another shape.
    """
    if path.exists() and not path.is_file():
        raise OctetError(f"{path}: not an .npy file of numbers (it is no file)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the error says it all
            # Not np.load, which opens archives too.
            array = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:
        # Its header is evaluated as Python: there is no end to what that may raise.
        raise OctetError(f"{path}: not an .npy file of numbers ({_line(error)})") from None
    _refuse_shape(path, array.shape, signature)
    return Rows(f"{path}: row", _batches(path, array, None, len(array), signature))


def read_safetensors(path: Path, signature: Signature, with_truth: bool) -> Rows:
    """The rows of a .safetensors file, part by part: its array x or, in a data file, x_test.

    Their targets or labels (indices of classes), if asked for and there: y or y_test.

    Raises:
        OctetError: the file is damaged, has no such array, or has one of another shape.
    """
    try:
        refuse_header(path)
        file = safe_open(path, framework="numpy")
        names = set(file.keys())
        rows, true = next((pair for pair in _NAMES if pair[0] in names), ("", ""))
        x = file.get_slice(rows) if rows else None
        y = file.get_slice(true) if with_truth and true in names else None
        shapes = [tuple(array.get_shape()) for array in (x, y) if array is not None]
    except FileNotFoundError:
        raise
    except (SafetensorError, ValueError, OSError) as error:
        raise OctetError(f"{path}: not a whole .safetensors file ({_line(error)})") from None
    if x is None:
        raise OctetError(f"{path}: got no array named x or x_test; one of them holds the rows")
    _refuse_shape(path, shapes[0], signature)
    if y is not None and shapes[1] != shapes[0][:1]:
        raise OctetError(f"{path}: {true}: got shape {shapes[1]}; allowed is {shapes[0][:1]}")
    return Rows(f"{path}: row", _batches(path, x, y, shapes[0][0], signature))


def _batches(
    path: Path, x: _Sliced, truth: _Sliced | None, rows: int, signature: Signature
) -> Iterator[Batch]:
    step = max(1, _TOGETHER // math.prod(signature.shape))
    for start in range(0, rows, step):
        end = min(start + step, rows)
        part = _numbers(path, x, start, end)
        true = None if truth is None else _numbers(path, truth, start, end)
        yield Batch(np.arange(start, end), part, true, {}, end / rows)


def _numbers(path: Path, array: _Sliced, start: int, end: int) -> AnyArray:
    """A part of an array: bytes as they are, any other real numbers in float64."""
    try:
        part = array[start:end]
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        raise OctetError(f"{path}: an array that NumPy cannot hold ({_line(error)})") from None
    if part.dtype == np.uint8:
        return part
    if part.dtype.kind not in "fiu" or part.dtype.itemsize > 8:
        raise OctetError(f"{path}: got {part.dtype}; allowed are integers and floats of 64 bits")
    return part.astype(np.float64)


def _refuse_shape(path: Path, shape: Shape, signature: Signature) -> None:
    if len(shape) != 1 + len(signature.shape) or shape[1:] != signature.shape:
        expected = ", ".join(map(str, signature.shape))
        raise OctetError(f"{path}: got shape {shape}; allowed is (rows, {expected})")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
