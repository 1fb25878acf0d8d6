"""Readers of data. A bundled data set is a file here, a line below, and its name in params/data.

A kind of files of one's own is a file here, a line below, and its class in params/data.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.dataset import Dataset, refuse_unusable
from stages.load.readers import (
    arrays,
    bundled,
    california,
    csv,
    idx,
    images,
    mnist,
    parquet,
)
from stages.load.readers.data_set import DataSet
from stages.load.readers.sources import fetch
from stages.params.data import Data
from stages.params.split import Split
from stages.pinned import find, pinned_together

DATA_SETS: dict[str, DataSet] = {
    "diabetes": bundled.DIABETES,
    "california_housing": california.CALIFORNIA_HOUSING,
    "wine": bundled.WINE,
    "breast_cancer": bundled.BREAST_CANCER,
    "digits": bundled.DIGITS,
    "mnist": mnist.MNIST,
}
# Each takes what params.yaml says of it, the path of each of its files, and the split.
KINDS: dict[str, Callable[[Any, list[Path], Split], Dataset]] = {
    "csv": csv.read,
    "parquet": parquet.read,
    "arrays": arrays.read,
    "idx": idx.read,
    "images": images.read,
}


def refuse_out_of_reach(data: Data, where: str) -> None:
    """Find every file of a data set, of whatever content.

    Args:
        data: the name of a bundled one, or what params.yaml says of one's own.
        where: the key of ``data`` in params.yaml, for errors.

    Raises:
        OutOfReachError: one of them is nowhere.
        OctetError: something else is in its place.
    """
    if isinstance(data, str):
        for source in DATA_SETS[data].sources:
            fetch(source)
    else:
        for path in data.files:
            find(path, where)


def read(data: Data, how: Split, where: str = "data") -> Dataset:
    """The data set, checked and split.

    Args:
        data: the name of a bundled one, or what params.yaml says of one's own.
        how: the common split, over which one's own data may say more.
        where: the key of ``data`` in params.yaml, for errors.

    Raises:
        OctetError: a file is not in reach, is not the one that was pinned, or as its reader says.
    """
    if isinstance(data, str):
        data_set = DATA_SETS[data]
        return data_set.read(how, *(fetch(source) for source in data_set.sources))
    paths = pinned_together(data.files, data.sha256, where)
    dataset = KINDS[data.kind](data, paths, data.split.over(how))
    refuse_unusable(dataset, str(paths[0]))
    return dataset
