"""Rows from CSV: columns by name in any order, or by position; each line is a row or is bad."""

import contextlib
import csv
import itertools
import math
import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.errors import OctetError
from octet.rows.batches import Batch, Rows
from octet.rows.binary import refuse_binary
from octet.rows.table import listed, number, shown
from octet.signature import Classes, Columns, Numbers, Signature

Places = npt.NDArray[np.int64]

# Bytes: of lines that are parsed together, and of the longest line that is one.
_TOGETHER = 1 << 19
_LONGEST = 1 << 20
_EMPTY = 1 << 12
_TOO_LONG = f"longer than {_LONGEST} bytes; is this CSV?"


@dataclass(frozen=True)
class _Layout:
    """Which of the ``width`` columns are read, in which order and under which names.

    Behind those that go in may be the one of the truth. Of classes that has names, of which
    ``labels`` has the indices; where nothing but numbers is read, it is empty.
    """

    width: int
    columns: tuple[int, ...]
    names: tuple[str, ...]
    labels: Mapping[str, int]

    def number(self, place: int, field: str) -> float | None:
        """What a field of the column at this place of a line stands for; None if it is nothing."""
        if self.labels and place == self.columns[-1]:
            return self.labels.get(field)
        return number(field)


def read(stream: BufferedReader, name: str, signature: Signature, with_truth: bool) -> Rows:
    """The rows of a stream of CSV, as they come and in constant memory.

    The first line names the columns of a table if every feature is among its fields, or if none of
    them is a number. Without such names there are the features, in their order; of images, the
    pixels in C order. Empty lines at the end are no rows.

    Args:
        stream: UTF-8; a byte that is not becomes a character that no number has.
        name: what to call it in an error.
        signature: of the network that the rows are for.
        with_truth: read the column of the truth too, where there is one: it has the name of the
            target, or is called ``class`` and has names of classes.

    Raises:
        OctetError: (here, or from the batches) column names of which a feature is missing or twice
            there, a line that is too long, or another kind of file.
    """
    blocks = _blocks(stream, name)
    block = next(blocks, [])
    layout, start = _by_position(signature), 1
    fields: list[str] = []
    with contextlib.suppress(csv.Error):  # then the line is bad, as others may be
        fields = _fields(block[0]) if block else []
    inputs = signature.inputs
    if isinstance(inputs, Columns) and fields and _are_names(fields, inputs.features):
        outputs = signature.outputs if with_truth else None
        layout, start = _by_name(fields, inputs, outputs, name), 2
        block = block[1:]
    if block:
        blocks = itertools.chain([block], blocks)
    return Rows(f"{name}: line", _batches(stream, blocks, start, layout, signature))


def _blocks(stream: BufferedReader, name: str) -> Iterator[list[str]]:
    """Some lines at a time, without those at the end that are empty."""
    done, empty, rest = 0, 0, b""
    begun = False
    # read1: what is in a pipe now is predicted now.
    while block := stream.read1(_TOGETHER):
        if not begun:
            refuse_binary(block, name)
            begun = True
        whole, newline, rest = (rest + block).rpartition(b"\n")
        lines = _text(whole, done + empty).split("\n") if newline else []
        behind = sum(1 for _ in itertools.takewhile(_is_empty, reversed(lines)))
        if behind < len(lines):
            yield from _empty_lines(empty)
            yield lines[: len(lines) - behind]
            done, empty = done + empty + len(lines) - behind, 0
        empty += behind
        if len(rest) > _LONGEST:
            raise OctetError(f"{name}: line {done + empty + 1}: {_TOO_LONG}")
    if not _is_empty(last := _text(rest, done + empty)):
        yield from _empty_lines(empty)
        yield [last]


def _empty_lines(count: int) -> Iterator[list[str]]:
    """So many, in parts: each will be a bad row, and take memory."""
    for start in range(0, count, _EMPTY):
        yield [""] * min(_EMPTY, count - start)


def _text(content: bytes, done: int) -> str:
    """Decoded; the first bytes of a file may say that it is UTF-8, and are no part of it."""
    text = content.decode("utf-8", "replace")
    return text if done else text.removeprefix("\ufeff")


def _is_empty(line: str) -> bool:
    return not line or line.isspace()


def _are_names(fields: Sequence[str], features: Sequence[str]) -> bool:
    return set(features) <= set(fields) or all(number(field) is None for field in fields)


