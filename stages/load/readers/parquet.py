"""Parquet of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from pyarrow import types

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from stages.dataset import Dataset
from stages.load.readers import tables
from stages.load.readers.truth import EXACT
from stages.params import data as params
from stages.params.split import Split


def read(data: params.Parquet, paths: Sequence[Path], how: Split) -> Dataset:
    """The features and the truth of a table of numbers, texts, and true or false.

    Raises:
        OctetError: a file is not whole, or a column of another type; or as `tables.dataset`.
    """
    parts = [_columns(path, data) for path in paths]
    tables.refuse_other_columns([[*part] for part in parts], paths)
    for part, path in zip(parts[1:], paths[1:], strict=True):
        if other := [name for name in part if part[name].dtype != parts[0][name].dtype]:
            raise OctetError(f"{path}: column {other[0]}: got another type than in {paths[0]}")
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    sizes = tuple(len(part[data.target]) for part in parts)
    return tables.dataset(data, tables.Raw(str(paths[0]), columns, sizes), how)


def _columns(path: Path, data: params.Parquet) -> dict[str, AnyArray]:
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            wanted = tables.wanted(data, names, str(path))
            for name in wanted:
                _refuse_type(file.schema_arrow.field(name).type, f"{path}: column {name}")
            table = file.read(columns=wanted, use_threads=False).combine_chunks()
    except (pyarrow.ArrowException, OSError) as error:
        why = " ".join(str(error).split())
        raise OctetError(f"{path}: not a whole Parquet file ({why})") from None
    if not table.num_rows:
        raise OctetError(f"{path}: got no rows")
    return {name: _column(table[name], f"{path}: column {name}") for name in wanted}


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


def _column(column: Any, where: str) -> AnyArray:
    """Numbers with NaN for gaps, or texts; what is true or false is text, as in `Truth`."""
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_boolean(column.type):
        column = pyarrow.compute.if_else(column, str(True), str(False))
    if not types.is_primitive(column.type):
        encoded = column.cast(pyarrow.string()).fill_null("").combine_chunks().dictionary_encode()
        return tables.of_texts(encoded.dictionary.to_pylist(), encoded.indices.to_numpy(), where)
    if types.is_integer(column.type):
        ends = pyarrow.compute.min_max(column).as_py()
        if max(abs(end or 0) for end in ends.values()) > EXACT:
            raise OctetError(
                f"{where}: got integers beyond 2^53, of which float64 has not all: if they are "
                "ids, leave them out by `drop`"
            )
    numbers: AnyArray = column.cast(pyarrow.float64()).to_numpy()
    if np.isinf(numbers).any():
        raise OctetError(f"{where}: got infinite values; allowed are finite numbers, or null")
    return numbers
