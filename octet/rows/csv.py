"""Rows from CSV: columns by name in any order, or by position; each record is a row or is bad."""

import contextlib
import csv
import itertools
import math
import operator
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BufferedReader

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.rows import arrow, text
from octet.rows.batches import Batch, Rows
from octet.rows.encoding import features, listed, number, reader, refusal, shown
from octet.rows.text import Block, Places
from octet.signature import Classes, Column, Columns, Numbers, Outputs, Signature

SEPARATORS = {",": ",", ";": ";", "|": "|", "tab": "\t", "space": " "}
DECIMALS = (".", ",")
_EXACT = 2.0**53  # below it float64 holds every integer
_NUMBERS = 1 << 20  # features that are made together
# Of so much of a file, or of a stream in parts, importing pyarrow takes longer than it saves.
_FEW_BYTES, _FEW_BLOCKS = 1 << 23, 16
_Reader = Callable[[str], float | None]


@dataclass(frozen=True)
class Dialect:
    """How a file of CSV is written.

    Attributes:
        separator: of the fields of a line.
        decimal: what stands before the fraction of a number.
        header: whether the first line of a table has the names of its columns.
    """

    separator: str = ","
    decimal: str = "."
    header: bool = True


CSV = Dialect()


@dataclass(frozen=True)
class _Layout:
    """Which of the ``width`` columns are read, from which places, and how they are written.

    The last one may be that of the truth: of classes, with their names for categories, so that what
    it stands for is the index of one. ``of_numbers`` says that these are whole numbers, each of
    which may be written in any way that a number may: 1 as 1.0.
    """

    width: int
    places: tuple[int, ...]
    columns: tuple[Column, ...]
    dialect: Dialect
    of_numbers: bool = False

    @cached_property
    def readers(self) -> list[_Reader]:
        """For each column what a field of it stands for, as `octet.rows.encoding.reader`."""
        commas = self.dialect.decimal == ","
        readers = [_with_commas(column) if commas else reader(column) for column in self.columns]
        if self.of_numbers:
            truth = self.columns[-1]
            readers[-1] = _of_numbers(truth, _with_commas(Column("")) if commas else number)
        return readers

    @cached_property
    def converters(self) -> dict[int | str, Callable[[str], float]] | None:
        """By place, of columns that `np.loadtxt` cannot read by itself."""
        return {
            place: _refusing(read)
            for place, read in zip(self.places, self.readers, strict=True)
            if read is not number
        } or None


def read(
    stream: BufferedReader, name: str, signature: Signature, with_truth: bool, dialect: Dialect
) -> Rows:
    """The rows of a stream of CSV, as they come and in constant memory.

    The first line of a table has the names of its columns, in any order and perhaps with others
    between them. Where ``dialect`` says that it has not, there are the columns of the model in
    their order. Images and other arrays are their numbers in C order, without a header. Empty
    lines at the end are no rows.

    Args:
        stream: as `octet.rows.text.blocks`.
        name: what to call it in an error.
        signature: of the network that the rows are for.
        with_truth: read the column of the truth too, where there is one: it has the name of the
            target, or that of the column of classes and has names of classes.
        dialect: how it is written.

    Raises:
        OctetError: (here, or from the batches) a first line without the names of the columns, or
            with one of them twice; numbers without names whose first line may be a header; or as
            `octet.rows.text.blocks`.
    """
    blocks = text.blocks(stream, name, dialect.separator)
    first = next(blocks, None)
    fields: list[str] = []
    with contextlib.suppress(csv.Error):  # then the line is bad, as others may be
        fields = text.fields(first.records[0], dialect.separator) if first else []
    inputs = signature.inputs
    if isinstance(inputs, Columns) and dialect.header:
        if first is None:
            raise OctetError(f"{name}: it is empty; line 1 has the names of the columns")
        outputs = signature.outputs if with_truth else None
        layout = _by_name(fields, inputs, outputs, f"{name}: line {first.places[0]}", dialect)
        first = replace(first, records=first.records[1:], places=first.places[1:])
    else:
        layout = _by_position(signature, dialect)
        if dialect.header:
            _refuse_header(fields, len(layout.columns), name)
    if first and first.records:
        blocks = itertools.chain([first], blocks)
    return Rows(name, "line", _batches(stream, blocks, layout, signature))


