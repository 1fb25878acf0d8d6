"""What scikit-learn does to columns before a model sees them, as sums of what Octet's networks see.

Scalers and encoders give columns of which each is a sum: of a constant, and of multiples of numbers
of the table or of indicators that a category is there. Octet has no indicator for the first
category, which is one less the others.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Standardize
from octet.signature import Column, Columns

_ALLOWED = "StandardScaler, MinMaxScaler, OneHotEncoder, ColumnTransformer and Pipeline of these"


@dataclass(frozen=True)
class Expression:
    """One column on its way to the model.

    Attributes:
        column: the place of the column of the table of which it is made.
        factors: of the number (key 0), or of the indicator of each category but the first, by its
            place among the categories.
        constant: that is added.
        categories: of the column; none of a column of numbers.
    """

    column: int
    factors: dict[int, float] = field(default_factory=lambda: {0: 1.0})
    constant: float = 0.0
    categories: tuple[str, ...] = ()

    def scaled(self, factor: float, shift: float) -> "Expression":
        """Factor times this, plus shift."""
        factors = {key: each * factor for key, each in self.factors.items()}
        return replace(self, factors=factors, constant=self.constant * factor + shift)

    @property
    def is_raw(self) -> bool:
        """Whether it is a column of the table as it was."""
        return self == Expression(self.column)


def raw_columns(count: int) -> list[Expression]:
    """The columns of a table, before anything was done to them."""
    return [Expression(place) for place in range(count)]


def prepared(step: Any, entering: list[Expression], names: Sequence[str]) -> list[Expression]:
    """What leaves a fitted step.

    Args:
        step: of a pipeline, or of a ColumnTransformer.
        entering: the columns that it takes.
        names: of all columns of the table.

    Raises:
        OctetError: it is no scaler or encoder that Octet knows.
    """
    match type(step).__name__:
        case "StandardScaler":
            return _standardized(step, entering)
        case "MinMaxScaler":
            if step.clip:
                raise OctetError("MinMaxScaler: got clip=True; allowed is False")
            pairs = zip(entering, step.scale_.tolist(), step.min_.tolist(), strict=True)
            return [each.scaled(scale, shift) for each, scale, shift in pairs]
        case "OneHotEncoder":
            return _encoded(step, entering, names)
        case "ColumnTransformer":
            return _transformed(step, entering, names)
        case "Pipeline":
            for _, inner in step.steps:
                entering = prepared(inner, entering, names)
            return entering
        case "FunctionTransformer" if step.func is None:
            return entering
        case "str" if step == "passthrough":
            return entering
        case other:
            raise OctetError(f"got {other} before the model; allowed are {_ALLOWED}")


def _standardized(step: Any, entering: list[Expression]) -> list[Expression]:
    none, one = np.zeros(len(entering)), np.ones(len(entering))
    mean = step.mean_ if step.with_mean else none
    std = step.scale_ if step.with_std else one
    pairs = zip(entering, mean.tolist(), std.tolist(), strict=True)
    return [each.scaled(1 / std, -mean / std) for each, mean, std in pairs]


def _encoded(step: Any, entering: list[Expression], names: Sequence[str]) -> list[Expression]:
    """An expression for each category that is not dropped."""
    if step.min_frequency is not None or step.max_categories is not None:
        raise OctetError(
            "OneHotEncoder: got min_frequency or max_categories; allowed is a column for each "
            "category"
        )
    drop = step.drop_idx_ if step.drop_idx_ is not None else [None] * len(entering)
    leaving: list[Expression] = []
    for each, values, dropped in zip(entering, step.categories_, drop, strict=True):
        if not each.is_raw:
            raise OctetError("OneHotEncoder: got a column that was scaled; allowed is a raw one")
        categories = tuple(map(str, values.tolist()))
        if len(categories) < 2:
            raise OctetError(
                f"OneHotEncoder: column {names[each.column]}: got one category; allowed are two or "
                "more: drop the column"
            )
        every = range(len(values))
        indicators = [Expression(each.column, {i: 1.0}, 0.0, categories) for i in every]
        others = dict.fromkeys(every[1:], -1.0)
        indicators[0] = Expression(each.column, others, 1.0, categories)
        leaving += [one for i, one in enumerate(indicators) if i != dropped]
    return leaving


def _transformed(step: Any, entering: list[Expression], names: Sequence[str]) -> list[Expression]:
    """The columns of each transformer, one behind the other."""
    own = [*map(str, getattr(step, "feature_names_in_", names))]
    leaving: list[Expression] = []
    for _, transformer, columns in step.transformers_:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        chosen = [entering[place] for place in _places(columns, own, len(entering))]
        leaving += prepared(transformer, chosen, names) if chosen else []
    return leaving


def _places(columns: Any, names: list[str], count: int) -> Iterable[int]:
    """The places, among ``count``, of columns that are said by name, place, slice or mask."""
    if isinstance(columns, slice):
        start, stop = (
            names.index(end) if isinstance(end, str) else end
            for end in (columns.start, columns.stop)
        )
        last = 1 if isinstance(columns.stop, str) else 0  # a slice of names has its last one in it
        return range(count)[slice(start, None if stop is None else stop + last, columns.step)]
    listed = [columns] if isinstance(columns, str | int) else list(columns)
    if listed and all(isinstance(each, bool | np.bool_) for each in listed):
        return np.flatnonzero(listed).tolist()
    return [names.index(each) if isinstance(each, str) else int(each) % count for each in listed]


def first_layers(
    expressions: Sequence[Expression], names: Sequence[str]
) -> tuple[Columns, tuple[Standardize, ...], Callable[[Array, Array], tuple[Array, Array]]]:
    """What a network needs in place of such columns.

    A number that comes to the model in one column alone is standardized as that column is. What
    else was done to columns goes into the weights of the first sum.

    Args:
        expressions: the columns that the model takes.
        names: of all columns of the table.

    Returns:
        The columns that the network takes, those alone that matter; the scaler, if there is any;
        and what makes, of weight ``(outputs, columns)`` and bias ``(outputs,)`` for the columns of
        the model, those for what leaves the scaler.

    Raises:
        OctetError: a column is taken as a number and as a category.
    """
    used = sorted({(each.column, each.categories) for each in expressions})
    if len({column for column, _ in used}) < len(used):
        twice = [column for i, (column, _) in enumerate(used) if column == used[i - 1][0] and i]
        raise OctetError(f"column {names[twice[0]]}: is taken as a number and as a category")
    columns = Columns.of(Column(names[column], categories) for column, categories in used)
    keys = [(column, key) for column, each in used for key in (range(1, len(each)) or [0])]
    places = {key: i for i, key in enumerate(keys)}
    factors, constants = np.zeros((len(expressions), len(places))), np.zeros(len(expressions))
    for i, each in enumerate(expressions):
        constants[i] = each.constant
        for key, factor in each.factors.items():
            factors[i, places[each.column, key]] = factor
    mean, std = _scaler(factors, constants, [key for _, key in keys])
    scaler = (Standardize(mean, std),) if np.any(mean) or np.any(std != 1) else ()

    def through(weight: Array, bias: Array) -> tuple[Array, Array]:
        return weight @ (factors * std), bias + weight @ (constants + factors @ mean)

    return columns, scaler, through


def _scaler(factors: Array, constants: Array, keys: Sequence[int]) -> tuple[Array, Array]:
    """Mean and deviation of each feature: of a number that one column alone is made of, its own."""
    mean, std = np.zeros(len(keys)), np.ones(len(keys))
    for j, key in enumerate(keys):
        rows = np.flatnonzero(factors[:, j])
        if key == 0 and len(rows) == 1 and factors[rows[0], j] > 0:
            std[j] = 1 / factors[rows[0], j]
            mean[j] = -constants[rows[0]] * std[j]
    return mean, std
