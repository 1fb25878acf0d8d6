"""Rows to predict, some at a time: CSV from a file or a pipe, .npy and .safetensors arrays."""

import csv
import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from octet.errors import OctetError
from octet.network import Array, Columns, Images, Input, Signature

_TOGETHER = 2**18  # values of one part
_READ = 2**20  # bytes of one part; and no line may be longer
# What numbers are written with. Other characters send a part to the reader that names them.
_OF_NUMBERS = b"0123456789+-.eE,\r\n \t"


@dataclass(frozen=True)
class Part:
    """Some rows, in order.

    Attributes:
        x: as the network takes them, ``(rows, …)``.
        truth: the target of each, ``(rows,)``, where the rows have one.
        bad: what was wrong with rows that were left out, one line for each.
    """

    x: Input
    truth: Array | None = None
    bad: tuple[str, ...] = ()


class BadRowError(OctetError):
    """A row that cannot be predicted.

    Attributes:
        before: the good rows of the same part that stand before it.
    """

    def __init__(self, message: str, before: Part) -> None:
        """Take the message, and what is to be written before it is shown."""
        super().__init__(message)
        self.before = before


def of_file(path: Path, signature: Signature, skip: bool) -> Iterator[Part]:
    """The rows of a file, by what its name ends with: .npy, .safetensors, and CSV else.

    Args:
        path: the file.
        signature: of the network.
        skip: leave bad rows out, and say so in ``bad``.

    Raises:
        BadRowError: a row is bad, and they are not to be left out.
        OctetError: the file is none of these, or its columns are not those of the network.
    """
    if path.suffix == ".npy":
        yield from _of_array(_npy(path), signature, path.name, skip)
    elif path.suffix == ".safetensors":
        yield from _of_safetensors(path, signature, skip)
    else:
        with path.open("rb") as file:
            yield from of_csv(file, signature, path.name, skip)


def of_csv(file: BinaryIO, signature: Signature, name: str, skip: bool) -> Iterator[Part]:
    """The rows of a CSV file or pipe; arguments and errors as `of_file`.

    With a header, columns are matched by name, in any order, and those of other names are left
    out; a column with the name of the target is the truth. Without one, columns are the features
    in their order, and the truth may stand behind them. A row of an image has its pixels, in C
    order. Empty lines are no rows.
    """
    columns: _Columns | None = None
    for number, lines in _lines(file, name):
        head = 0
        if columns is None:
            filled = [i for i, line in enumerate(lines) if line.strip()]
            if not filled:
                continue
            columns, has_header = _match(lines[filled[0]], signature, name)
            head = filled[0] + has_header
        if lines[head:]:
            yield _parse(lines[head:], number + head, columns, name, skip)


@dataclass(frozen=True)
class _Columns:
    """Where in a line the values are.

    Attributes:
        width: how many fields a line has.
        features: the place of each feature.
        truth: that of the target, if there is one.
        names: of the fields, for errors.
        shape: of one row.
    """

    width: int
    features: tuple[int, ...]
    truth: int | None
    names: tuple[str, ...]
    shape: tuple[int, ...]


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, list[bytes]]]:
    """Some lines at a time, with the number of the first, from 1."""
    number, rest = 1, b""
    while block := file.read(_READ):
        *lines, rest = (rest + block).split(b"\n")
        if number == 1 and lines:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        if lines:
            yield number, lines
            number += len(lines)
        if len(rest) > _READ:
            raise OctetError(f"{name}: line {number}: longer than {_READ} bytes; is this CSV?")
    if rest:
        yield number, [rest.removeprefix(b"\xef\xbb\xbf") if number == 1 else rest]


def _fields(line: bytes) -> list[str]:
    return next(csv.reader([line.decode("utf-8", "replace")]), [])


def _match(line: bytes, signature: Signature, name: str) -> tuple[_Columns, bool]:
    """Find the features in the first line; whether that is a header."""
    fields = [field.strip() for field in _fields(line)]
    count = math.prod(signature.shape)
    known = tuple(f"pixel {i}" for i in range(count))
    if isinstance(signature, Columns):
        known = signature.features
    if all(_number(field) is not None for field in fields):
        if len(fields) not in (count, count + 1):
            raise OctetError(
                f"{name}: line 1: got {len(fields)} columns; allowed are {count}, "
                f"{_listed(known)}, with the target behind them or not"
            )
        names = (*known, "target")[: len(fields)]
        truth = count if len(fields) > count else None
        return _Columns(len(fields), tuple(range(count)), truth, names, signature.shape), False
    if len(set(fields)) < len(fields):
        twice = next(field for field in fields if fields.count(field) > 1)
        raise OctetError(f"{name}: line 1: two columns are called {twice!r}")
    if isinstance(signature, Images):
        raise OctetError(f"{name}: line 1: images have no names of columns; leave the header out")
    for feature in known:
        if feature not in fields:
            near = difflib.get_close_matches(feature, fields, n=1)
            hint = f" (is it {near[0]!r}?)" if near else ""
            raise OctetError(
                f"{name}: line 1: no column {feature!r}{hint}; the model takes {_listed(known)}"
            )
    truth = fields.index(signature.target) if signature.target in fields else None
    places = tuple(fields.index(feature) for feature in known)
    return _Columns(len(fields), places, truth, tuple(fields), signature.shape), True


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) <= 20 else [*names[:3], "…", names[-1]])


