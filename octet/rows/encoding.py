"""Rows of a table as people have it, with text and gaps, made into the features of a network."""

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.modelfile.arrays import AnyArray
from octet.signature import Column, Columns

# What stands for nothing in a column that may have gaps, unless it is a category of the column.
GAPS = frozenset({"", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"})
# What `np.loadtxt` takes for a number, but for nan and inf.
_NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?", re.ASCII | re.IGNORECASE)
_SHOWN = 40


def encode(inputs: Columns, raw: Sequence[AnyArray]) -> tuple[Array, dict[int, str]]:
    """The features of rows of a table.

    Args:
        inputs: whose ``columns`` these are.
        raw: for each column ``(rows,)``: float64 with NaN for a gap, or strings (of any dtype of
            NumPy's, or objects) with one of `GAPS` for one. A column with categories is strings.

    Returns:
        Float64 ``(rows, features)``; and, by the index of each row that cannot be used, what is
        wrong with it: the features of such a row mean nothing.
    """
    bad: dict[int, str] = {}
    values = np.empty((len(raw[0]), len(raw)))
    for place, (column, array) in enumerate(zip(inputs.columns, raw, strict=True)):
        values[:, place], wrong = _values(column, array)
        for row in np.flatnonzero(wrong).tolist():
            got = str(array[row])
            bad.setdefault(row, refusal(column, got if array.dtype.kind == "f" else shown(got)))
    return features(inputs, values), bad


def _values(column: Column, array: AnyArray) -> tuple[Array, npt.NDArray[np.bool_]]:
    """What each stands for, as `reader`, and which stand for nothing."""
    value = reader(column)
    if array.dtype.kind == "f":
        fill = value("")
        filled = array if fill is None else np.where(np.isnan(array), fill, array)
        return filled, ~np.isfinite(filled)
    fields: list[str] = array.tolist()
    known = {field: value(field.strip()) for field in set(fields)}
    of_each = [known[field] for field in fields]
    values = np.array([math.nan if each is None else each for each in of_each], np.float64)
    return values, np.isnan(values)


def features(inputs: Columns, values: Array) -> Array:
    """Features ``(rows, features)`` of what a `reader` says of each column, ``(rows, columns)``."""
    if not inputs.table:
        return values
    parts = [
        each == np.arange(1, len(column.categories)) if column.categories else each
        for column, each in zip(inputs.table, values.T[:, :, None], strict=True)
    ]
    return np.concatenate(parts, axis=1, dtype=np.float64)


def reader(column: Column) -> Callable[[str], float | None]:
    """What a field of text stands for: a number, or the index of a category.

    A gap stands for what the column says of it. It is None for a field that is not allowed.
    """
    named = {category: float(i) for i, category in enumerate(column.categories)}
    if column.missing is not None:
        fill = named[column.missing] if isinstance(column.missing, str) else column.missing
        named = dict.fromkeys(GAPS, fill) | named
    if column.categories:
        return named.get
    return (lambda field: named[field] if field in named else number(field)) if named else number


def number(field: str) -> float | None:
    """The finite number that a field is, as CSV has them; None of one that is none."""
    parsed = float(field) if _NUMBER.fullmatch(field) else math.inf
    return parsed if math.isfinite(parsed) else None


def refusal(column: Column, field: str) -> str:
    """What is said of a field that is not allowed, as people should see it."""
    allowed = listed(column.categories) if column.categories else "a finite number"
    nothing = "" if column.missing is None else " or nothing"
    return f"{column.name}: got {field}; allowed is {allowed}{nothing}"


def listed(fields: Sequence[str]) -> str:
    """Fields for people: the first twenty, and how many there are."""
    some = [short(field) for field in fields[:20]]
    return ", ".join([*some, f"and {len(fields) - 20} more"] if len(fields) > 20 else some)


def shown(field: str) -> str:
    """A field for people, in quotes."""
    return repr(short(field))


def short(field: str) -> str:
    """The beginning of it, if it is long."""
    return field if len(field) <= _SHOWN else f"{field[:_SHOWN]}…"
