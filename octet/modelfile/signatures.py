"""Signatures in the headers of model and data files: what goes in and what comes out."""

from collections.abc import Mapping
from dataclasses import asdict
from math import prod
from typing import Any

from octet.modelfile.fields import number, whole
from octet.signature import (
    LARGEST_ROW,
    UNNAMED_CLASSES,
    Arrays,
    Classes,
    Column,
    Columns,
    Images,
    Inputs,
    Numbers,
    Outputs,
    Shape,
    Signature,
)

_BRIGHTEST = 2**16 - 1
_MOST_AXES = 4
# Characters of the names of columns, each as often as it has categories.
_LONGEST_NAMES = 2**22


def dump_signature(signature: Signature) -> dict[str, Any]:
    """What a header holds of a signature: both of its halves."""
    outputs = asdict(signature.outputs)
    if outputs.get("column") == UNNAMED_CLASSES:
        del outputs["column"]
    return _dump_inputs(signature.inputs) | outputs


def load_signature(header: Mapping[str, Any]) -> Signature:
    """The signature that a header holds, as `dump_signature` put it there.

    Raises:
        KeyError, OctetError, TypeError, ValueError: there is none, or it is not made of sizes and
            of names that differ and can be printed.
    """
    return Signature(_load_inputs(header), _load_outputs(header))


def _dump_inputs(inputs: Inputs) -> dict[str, Any]:
    match inputs:
        case Columns(features, ()):
            return {"features": features}
        case Columns(_, table):  # of which the features follow
            return {"table": [*map(asdict, table)]}
        case Images():
            return asdict(inputs)
        case Arrays(shape):
            return {"array": shape}


def _load_inputs(header: Mapping[str, Any]) -> Inputs:
    kinds = [key for key in ("table", "features", "array", "shape") if key in header]
    if len(kinds) > 1:
        raise ValueError(f"got {' and '.join(kinds)}; allowed is one of them")
    if "table" in header:
        return _load_table(header["table"])
    if "features" in header:
        if not (features := _names(header["features"])):
            raise ValueError("no features")
        return Columns(features)
    if "array" in header:
        return Arrays(_load_shape(header["array"], "an array"))
    channels, height, width = _load_shape(header["shape"], "images")
    if (white := whole(header["white"], 1)) > _BRIGHTEST:
        raise ValueError(f"got white {white}; allowed are 1 to {_BRIGHTEST}")
    return Images((channels, height, width), white)


def _load_table(specs: object) -> Columns:
    if not isinstance(specs, list):
        raise TypeError("table must be a list of columns")
    columns = [_load_column(**spec) for spec in specs]
    if sum(len(column.name) * len(column.categories) for column in columns) > _LONGEST_NAMES:
        raise ValueError(f"names of features of more than {_LONGEST_NAMES} characters")
    inputs = Columns.of(columns)
    if not inputs.table:
        raise ValueError("a table of nothing but numbers without gaps, which has features")
    if len(inputs.features) > LARGEST_ROW:
        raise ValueError(f"got {len(inputs.features)} features; allowed are {LARGEST_ROW}")
    return inputs


def _load_column(name: str, categories: object, missing: object) -> Column:
    (name,), of_text = _names([name]), _names(categories)
    if len(of_text) == 1 or "" in of_text:
        raise ValueError(f"got categories {of_text} of {name!r}; allowed are none, or two words")
    if missing is None:
        return Column(name, of_text)
    if of_text:
        if missing not in of_text:
            raise ValueError(f"got {missing!r} for what is missing of {name!r}; it is no category")
        return Column(name, of_text, str(missing))
    return Column(name, (), float(number(missing)))


def _load_shape(sides: Any, what: str) -> Shape:
    shape = tuple(whole(side, 1) for side in sides)
    if not 1 <= len(shape) <= _MOST_AXES:
        raise ValueError(f"got {len(shape)} axes; allowed are 1 to {_MOST_AXES}")
    if (numbers := prod(shape)) > LARGEST_ROW:
        raise ValueError(f"got {what} of {numbers} numbers; allowed are {LARGEST_ROW}")
    return shape


def _load_outputs(header: Mapping[str, Any]) -> Outputs:
    if "classes" in header:
        (column,) = _names([header.get("column", UNNAMED_CLASSES)])
        return Classes(_names(header["classes"]), column)
    (target,), (unit,) = _names([header["target"]]), _names([header["unit"]])
    return Numbers(target, unit)


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError("names must be strings")
    if len(set(value)) < len(value):
        raise ValueError("names must differ")
    for one in value:
        if not one.isprintable() or one != one.strip():
            raise ValueError(
                f"got {one[:40]!r}; names must be made of what can be printed, without blanks "
                "around it"
            )
    return tuple(value)
