"""CSV of one's own, packed with gzip or not."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.csv
from tqdm import tqdm

from octet.errors import OctetError
from octet.rows.encoding import number
from stages.dataset import Dataset
from stages.load.readers import tables, two_passes
from stages.load.split import refuse_shared
from stages.params import data as params
from stages.params.split import Split

_PACKED = b"\x1f\x8b"
# What gzip raises in a damaged file.
_DAMAGED = EOFError, gzip.BadGzipFile, zlib.error
_SEPARATORS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
# Bytes that are looked at together; no row may be longer.
BLOCK = 1 << 22


def read(data: params.Csv, paths: Sequence[Path], how: Split) -> Dataset:
    """The features and the truth of a table with a line of names, UTF-8.

    Raises:
        OctetError: it is no such table; or as `refuse_shared` and `tables.dataset`.
    """
    refuse_shared(paths[:1], paths[1:])
    wanted = [tables.wanted(data, _names(path, data.separator), str(path)) for path in paths]
    summaries = [_summary(path, data, wanted[0]) for path in paths[:1]]
    tables.refuse_other_columns(wanted, paths)
    summaries += [_summary(path, data, wanted[0]) for path in paths[1:]]
    for (rows, _), path in zip(summaries, paths, strict=True):
        if not rows:
            raise OctetError(f"{path}: got names of columns and no rows")

    def blocks() -> Iterator[two_passes.Block]:
        for path in paths:
            yield from _blocks(path, data, wanted[0])

    where = str(paths[0])
    values = two_passes.read(blocks, two_passes.together(summaries), where)
    return tables.dataset(data, tables.Raw(where, values, tuple(n for n, _ in summaries)), how)


def _summary(path: Path, data: params.Csv, wanted: Sequence[str]) -> two_passes.Summary:
    """With a bar; what is packed has more blocks than its size says."""
    count = path.stat().st_size // BLOCK + 1
    blocks = tqdm(_blocks(path, data, wanted), "load", count, unit=" blocks", disable=None)
    return two_passes.summary(blocks)


def _blocks(path: Path, data: params.Csv, wanted: Sequence[str]) -> Iterator[two_passes.Block]:
    """The wanted columns as texts."""
    names = _names(path, data.separator)
    try:
        with (
            _opened(path) as stream,
            pyarrow.csv.open_csv(
                stream,
                # In one thread, errors have the number of the row.
                pyarrow.csv.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK,
                    column_names=names,
                    skip_rows_after_names=1,
                ),
                pyarrow.csv.ParseOptions(delimiter=data.separator, newlines_in_values=True),
                pyarrow.csv.ConvertOptions(
                    # Types are found out of all rows; Arrow would look at the first block alone.
                    column_types=dict.fromkeys(names, pyarrow.string()),
                    include_columns=wanted,
                    null_values=[],
                ),
            ) as reader,
        ):
            for batch in reader:
                yield dict(zip(batch.schema.names, batch.columns, strict=True))
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