def _refusing(read: _Reader) -> Callable[[str], float]:
    def convert(field: str) -> float:
        if (value := read(field.strip())) is None:
            raise ValueError
        return value

    return convert


def _with_commas(column: Column) -> _Reader:
    """As `reader`, of numbers with a decimal comma: a point would be one of thousands."""
    if column.categories:
        return reader(column)
    plain = reader(column)
    return lambda field: None if "." in field else plain(field.replace(",", "."))


def _of_numbers(truth: Column, value_of: _Reader) -> _Reader:
    """The index of the class, all of which are whole numbers, that a field is as a number."""
    indices = {float(name): float(i) for i, name in enumerate(truth.categories)}

    def read(field: str) -> float | None:
        value = value_of(field)
        return None if value is None else indices.get(value)

    return read


def _by_position(signature: Signature, dialect: Dialect) -> _Layout:
    inputs = signature.inputs
    columns = inputs.columns if isinstance(inputs, Columns) else tuple(map(Column, inputs.names))
    return _Layout(len(columns), tuple(range(len(columns))), columns, dialect)


def _by_name(
    fields: Sequence[str], inputs: Columns, outputs: Outputs | None, where: str, dialect: Dialect
) -> _Layout:
    """The layout of a line of names; without the truth where ``outputs`` is None."""
    columns, of_numbers = inputs.columns, False
    names = [column.name for column in columns]
    if missing := [one for one in names if one not in fields]:
        raise OctetError(f"{where}: {_without_names(fields, names, missing)}")
    if outputs is not None and outputs.column in {*fields} - {*names}:
        columns = (*columns, _column_of(outputs))
        of_numbers = isinstance(outputs, Classes) and all(map(_is_whole, outputs.classes))
    wanted = [column.name for column in columns]
    if twice := [one for one in wanted if fields.count(one) > 1]:
        raise OctetError(f"{where}: more than one column {listed(twice)}")
    return _Layout(len(fields), tuple(map(fields.index, wanted)), columns, dialect, of_numbers)


def _is_whole(name: str) -> bool:
    """Whether it is a whole number as Python writes it, and float64 holds it."""
    value = number(name)
    return value is not None and abs(value) < _EXACT and name == str(int(value))


def _column_of(outputs: Outputs) -> Column:
    match outputs:
        case Numbers(target):
            return Column(target)
        case Classes(classes, name):
            return Column(name, classes)


def _without_names(fields: Sequence[str], names: Sequence[str], missing: Sequence[str]) -> str:
    """What is said of a first line in which these names are missing."""
    if other := _other_separator(fields, len(names)):
        return other
    row = any(number(field) is not None for field in fields)
    return (
        f"no column {listed(missing)}; got {listed(fields)}; allowed are, in any order, "
        f"{listed(names)}{_no_utf8(fields)}"
        + ("; if it is a row, and the columns are in this order, say --no-header" if row else "")
    )


def _other_separator(fields: Sequence[str], width: int) -> str:
    """What to do, if another separator makes so many fields of what came as one."""
    if len(fields) == 1 < width:
        for name, separator in SEPARATORS.items():
            if fields[0].count(separator) >= width - 1:
                shown_as = name if name.isalpha() else f"'{name}'"
                return f"got one column; separated by {shown_as}? use --separator {shown_as}"
    return ""


def _no_utf8(fields: Sequence[str]) -> str:
    """What to do, if a byte could not be read as text."""
    if any("\ufffd" in field for field in fields):
        return "; not UTF-8? `iconv -f LATIN1 -t UTF-8` makes it that, if it is Latin-1"
    return ""


def _refuse_header(fields: Sequence[str], width: int, name: str) -> None:
    """Raise an OctetError if a first line of numbers without names may be none of these."""
    numbers = [number(field) for field in fields]
    if fields and all(each is None for each in numbers) and len(fields) == width:
        raise OctetError(
            f"{name}: line 1: got names, {listed(fields)}; allowed are the {width} numbers of a "
            "row, in C order: take the line out"
        )
    if len(fields) > 1 and numbers in ([*range(len(fields))], [*range(1, len(fields) + 1)]):
        raise OctetError(
            f"{name}: line 1: got {listed(fields)}: if they number the columns, take the line out; "
            "if they are a row, say --no-header"
        )


