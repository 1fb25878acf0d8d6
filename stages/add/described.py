"""What was understood of data, for people."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from octet.rows.encoding import listed
from octet.signature import Arrays, Classes, Column, Columns, Images
from stages.dataset import Dataset
from stages.params.split import Split

_FEW = 20
_SHOWN = 40


def dataset(data: Any, rows: Dataset, common: Split) -> Iterator[str]:
    """Lines: how many rows, what goes in, what is to come out, and how they are split."""
    train, test = len(rows.y_train), len(rows.y_test)
    yield f"{subject(data)}: {train + test:,} rows"
    match rows.signature.inputs:
        case Columns() as inputs:
            for column in inputs.columns[:_SHOWN]:
                yield f"  {_column(column)}"
            if (more := len(inputs.columns) - _SHOWN) > 0:
                yield f"  and {more} more columns"
        case Images(shape):
            yield f"  images of {' × '.join(map(str, shape))}, channels first"
        case Arrays(shape):
            yield f"  arrays of {' × '.join(map(str, shape))}"
    yield f"  to predict: {_outputs(rows)}"
    if (weights := rows.weights_train) is not None:
        yield (
            f"  weights: {data.weights}, {weights.min():g} to {weights.max():g} of the training "
            "rows, without those of 0; every test row counts once"
        )
    yield f"split: {train:,} rows to train on, {test:,} to test on{_how(data, rows, common)}"


def subject(data: Any) -> str:
    """The data set in a word: its name, or its first file."""
    if isinstance(data, str):
        return data
    if isinstance(data, dict):
        paths = (data.get(key) for key in ("path", "train_images", "x"))
        return str(next(path for path in paths if path))
    return str(data.files[0])


def _column(column: Column) -> str:
    kind = "number"
    if column.categories:
        kind = f"{len(column.categories)} categories: {listed(column.categories)}"
    gap = "" if column.missing is None else f"; missing values become {column.missing}"
    return f"{column.name}: {kind}{gap}"


def _outputs(rows: Dataset) -> str:
    outputs, y = rows.signature.outputs, rows.y_train
    if isinstance(outputs, Classes):
        return f"{outputs.column}, one of {len(outputs.classes)} classes: {listed(outputs.classes)}"
    unit = f" {outputs.unit}" if outputs.unit else ""
    said = f"{outputs.target}, a number from {y.min():g} to {y.max():g}{unit}"
    different = np.unique(y)
    if len(different) <= _FEW and np.all(different == np.rint(different)):
        said += (
            f"; it has {len(different)} values: if they stand for classes, --task classification"
        )
    return said


def _how(data: Any, rows: Dataset, common: Split) -> str:
    if isinstance(data, str) or data.kind == "idx" or getattr(data, "x_test", None):
        return ""
    split = data.split
    if split.test:
        return f", of {split.test}"
    if split.column:
        return f", as {split.column} says"
    stratified = ", of each class its share" if isinstance(rows.signature.outputs, Classes) else ""
    return f" (seed {split.over(common).random_state}{stratified})"
