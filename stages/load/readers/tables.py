"""Tables of one's own: what the columns of CSV and Parquet are, and what a model gets of them."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from octet import signature
from octet.affine import Array
from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.rows.encoding import encode, listed, number, short
from octet.signature import Columns
from stages.dataset import Dataset
from stages.load.readers.truth import Truth, refuse_name
from stages.load.readers.two_passes import Column, Texts, among_numbers, gaps, let_go, on_disk
from stages.load.split import Places
from stages.params.data import Table
from stages.params.split import Split

_MOST_CATEGORIES = 256
# Of the different texts of a column, from which share on it is one of numbers, but for some.
_MOSTLY = 0.9
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?|\d\d?[./-]\d\d?[./-](\d\d|\d{4})( .*)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_TRAIN, _TEST = "train", "test"
# Rows that become features at once.
_TOGETHER = 2**15


@dataclass(frozen=True)
class Raw:
    """A table as it was read.

    Attributes:
        where: its file, for errors.
        columns: by name, those that are wanted: float64 with NaN for a gap, or texts, ``(rows,)``.
        rows_of: how many rows each of the files has, one after the other.
    """

    where: str
    columns: Mapping[str, Column]
    rows_of: tuple[int, ...]


@dataclass(frozen=True)
class Used:
    """The rows that are used: not those to train on of weight 0.

    Attributes:
        train, test: their places, in the order in which they are used.
        weights: how much each of ``train`` counts, above 0; None: once.
        either: of each row of the table, whether it is one of them ``(rows,)``.
    """

    train: Places
    test: Places
    weights: Array | None
    either: npt.NDArray[np.bool_]


def wanted(data: Table, names: Sequence[str], where: str) -> list[str]:
    """The columns of a file that are to be read: features, then `Table.told`.

    Raises:
        OctetError: a name is empty, there twice or not at all, or there is no feature.
    """
    for name in names:
        refuse_name(name, f"{where}: column")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise OctetError(f"{where}: got more than one column {twice[0]}; names must differ")
    for name in (*data.told, *data.columns, *data.drop):
        if name not in names:
            raise OctetError(f"{where}: no column {name}; got {listed(names)}")
    if inner := [name for name in data.told if name in (*data.columns, *data.drop)]:
        raise OctetError(
            f"{where}: {inner[0]} is the target, has the weights or says how to split; it cannot "
            "be among `columns` or `drop`"
        )
    chosen = data.columns or [name for name in names if name not in (*data.told, *data.drop)]
    if not chosen:
        raise OctetError(
            f"{where}: got no column besides {', '.join(data.told)}; nothing to learn from"
        )
    return [*chosen, *data.told]


def refuse_other_columns(names: Sequence[Sequence[str]], paths: Sequence[Path]) -> None:
    """Refuse a file of test rows whose wanted columns are not those of the training rows.

    Args:
        names: of each file's wanted columns.
        paths: the files.
    """
    for others, path in zip(names[1:], paths[1:], strict=True):
        if unlike := sorted({*names[0]} ^ {*others}):
            raise OctetError(
                f"{path}: got {listed(others)}; allowed are the columns of {paths[0]}, "
                f"{listed(names[0])}: only one of them has {unlike[0]}; leave it out by `drop`, or "
                "say which by `columns`"
            )


def dataset(data: Table, raw: Raw, how: Split) -> Dataset:
    """The features and the truth of a table, split.

    Categories, and what gaps stand for, are those of the training rows. One of weight 0 is none:
    nothing that it misses is asked for. But whether a column is one of numbers, all rows of the
    file say; and where a share of the rows is held out, each may be one to test on, and has a
    target.

    Raises:
        OctetError: a column has gaps that nothing may fill, or is no number and no category; a
            weight is missing, negative or no number; or as `Truth.dataset` and `hold_out`.
    """
    truth = Truth(data.target, data.unit, data.task, f"{raw.where}: column {data.target}")
    target, used = raw.columns[data.target], _used(data, raw, truth, how)
    _refuse_gaps_of_target(target, used.either, truth.where)
    features = {name: column for name, column in raw.columns.items() if name not in data.told}
    _refuse_gaps(features, used.either, data.missing, raw.where)
    described = [
        _column(name, values, used, f"{raw.where}: column {name}")
        for name, values in features.items()
    ]
    try:
        inputs = Columns.of(described)
    except OctetError as error:
        raise OctetError(f"{raw.where}: columns: {error}") from None
    x_train, x_test = _encoded(inputs, [*features.values()], (used.train, used.test), raw.where)
    split = truth.dataset(inputs, (x_train, target[used.train]), (x_test, target[used.test]))
    return replace(split, weights_train=used.weights)


def _used(data: Table, raw: Raw, truth: Truth, how: Split) -> Used:
    train, test = _places(data, raw, truth, how)
    weights = None
    if data.weights is not None:
        train, weights = _weighted(
            train, raw.columns[data.weights], f"{raw.where}: column {data.weights}"
        )
    either = np.zeros(len(raw.columns[data.target]), np.bool_)
    either[train] = either[test] = True
    return Used(train, test, weights, either)


def _encoded(
    inputs: Columns, raw: Sequence[Column], parts: tuple[Places, Places], where: str
) -> tuple[AnyArray, AnyArray]:
    """The features of the rows to train on and of those to test on, each in its order, on disk."""
    x_train, x_test = (on_disk((len(each), len(inputs.features)), np.float64) for each in parts)
    files = x_train, x_test
    order = np.zeros(len(raw[0]), np.int64)  # 0 of a row that is in neither
    for sign, part in zip((1, -1), parts, strict=True):
        order[part] = sign * np.arange(1, len(part) + 1)
    for start in range(0, len(order), _TOGETHER):
        rows = slice(start, start + _TOGETHER)
        x, bad = encode(inputs, [column[rows] for column in raw])
        for row, why in bad.items():
            if order[start + row]:
                raise OctetError(
                    f"{where}: row {start + row + 1}, to test on: {why}: no training row has it; "
                    "leave the row out, or split otherwise"
                )
        for sign, file in zip((1, -1), files, strict=True):
            place = sign * order[rows]
            file[place[place > 0] - 1] = x[place > 0]
        for each in (*files, *raw):
            let_go(each)
    return files


def _refuse_gaps_of_target(target: Column, used: npt.NDArray[np.bool_], where: str) -> None:
    if count := int(np.sum(gaps(target) & used)):
        raise OctetError(
            f"{where}: got {count} missing values of {np.sum(used)}; allowed are none in the "
            "target: leave these rows out"
        )


def _refuse_gaps(
    features: Mapping[str, Column], used: npt.NDArray[np.bool_], missing: str, where: str
) -> None:
    """Refuse columns without any value, and those with gaps unless they may be filled."""
    rows = int(np.sum(used))
    counts = {name: int(np.sum(gaps(column) & used)) for name, column in features.items()}
    for name, count in counts.items():
        if count == rows:
            raise OctetError(f"{where}: column {name}: all missing; leave it out by `drop`")
    if missing == "refuse" and (with_gaps := {n: count for n, count in counts.items() if count}):
        told = ", ".join(f"{name} {count}" for name, count in with_gaps.items())
        raise OctetError(
            f"{where}: missing values in columns, of {rows} rows: {told}; `missing: impute` "
            "(--missing impute of `python -m stages.add`) fills them, `drop` leaves columns out"
        )


def _places(data: Table, raw: Raw, truth: Truth, how: Split) -> tuple[Places, Places]:
    """Which rows are for training, and which to test on."""
    if len(raw.rows_of) > 1:
        first, second = raw.rows_of
        return np.arange(first), np.arange(first, first + second)
    if data.split.column is None:
        target = raw.columns[data.target]
        # Also of weight 0: each may be one to test on, where it counts as any other.
        _refuse_gaps_of_target(target, np.ones(len(target), np.bool_), truth.where)
        return truth.hold_out(target[:], how)
    part = raw.columns[data.split.column][:]
    where = f"{raw.where}: column {data.split.column}"
    if strange := sorted({*map(str, part)} - {_TRAIN, _TEST}):
        raise OctetError(f"{where}: got {short(strange[0])!r}; allowed are {_TRAIN} and {_TEST}")
    train, test = (np.flatnonzero(part == each) for each in (_TRAIN, _TEST))
    if not len(train) or not len(test):
        raise OctetError(f"{where}: got {part[0]} in all rows; allowed are {_TRAIN} and {_TEST}")
    return train, test


def _weighted(train: Places, values: Column, where: str) -> tuple[Places, Array]:
    """The training rows that count, and how much each does."""
    if isinstance(values, Texts):
        strange = next(text for text in values.texts if number(text) is None)
        raise OctetError(f"{where}: got {short(strange)!r}; allowed as weights are numbers from 0")
    if count := int(np.sum(gaps(values))):
        raise OctetError(
            f"{where}: got {count} missing values of {len(values)}; allowed are none in weights: "
            "write 0 for a row that is not to count, or leave the row out"
        )
    if (least := float(np.min(values))) < 0:
        raise OctetError(f"{where}: got {least:g}; allowed as weights are numbers from 0")
    weights = values[train]
    let_go(values)
    if not np.any(weights):
        raise OctetError(f"{where}: got 0 in all training rows; nothing to learn from")
    return train[weights > 0], weights[weights > 0]


def _column(name: str, values: Column, used: Used, where: str) -> signature.Column:
    """What a column is: numbers or categories; with what fills its gaps, if used rows have any."""
    missing = gaps(values) & used.either
    there = ~missing[used.train]
    rows = used.train[there]
    counts = np.broadcast_to(1.0, len(rows)) if used.weights is None else used.weights[there]
    if not len(rows):
        raise OctetError(f"{where}: all training rows miss it; leave it out by `drop`")
    if not isinstance(values, Texts):
        known = values[rows]
        let_go(values)
        if known.min() == known.max():
            raise OctetError(
                f"{where}: got {known[0]:g} in all training rows; leave it out by `drop`"
            )
        mean = math.fsum(known * counts) / math.fsum(counts) if missing.any() else None
        return signature.Column(name, (), mean)
    _refuse_no_categories(values.texts, len(values), where)
    codes = values.codes[rows]
    of_each = np.bincount(codes, counts, len(values.texts)).tolist()
    of_text = {text: count for text, count in zip(values.texts, of_each, strict=True) if count}
    categories = [*of_text]
    if len(categories) == 1:
        raise OctetError(
            f"{where}: got {short(categories[0])!r} in all training rows; leave it out by `drop`"
        )
    # The most frequent; of several the first.
    common = max(categories, key=lambda category: of_text[category])
    return signature.Column(name, tuple(categories), common if missing.any() else None)


def _refuse_no_categories(texts: Sequence[str], rows: int, where: str) -> None:
    if all(map(_DATE.fullmatch, texts)):
        raise OctetError(
            f"{where}: got dates, {texts[0]} say; put numbers in their place, years or days "
            "since some day, or leave it out by `drop`"
        )
    if all(map(_DECIMAL_COMMA.fullmatch, texts)):
        raise OctetError(f"{where}: got {texts[0]!r}; a decimal comma? write decimal points")
    strange = [text for text in texts if number(text) is None]
    if len(texts) - len(strange) >= _MOSTLY * len(texts) or all(map(_INFINITE.fullmatch, strange)):
        raise OctetError(f"{where}: {among_numbers(strange[0])}")
    if len(texts) > _MOST_CATEGORIES or 2 * len(texts) > rows:
        raise OctetError(
            f"{where}: got {len(texts)} different texts in {rows} rows, {short(texts[0])!r} say: "
            f"free text or ids? Allowed are up to {_MOST_CATEGORIES} categories, and half as "
            "many as rows; leave it out by `drop`"
        )
    for text in texts:
        refuse_name(text, f"{where}: category")
