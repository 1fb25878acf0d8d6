"""CSV of one's own, packed with gzip or not."""

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.csv

from octet.errors import OctetError
from octet.rows.encoding import number
from stages.dataset import Dataset
from stages.load.readers import tables
from stages.params import data as params
from stages.params.split import Split

_PACKED = b"\x1f\x8b"
# What gzip raises in a damaged file.
_DAMAGED = EOFError, gzip.BadGzipFile, zlib.error
_SEPARATORS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
# Types are found out in `tables`, of all rows; Arrow would look at the first block alone.
_TEXT = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())


def read(data: params.Csv, paths: Sequence[Path], how: Split) -> Dataset:
    """The features and the truth of a table with a line of names, UTF-8.

    Raises:
        OctetError: it is no such table; or as `tables.dataset`.
    """
    parts = [_text_columns(path, data) for path in paths]
    for part, path in zip(parts, paths, strict=True):
        if not part.num_rows:
            raise OctetError(f"{path}: got names of columns and no rows")
    tables.refuse_other_columns([part.schema.names for part in parts], paths)
    alike = [part.select(parts[0].schema.names) for part in parts]
    whole = pyarrow.concat_tables(alike).unify_dictionaries().combine_chunks()
    columns = {
        name: _column(whole[name], f"{paths[0]}: column {name}") for name in whole.schema.names
    }
    raw = tables.Raw(str(paths[0]), columns, tuple(part.num_rows for part in parts))
    return tables.dataset(data, raw, how)


def _column(column: Any, where: str) -> Any:
    encoded = column.chunk(0)
    return tables.of_texts(encoded.dictionary.to_pylist(), encoded.indices.to_numpy(), where)


def _text_columns(path: Path, data: params.Csv) -> Any:
    """The wanted columns as texts."""
    names = _names(path, data.separator)
    try:
        with _opened(path) as stream:
            return pyarrow.csv.read_csv(
                stream,
                # In one thread, errors have the number of the row.
                pyarrow.csv.ReadOptions(
                    use_threads=False, column_names=names, skip_rows_after_names=1
                ),
                pyarrow.csv.ParseOptions(delimiter=data.separator, newlines_in_values=True),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, _TEXT),
                    include_columns=tables.wanted(data, names, str(path)),
                    null_values=[],
                ),
            )
    except (pyarrow.ArrowException, *_DAMAGED) as error:
        raise OctetError(f"{path}: {_why(error)}") from None


def _why(error: Exception) -> str:
    line = " ".join(str(error).split())
    if "invalid UTF8" in line:
        return "got bytes that are not UTF-8; save it as UTF-8"
    return f"not a whole table of CSV ({line})"


def _opened(path: Path) -> Any:
    with path.open("rb") as file:
        packed = file.read(len(_PACKED)) == _PACKED
    return gzip.open(path) if packed else path.open("rb")


def separator_of(path: Path) -> str:
    """What parts the first line into most fields.

    Raises:
        OctetError: it has none, or is not UTF-8.
    """
    return max(_SEPARATORS, key=lambda each: len(_first_line(path, each)))


def _names(path: Path, separator: str) -> list[str]:
    """The names of columns in the first line."""
    names = _first_line(path, separator)
    if not any(names):
        raise OctetError(f"{path}: line 1: got nothing; allowed are names of columns")
    if len(names) == 1 and (others := [each for each in _SEPARATORS if each in names[0]]):
        raise OctetError(
            f"{path}: line 1: got one column; separated by {_SEPARATORS[others[0]]}? Say "
            f'`separator: "{others[0]}"`'.replace("\t", "\\t")
        )
    if all(number(name) is not None for name in names):
        raise OctetError(
            f"{path}: line 1: got numbers; allowed are names of columns: add a line of them"
        )
    return names


def _first_line(path: Path, separator: str) -> list[str]:
    """Its fields."""
    try:
        with _opened(path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
            fields = next(csv.reader(text, delimiter=separator, strict=True), [])
    except UnicodeDecodeError:
        raise OctetError(f"{path}: got bytes that are not UTF-8; save it as UTF-8") from None
    except (csv.Error, *_DAMAGED) as error:
        raise OctetError(f"{path}: not a whole table of CSV ({error})") from None
    return [field.strip() for field in fields]