def _by_position(signature: Signature) -> _Layout:
    names = signature.inputs.names
    return _Layout(len(names), tuple(range(len(names))), names, {})


def _by_name(
    fields: Sequence[str], inputs: Columns, outputs: Numbers | Classes | None, name: str
) -> _Layout:
    """The layout of a line of names; without the truth where ``outputs`` is None."""
    wanted, labels = inputs.features, dict[str, int]()
    if outputs is not None and outputs.column in {*fields} - {*inputs.features}:
        wanted = (*wanted, outputs.column)
        if isinstance(outputs, Classes):
            labels = {each: i for i, each in enumerate(outputs.classes)}
    if missing := [one for one in wanted if one not in fields]:
        raise OctetError(
            f"{name}: line 1: no column {listed(missing)}; got {listed(fields)}; allowed are, in "
            f"any order, {listed(inputs.features)}, or lines without names"
        )
    if twice := [one for one in wanted if fields.count(one) > 1]:
        raise OctetError(f"{name}: line 1: more than one column {listed(twice)}")
    return _Layout(len(fields), tuple(fields.index(one) for one in wanted), wanted, labels)


def _batches(
    stream: BufferedReader,
    blocks: Iterator[list[str]],
    start: int,
    layout: _Layout,
    signature: Signature,
) -> Iterator[Batch]:
    features = math.prod(signature.shape)
    size = os.fstat(stream.fileno()).st_size if stream.seekable() else 0
    for block in blocks:
        values, places, bad = _parse(block, start, layout)
        start += len(block)
        truth = values[:, features] if len(layout.columns) > features else None
        x = values[:, :features].reshape(-1, *signature.shape)
        yield Batch(places, x, truth, bad, stream.tell() / size if size else None)


def _parse(block: list[str], start: int, layout: _Layout) -> tuple[Array, Places, dict[int, str]]:
    """The numbers of the good lines ``(rows, columns)``, their places, and the bad lines."""
    commas = set(map(operator.methodcaller("count", ","), block))
    # What is too long from a pipe is so from a file, whose lines come whole.
    if (
        max(map(len, block)) <= _LONGEST
        and commas == {layout.width - 1}
        and '"' not in "".join(block)
    ):
        with contextlib.suppress(ValueError):
            values = np.loadtxt(
                block,
                delimiter=",",
                comments=None,
                usecols=layout.columns,
                ndmin=2,
                encoding="utf-8",
                converters=_converters(layout),
            )
            # It skips empty lines, and takes nan and inf.
            if len(values) == len(block) and np.all(np.isfinite(values)):
                return values, np.arange(start, start + len(block)), {}
    return _parse_each(block, start, layout)


def _converters(layout: _Layout) -> dict[int | str, Callable[[str], int]] | None:
    """Of the column of labels, if there is one."""

    def index(field: str) -> int:
        if (label := layout.labels.get(field.strip())) is None:
            raise ValueError
        return label

    return {layout.columns[-1]: index} if layout.labels else None


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
    if len(line) > _LONGEST:
        return _TOO_LONG
    if _is_empty(line):
        return f"got an empty line; allowed are {layout.width} columns"
    try:
        fields = _fields(line)
    except csv.Error:
        return f"not a line of CSV: {_broken(line)}"
    if len(fields) != layout.width:
        return f"got {len(fields)} columns; allowed are {layout.width}"
    row = [layout.number(column, fields[column]) for column in layout.columns]
    for name, column, value in zip(layout.names, layout.columns, row, strict=True):
        if value is None:
            labelled = layout.labels and column == layout.columns[-1]
            allowed = listed([*layout.labels]) if labelled else "a finite number"
            return f"{name}: got {shown(fields[column])}; allowed is {allowed}"
    return [value for value in row if value is not None]


def _broken(line: str) -> str:
    """Why `csv` takes no fields from a line; its own words are for who writes Python."""
    if "\r" in line.rstrip("\r"):
        return "got a carriage return inside; lines end in \\n or \\r\\n"
    if '"' in line:
        return "got a quote without its other end, or with text beside it"
    return f"got a field of more than {csv.field_size_limit()} characters"


def _fields(line: str) -> list[str]:
    """The fields of a line; csv.Error if a quote does not end in it, say."""
    return [field.strip() for field in next(csv.reader([line], strict=True), [])]
