"""Plain numbers of CSV by pyarrow, where it is installed: those of `np.loadtxt`, far sooner.

Both round a decimal to the nearest float64. What pyarrow may take otherwise, words as nan or blanks
around a number, never gets to it. And it writes the shortest decimal that is read as the same
float64, as `repr` does.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from octet.affine import Array

_PLAIN = b"0123456789+-.eE\n"
# Between these both write a fraction without an exponent.
_SMALLEST, _LARGEST = 1e-4, 1e9
# What `numbers` has imported, whole: to write alone is not worth the time of it.
_imported: dict[str, Any] = {}


def numbers(
    records: Sequence[str], width: int, places: Sequence[int], separator: str
) -> Array | None:
    """What lines of numbers stand for, ``(records, places)``.

    Args:
        records: lines that may be anything.
        width: how many fields each must have.
        places: of the columns that are wanted.
        separator: of the fields of a line.

    Returns:
        None where pyarrow is not installed, or a line has anything but so many decimal numbers.
    """
    text = "\n".join(records).encode() + b"\n"
    if text.translate(None, _PLAIN + separator.encode()):
        return None
    try:
        import pyarrow
        from pyarrow import csv
    except ImportError:
        return None
    _imported["pyarrow"] = pyarrow
    names = [str(place) for place in range(width)]
    wanted = [names[place] for place in places]
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(text),
            csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
            csv.ParseOptions(delimiter=separator, quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pyarrow.float64()),
                include_columns=wanted,
                null_values=[],
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    return np.stack([column.to_numpy() for column in table.columns]).T


def texts(values: Array) -> list[str]:
    """`repr` of each of ``(rows,)``; where `numbers` has imported pyarrow to read, by it."""
    pyarrow = _imported.get("pyarrow")
    if pyarrow is None:
        return [*map(repr, values.tolist())]
    written: list[str] = pyarrow.array(values).cast("string").to_pylist()
    size = np.abs(values)
    alike = (size >= _SMALLEST) & (size < _LARGEST) & (values != np.rint(values))
    for i in np.flatnonzero(~alike).tolist():
        written[i] = repr(float(values[i]))
    return written