def _parse(lines: list[bytes], first: int, columns: _Columns, name: str, skip: bool) -> Part:
    values = _fast(lines, columns)
    if values is not None:
        return _part(values, columns)
    return _slow(lines, first, columns, name, skip)


def _fast(lines: list[bytes], columns: _Columns) -> Array | None:
    """All fields ``(rows, width)``, or None where something is not as it should be."""
    text = b"\n".join(lines)
    if text.translate(None, _OF_NUMBERS) or not all(map(bytes.strip, lines)):
        return None
    try:
        values = np.loadtxt(lines, delimiter=",", comments=None, ndmin=2, encoding="ascii")
    except ValueError:
        return None
    good = values.shape == (len(lines), columns.width) and np.all(np.isfinite(values))
    return values if good else None


def _slow(lines: list[bytes], first: int, columns: _Columns, name: str, skip: bool) -> Part:
    """Field by field, to name the first bad one, or to leave its row out."""
    rows: list[list[float]] = []
    bad: list[str] = []
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        fault, row = _row(line, columns)
        if fault is None:
            rows.append(row)
            continue
        message = f"{name}: line {number}: {fault}"
        if not skip:
            raise BadRowError(message, _part(_as_array(rows, columns), columns))
        bad.append(message)
    return _part(_as_array(rows, columns), columns, tuple(bad))


def _row(line: bytes, columns: _Columns) -> tuple[str | None, list[float]]:
    """What is wrong with a line, or else the values that count; others are 0."""
    try:
        fields = _fields(line.rstrip(b"\r"))
    except csv.Error as error:
        return f"not CSV: {error}", []
    if len(fields) != columns.width:
        return f"got {len(fields)} fields; allowed are {columns.width}", []
    row = [0.0] * columns.width
    places = (*columns.features, *([] if columns.truth is None else [columns.truth]))
    for place in places:
        value = _number(fields[place])
        if value is None or not math.isfinite(value):
            what = columns.names[place]
            return f"column {what!r}: got {fields[place][:40]!r}; allowed is a finite number", []
        row[place] = value
    return None, row


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _as_array(rows: list[list[float]], columns: _Columns) -> Array:
    return np.array(rows, np.float64).reshape(len(rows), columns.width)


def _part(values: Array, columns: _Columns, bad: tuple[str, ...] = ()) -> Part:
    x = values[:, columns.features].reshape(len(values), *columns.shape)
    truth = None if columns.truth is None else values[:, columns.truth]
    return Part(x, truth, bad)


def _npy(path: Path) -> npt.NDArray[np.generic]:
    try:
        # Not np.load, which opens archives and, if one lets it, pickles too.
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except (ValueError, EOFError, OverflowError, SyntaxError, TypeError) as error:
        raise OctetError(f"{path}: not an array in NumPy's format ({error})") from None


def _of_safetensors(path: Path, signature: Signature, skip: bool) -> Iterator[Part]:
    try:
        with safe_open(path, framework="numpy") as file:
            names = sorted(file.keys())
            name = "x" if "x" in names else names[0] if len(names) == 1 else None
            if name is None:
                raise OctetError(
                    f"{path}: got the arrays {_listed(names)}; allowed is one, or one called x"
                )
            array = file.get_tensor(name)
    except (SafetensorError, ValueError) as error:
        raise OctetError(f"{path}: not a file of safetensors ({error})") from None
    yield from _of_array(array, signature, path.name, skip)


def _of_array(
    array: npt.NDArray[np.generic], signature: Signature, name: str, skip: bool
) -> Iterator[Part]:
    expected = ", ".join(map(str, signature.shape))
    if array.ndim != 1 + len(signature.shape) or array.shape[1:] != signature.shape:
        raise OctetError(f"{name}: got shape {array.shape}; allowed is (rows, {expected})")
    if array.dtype.kind not in "fiu":
        raise OctetError(f"{name}: got {array.dtype}; allowed are numbers")
    together = max(1, _TOGETHER // math.prod(signature.shape))
    for start in range(0, len(array), together):
        rows = array[start : start + together]
        pixels = rows.dtype == np.uint8 and isinstance(signature, Images)
        yield _finite(np.asarray(rows) if pixels else rows.astype(np.float64), start, name, skip)


def _finite(x: Input, start: int, name: str, skip: bool) -> Part:
    """The rows without NaN and infinities."""
    good = np.all(np.isfinite(x.reshape(len(x), -1)), axis=1)
    if np.all(good):
        return Part(x)
    faults = [f"{name}: row {start + i}: not finite" for i in np.flatnonzero(~good).tolist()]
    if not skip:
        raise BadRowError(faults[0], Part(x[: int(np.argmin(good))]))
    return Part(x[good], bad=tuple(faults))
