"""Plain numbers of CSV by pyarrow, where it is installed: those of `np.loadtxt`, far sooner.

Both round a decimal to the nearest float64. What pyarrow may take otherwise, words as nan or blanks
around a number, never gets to it.
"""

from collections.abc import Sequence

import numpy as np

from octet.affine import Array

_PLAIN = b"0123456789+-.eE\n"


def numbers(records: Sequence[str], places: Sequence[int], separator: str) -> Array | None:
    """What lines of numbers stand for, ``(records, places)``.

    Args:
        records: with as many separators each.
        places: of the columns that are wanted.
        separator: of the fields of a line.

    Returns:
        None where pyarrow is not installed, or a line has anything but decimal numbers.
    """
    text = "\n".join(records).encode() + b"\n"
    if text.translate(None, _PLAIN + separator.encode()):
        return None
    try:
        import pyarrow
        from pyarrow import csv
    except ImportError:
        return None
    names = [str(place) for place in range(records[0].count(separator) + 1)]
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
    return np.stack([column.to_numpy() for column in table.columns], axis=1)
