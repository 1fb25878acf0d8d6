"""Rows from arrays: an .npy file, or a .safetensors file with the names that data files use."""

import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError, safe_open

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray, parse_header, refuse_header
from octet.modelfile.signatures import load_signature
from octet.rows.batches import Batch, Rows
from octet.rows.encoding import listed
from octet.signature import Classes, Images, Shape, Signature

# Numbers that are read together: of images enough for every core.
_TOGETHER = 1 << 18
_WHOLE = 2.0**53  # below it float64 holds every integer
# In a .safetensors file, rows and their targets or labels; the first pair whose rows are there.
_NAMES = (("x", "y"), ("x_test", "y_test"))


class _Sliced(Protocol):
    """An array of which a part can be read without the rest."""

    def __getitem__(self, rows: slice, /) -> AnyArray: ...


def read_npy(path: Path, signature: Signature) -> Rows:
    """The rows of an .npy file, part by part. Nothing is ever unpickled.

    Raises:
        OctetError: the file is no array of numbers, has another shape, or holds more than that.
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
    if behind := path.stat().st_size - array.offset - array.nbytes:
        raise OctetError(
            f"{path}: got {behind} bytes behind the array, a second one it seems; allowed is one: "
            "save each to a file of its own"
        )
    refuse_shape(str(path), array.shape, signature)
    return Rows(str(path), "row", _batches(path, array, None, len(array), signature))


def read_safetensors(path: Path, signature: Signature, with_truth: bool) -> Rows:
    """The rows of a .safetensors file, part by part: its array x or, in a data file, x_test.

    Their targets or labels (indices of classes), if asked for and there: y or y_test.

    Raises:
        OctetError: the file is damaged, has no such array or two of them, has one of another
            shape, or says that it holds something else than the model takes.
    """
    try:
        refuse_header(path)
        file = safe_open(path, framework="numpy")
        names, metadata = set(file.keys()), file.metadata() or {}
    except FileNotFoundError:
        raise
    except (SafetensorError, ValueError, OSError) as error:
        raise OctetError(f"{path}: not a whole .safetensors file ({_line(error)})") from None
    _refuse_other_data(path, parse_header(metadata) or {}, signature, with_truth)
    pairs = [pair for pair in _NAMES if pair[0] in names]
    if len(pairs) != 1:
        both = "both x and x_test" if pairs else "no array named x or x_test"
        raise OctetError(f"{path}: got {both}; one of them holds the rows")
    ((rows, true),) = pairs
    try:
        x = file.get_slice(rows)
        y = file.get_slice(true) if with_truth and true in names else None
        shapes = [tuple(array.get_shape()) for array in (x, y) if array is not None]
    except SafetensorError as error:
        raise OctetError(f"{path}: not a whole .safetensors file ({_line(error)})") from None
    refuse_shape(str(path), shapes[0], signature)
    if y is not None and shapes[1] != shapes[0][:1]:
        raise OctetError(f"{path}: {true}: got shape {shapes[1]}; allowed is {shapes[0][:1]}")
    return Rows(str(path), "row", _batches(path, x, y, shapes[0][0], signature))


def _refuse_other_data(
    path: Path, header: Mapping[str, Any], signature: Signature, with_truth: bool
) -> None:
    """Raise an OctetError if a header, where there is one, tells of other data than a signature."""
    if "layers" in header:
        raise OctetError(f"{path}: got a model; allowed are rows: CSV, .npy and .safetensors")
    try:
        data = load_signature(header)
    except (KeyError, OctetError, TypeError, ValueError):  # a file of somebody else's
        if with_truth and isinstance(signature.outputs, Classes):
            _refuse_ambiguous(path, signature.outputs.classes)
        return
    got, allowed = data.inputs, signature.inputs
    if (type(got), got.names) != (type(allowed), allowed.names):
        raise OctetError(
            f"{path}: got data of {listed(got.names)}; allowed is {listed(allowed.names)}"
        )
    if isinstance(got, Images) and got != allowed:
        raise OctetError(f"{path}: got {got}; allowed is {allowed}")
    if with_truth and data.outputs != signature.outputs:
        raise OctetError(f"{path}: the truth: got {data.outputs}; allowed is {signature.outputs}")


def _refuse_ambiguous(path: Path, classes: tuple[str, ...]) -> None:
    """Raise an OctetError if a label may be the index of a class or its name, and these differ."""
    if all(name.isdecimal() for name in classes) and [*classes] != [*map(str, range(len(classes)))]:
        raise OctetError(
            f"{path}: y: are labels names of classes, {listed(classes)}, or their indices from 0? "
            "CSV has names, in a column of their own"
        )


def _batches(
    path: Path, x: _Sliced, truth: _Sliced | None, rows: int, signature: Signature
) -> Iterator[Batch]:
    step = max(1, _TOGETHER // math.prod(signature.shape))
    for start in range(0, rows, step):
        end = min(start + step, rows)
        part = numbers(str(path), x, start, end)
        true = None if truth is None else numbers(str(path), truth, start, end)
        yield Batch(np.arange(start, end), part, true, {}, end / rows)


def numbers(name: str, array: _Sliced, start: int, end: int) -> AnyArray:
    """A part of an array: bytes as they are, any other real numbers in float64.

    Raises:
        OctetError: it has no real numbers, or an integer that float64 does not hold.
    """
    try:
        part = array[start:end]
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        raise OctetError(f"{name}: an array that NumPy cannot hold ({_line(error)})") from None
    if part.dtype == np.uint8:
        return part
    if part.dtype.kind not in "fiu" or part.dtype.itemsize > 8:
        raise OctetError(f"{name}: got {part.dtype}; allowed are integers and floats of 64 bits")
    reals = part.astype(np.float64)
    if part.dtype.itemsize == 8 and part.dtype.kind in "iu" and np.any(np.abs(reals) >= _WHOLE):
        raise OctetError(f"{name}: got an integer from 2⁵³ on, which float64 would round")
    return reals


def refuse_shape(name: str, shape: Shape, signature: Signature) -> None:
    """Raise an OctetError, with what may help, if an array of this shape is not rows of these."""
    if len(shape) != 1 + len(signature.shape) or shape[1:] != signature.shape:
        expected = ", ".join(map(str, signature.shape))
        hint = _to_reshape(shape, signature.shape)
        raise OctetError(f"{name}: got shape {shape}; allowed is (rows, {expected}){hint}")


def _to_reshape(shape: Shape, row: Shape) -> str:
    """What makes rows of these, if they are the same numbers in another order."""
    if shape == row:
        return "; `x[None]` makes a row of one"
    if len(row) == 3 and shape[1:] == (*row[1:], row[0]):
        return "; `np.moveaxis(x, -1, 1)` puts the channels first"
    if len(shape) > 1 and math.prod(shape[1:]) == math.prod(row):
        return f"; if its numbers are in that order, `x.reshape(-1, {', '.join(map(str, row))})`"
    return ""


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
