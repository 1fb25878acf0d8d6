"""Parquet of one's own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from pyarrow import types

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from stages.cluster import mapped
from stages.dataset import Dataset
from stages.load.readers import tables, two_passes
from stages.load.split import refuse_shared
from stages.params import data as params
from stages.params.split import Split
from stages.pinned import visible

# Rows that are looked at together.
ROWS = 2**16


def read(data: params.Parquet, paths: Sequence[Path], how: Split) -> Dataset:
    """The features and the truth of a table of numbers, texts, and true or false.

    A path may be a folder of such files.

    Raises:
        OctetError: a file is not whole, or a column of another type; or as `refuse_shared`
            and `tables.dataset`.
    """
    parts = [_files(path) for path in paths]
    refuse_shared(parts[0], [file for part in parts[1:] for file in part])
    files = [file for part in parts for file in part]
    wanted = [_wanted(file, data) for file in files]
    tables.refuse_other_columns(wanted, files)
    pieces = [piece for file in files for piece in _pieces(file, wanted[0])]
    summaries = dict(zip(pieces, mapped(partial(_summary, Path.cwd()), pieces), strict=True))
    known = two_passes.together(summaries.values())
    _refuse_mixed(files, known)

    def blocks() -> Iterator[two_passes.Block]:
        for piece in pieces:
            yield from _blocks(piece)

    where = str(files[0])
    rows_of = tuple(
        sum(rows for piece, (rows, _) in summaries.items() if piece.file in part) for part in parts
    )
    values = two_passes.read(blocks, known, where)
    return tables.dataset(data, tables.Raw(where, values, rows_of), how)


@dataclass(frozen=True)
class _Piece:
    """Rows of a file.

    Attributes:
        file: where they are.
        group: the number of their group.
        wanted: names of columns.
    """

    file: Path
    group: int
    wanted: tuple[str, ...]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [file for file in visible(path) if file.suffix in (".parquet", ".pq")]
    if not files:
        raise OctetError(f"{path}: got a folder without a file .parquet")
    for file in files:
        if hive := [part for part in file.relative_to(path).parts[:-1] if "=" in part]:
            raise OctetError(
                f"{path}: got a folder {hive[0]}, whose name is a column that no file has; write "
                "one table with it: "
                f'pyarrow.parquet.write_table(pyarrow.parquet.read_table("{path}"), "all.parquet")'
            )
    return files


def _wanted(path: Path, data: params.Parquet) -> list[str]:
    """The wanted columns of a file, of types that are allowed."""
    with _opened(path) as file:
        wanted = tables.wanted(data, file.schema_arrow.names, str(path))
        for name in wanted:
            _refuse_type(file.schema_arrow.field(name).type, f"{path}: column {name}")
        if not file.metadata.num_rows:
            raise OctetError(f"{path}: got no rows")
        return wanted


def _pieces(path: Path, wanted: Sequence[str]) -> list[_Piece]:
    with _opened(path) as file:
        return [_Piece(path, group, tuple(wanted)) for group in range(file.num_row_groups)]


def _summary(folder: Path, piece: _Piece) -> two_passes.Summary:
    """Of a piece; its file is below a folder which a worker of a cluster may not be in."""
    return two_passes.summary(_blocks(piece, folder))


def _blocks(piece: _Piece, folder: Path = Path()) -> Iterator[two_passes.Block]:
    """The columns of some rows at a time."""
    with _opened(piece.file, folder) as file:
        names = [*piece.wanted]
        for batch in file.iter_batches(ROWS, [piece.group], columns=names, use_threads=False):
            if batch.num_rows:
                yield {name: _column(batch[name], f"{piece.file}: column {name}") for name in names}


@contextmanager
def _opened(path: Path, folder: Path = Path()) -> Iterator[pyarrow.parquet.ParquetFile]:
    try:
        with pyarrow.parquet.ParquetFile(folder / path) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        why = " ".join(str(error).split())
        raise OctetError(f"{path}: not a whole Parquet file ({why})") from None


def _refuse_mixed(files: Sequence[Path], known: two_passes.Summary) -> None:
    """Refuse texts in a column that has numbers in another file."""
    first: dict[str, bool] = {}
    for path in files:
        with _opened(path) as file:
            for name, contents in known[1].items():
                text = _is_text(file.schema_arrow.field(name).type)
                if first.setdefault(name, text) != text and contents.others:
                    raise OctetError(f"{path}: column {name}: got another type than in {files[0]}")


def _refuse_type(kind: Any, where: str) -> None:
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_temporal(kind):
        raise OctetError(
            f"{where}: got {kind}; put numbers in the place of dates and times, years or days "
            "since some day, or leave it out by `drop`"
        )
    allowed = (
        types.is_integer,
        types.is_floating,
        types.is_boolean,
        types.is_string,
        types.is_large_string,
    )
    if not any(is_one(kind) for is_one in allowed):
        raise OctetError(
            f"{where}: got {kind}; allowed are numbers, texts, and true or false: make a column of "
            "each part, or leave it out by `drop`"
        )


def _is_text(kind: Any) -> bool:
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_boolean(kind) or not types.is_primitive(kind)


def _column(column: Any, where: str) -> Any:
    """Numbers with NaN for gaps, or texts; what is true or false is text, as in `Truth`."""
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_boolean(column.type):
        column = pyarrow.compute.if_else(column, str(True), str(False))
    if not types.is_primitive(column.type):
        return column.cast(pyarrow.string()).fill_null("")
    if types.is_integer(column.type):
        ends = pyarrow.compute.min_max(column).as_py()
        if max(abs(end or 0) for end in ends.values()) > two_passes.EXACT:
            raise OctetError(
                f"{where}: got integers beyond 2^53, of which float64 has not all: if they are "
                "ids, leave them out by `drop`"
            )
    numbers: AnyArray = column.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
    if np.isinf(numbers).any():
        raise OctetError(f"{where}: got infinite values; allowed are finite numbers, or null")
    return numbers