def _batches(
    stream: BufferedReader, blocks: Iterator[Block], layout: _Layout, signature: Signature
) -> Iterator[Batch]:
    inputs = signature.inputs
    own = len(inputs.columns) if isinstance(inputs, Columns) else math.prod(inputs.shape)
    size = os.fstat(stream.fileno()).st_size if stream.seekable() else 0
    # Of a line of text may become any number of features.
    most = _NUMBERS // math.prod(inputs.shape) + 1
    for done, block in enumerate(blocks):
        for start in range(0, len(block.records), most):
            part = slice(start, start + most)
            many = size > _FEW_BYTES or done >= _FEW_BLOCKS
            values, places, bad = _parse(block.records[part], block.places[part], layout, many)
            truth = values[:, own] if len(layout.columns) > own else None
            x = values[:, :own]
            if isinstance(inputs, Columns):
                x = features(inputs, x)
            share = stream.tell() / size if size else None
            x = x.reshape(-1, *inputs.shape)
            yield Batch(places, x, truth, bad, share, block.ended)


def _parse(
    records: list[str], places: Places, layout: _Layout, many: bool
) -> tuple[Array, Places, dict[int, str]]:
    """What the good records stand for ``(rows, columns)``, their places, and the bad ones.

    Of ``many``, it pays to import what reads them faster.
    """
    # What is too long from a pipe is so from a file, whose lines come whole.
    if max(map(len, records)) <= text.LONGEST:
        values = _numbers(records, layout, many)
        # It skips empty lines, and takes nan and inf.
        if values is not None and len(values) == len(records) and np.all(np.isfinite(values)):
            return values, places, {}
    return _parse_each(records, places, layout)


def _numbers(records: list[str], layout: _Layout, many: bool) -> Array | None:
    """What records stand for; None where one stands for nothing, or needs a closer look."""
    separator = layout.dialect.separator
    if many and layout.converters is None:
        values = arrow.numbers(records, layout.width, layout.places, separator)
        if values is not None:
            return values
    separators = set(map(operator.methodcaller("count", separator), records))
    if separators != {layout.width - 1} or '"' in "".join(records):
        return None
    with contextlib.suppress(ValueError):
        return np.loadtxt(
            records,
            delimiter=separator,
            comments=None,
            usecols=layout.places,
            ndmin=2,
            encoding="utf-8",
            converters=layout.converters,
        )
    return None


def _parse_each(
    records: list[str], places: Places, layout: _Layout
) -> tuple[Array, Places, dict[int, str]]:
    """As `_parse`, one by one: slower, but it knows which are bad, and why; and takes quotes."""
    good: dict[int, list[float]] = {}
    bad: dict[int, str] = {}
    for place, record in zip(places.tolist(), records, strict=True):
        row = _row(record, layout)
        if isinstance(row, str):
            bad[place] = row
        else:
            good[place] = row
    values = np.array([*good.values()], np.float64).reshape(-1, len(layout.columns))
    return values, np.array([*good], np.int64), bad


def _row(record: str, layout: _Layout) -> list[float] | str:
    """What a record stands for, or what is wrong with it."""
    if len(record) > text.LONGEST:
        return text.TOO_LONG
    if text.is_empty(record, layout.dialect.separator):
        return f"got an empty line; allowed are {layout.width} columns"
    try:
        fields = text.fields(record, layout.dialect.separator)
    except csv.Error:
        return f"not a line of CSV: {_broken(record)}"
    if len(fields) != layout.width:
        other = _other_separator(fields, layout.width)
        return other or f"got {len(fields)} columns; allowed are {layout.width}"
    row = list[float]()
    for place, column, value_of in zip(layout.places, layout.columns, layout.readers, strict=True):
        if (value := value_of(fields[place])) is None:
            return _refusal(column, fields[place], layout.dialect)
        row.append(value)
    return row


def _refusal(column: Column, field: str, dialect: Dialect) -> str:
    """What is said of a field that stands for nothing."""
    said = refusal(column, shown(field)) + _no_utf8([field])
    comma = dialect.decimal != "," and "," in field and not column.categories
    if comma and number(field.replace(",", ".")) is not None:
        said += "; decimal commas? use --decimal ','"
    return said


def _broken(record: str) -> str:
    """Why `csv` takes no fields from a record; its own words are for who writes Python."""
    if '"' in record:
        return "got a quote without its other end, or with text beside it"
    return f"got a field of more than {csv.field_size_limit()} characters"
