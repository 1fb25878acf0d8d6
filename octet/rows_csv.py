"""Rows from CSV: columns by name in any order, or by position; each line is a row or is bad."""

import csv
import itertools
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TextIO

import numpy as np
import numpy.typing as npt

from octet.errors import OctetError
from octet.network import Array, Columns, Signature
from octet.rows import Batch, Rows

Places = npt.NDArray[np.int64]

# Characters: of lines that are parsed together, and of the longest line that is one.
_TOGETHER = 1 << 19
_LONGEST = 1 << 20
# What `np.loadtxt` takes for a number, but for nan and inf.
_NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class _Layout:
    """Which of the ``width`` columns are read, in which order and under which names."""

    width: int
    columns: tuple[int, ...]
    names: tuple[str, ...]


def read(stream: TextIO, name: str, signature: Signature, with_truth: bool) -> Rows:
    """The rows of a stream of CSV, in constant memory.

    The first line names the columns of a table if every feature is among its fields, or if none of
    them is a number. Without such names there are the features, in their order; of images, the
    pixels in C order. Empty lines at the end are no rows.

    Args:
        stream: text, its line ends translated.
        name: what to call it in an error.
        signature: of the network that the rows are for.
        with_truth: read the column of the target too, where there is one.

    Raises:
        OctetError: (here, or from the batches) column names of which a feature is missing or twice
            there, or a line that is too long.
    """
    lines = _lines(stream, name)
    first = next(lines, "")
    layout, start = _by_position(signature), 1
    fields = _fields(first)
    if isinstance(signature, Columns) and first and _are_names(fields, signature.features):
        layout, start = _by_name(fields, signature, with_truth, name), 2
    elif first:
        lines = itertools.chain([first], lines)
    return Rows(f"{name}: line", _batches(stream, lines, start, layout, signature))


def _lines(stream: TextIO, name: str) -> Iterator[str]:
    """Each line, without the empty ones at the end."""
    empty = 0
    for number, line in enumerate(iter(partial(stream.readline, _LONGEST), ""), 1):
        if len(line) == _LONGEST:
            raise OctetError(f"{name}: line {number}: longer than {_LONGEST - 1} characters")
        if line.isspace():
            empty += 1
            continue
        if empty:
            yield from itertools.repeat("\n", empty)
            empty = 0
        yield line


def _are_names(fields: Sequence[str], features: Sequence[str]) -> bool:
    return set(features) <= set(fields) or all(_number(field) is None for field in fields)


def _by_position(signature: Signature) -> _Layout:
    width = math.prod(signature.shape)
    if isinstance(signature, Columns):
        return _Layout(width, tuple(range(width)), signature.features)
    return _Layout(width, tuple(range(width)), tuple(f"pixel {i}" for i in range(width)))


def _by_name(fields: Sequence[str], signature: Columns, with_truth: bool, name: str) -> _Layout:
    wanted = signature.features
    if with_truth and signature.target in fields:
        wanted = (*wanted, signature.target)
    if missing := [one for one in wanted if one not in fields]:
        raise OctetError(
            f"{name}: line 1: no column {', '.join(missing)}; the model takes "
            f"{', '.join(signature.features)}, in any order, or in this one without names"
        )
    if twice := [one for one in wanted if fields.count(one) > 1]:
        raise OctetError(f"{name}: line 1: more than one column {', '.join(twice)}")
    return _Layout(len(fields), tuple(fields.index(one) for one in wanted), wanted)


def _batches(
    stream: TextIO, lines: Iterator[str], start: int, layout: _Layout, signature: Signature
) -> Iterator[Batch]:
    features = math.prod(signature.shape)
    size = os.fstat(stream.fileno()).st_size if stream.seekable() else 0
    for block in _blocks(lines):
        values, places, bad = _parse(block, start, layout)
        start += len(block)
        truth = values[:, features] if len(layout.columns) > features else None
        x = values[:, :features].reshape(-1, *signature.shape)
        yield Batch(places, x, truth, bad, stream.buffer.tell() / size if size else None)


def _blocks(lines: Iterator[str]) -> Iterator[list[str]]:
    block: list[str] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size >= _TOGETHER:
            yield block
            block, size = [], 0
    if block:
        yield block


def _parse(block: list[str], start: int, layout: _Layout) -> tuple[Array, Places, dict[int, str]]:
    """The numbers of the good lines ``(rows, columns)``, their places, and the bad lines."""
    commas = layout.width - 1
    if "\n" not in block and all(line.count(",") == commas and '"' not in line for line in block):
        try:
            values = np.loadtxt(
                block, delimiter=",", comments=None, usecols=layout.columns, ndmin=2
            )
        except ValueError:
            pass
        else:
            if np.all(np.isfinite(values)):
                return values, np.arange(start, start + len(block)), {}
    return _parse_each(block, start, layout)


def _parse_each(
    block: list[str], start: int, layout: _Layout
) -> tuple[Array, Places, dict[int, str]]:
    """As `_parse`, line by line: slower, but it knows which are bad, and why; and takes quotes."""
    good: dict[int, list[float]] = {}
    bad: dict[int, str] = {}
    for place, line in enumerate(block, start):
        row = _row(line, layout)
        if isinstance(row, str):
            bad[place] = row
        else:
            good[place] = row
    values = np.array([*good.values()], np.float64).reshape(-1, len(layout.columns))
    return values, np.array([*good], np.int64), bad


def _row(line: str, layout: _Layout) -> list[float] | str:
    """The numbers of a line, or what is wrong with it."""
    fields = _fields(line)
    if len(fields) != layout.width:
        return f"got {len(fields)} columns; allowed are {layout.width}"
    row = [_number(fields[column]) for column in layout.columns]
    for name, column, number in zip(layout.names, layout.columns, row, strict=True):
        if number is None:
            return f"{name}: got {_shown(fields[column])}; allowed is a finite number"
    return [number for number in row if number is not None]


def _fields(line: str) -> list[str]:
    """The fields of a line; those of a quote that does not end in it are none."""
    try:
        return [field.strip() for field in next(csv.reader([line], strict=True), [])]
    except csv.Error:
        return []


def _number(field: str) -> float | None:
    number = float(field) if _NUMBER.fullmatch(field) else math.inf
    return number if math.isfinite(number) else None


def _shown(field: str) -> str:
    return repr(field if len(field) <= 40 else f"{field[:40]}…")
