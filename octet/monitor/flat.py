"""A state of this folder as named arrays, for a file; and back."""

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray

State = TypeVar("State")


def flatten(state: Any, prefix: str = "") -> dict[str, AnyArray]:
    """The fields of a state, those of a state in it under "field.": float64 and int64 alone."""
    arrays: dict[str, AnyArray] = {}
    for field in fields(state):
        value, name = getattr(state, field.name), f"{prefix}{field.name}"
        arrays |= flatten(value, f"{name}.") if is_dataclass(value) else {name: np.array(value)}
    return arrays


def restore(fresh: State, arrays: dict[str, AnyArray], prefix: str = "") -> State:
    """The state of these arrays.

    Args:
        fresh: the same state before its first row: what the arrays must be like.
        arrays: under the names that `flatten` gave; others may be among them.
        prefix: of the names.

    Raises:
        OctetError: an array is missing, or is of another dtype or shape.
    """
    values: dict[str, Any] = {}
    for field, value in vars(fresh).items():
        name = f"{prefix}{field}"
        if is_dataclass(value):
            values[field] = restore(value, arrays, f"{name}.")
            continue
        example, array = np.array(value), arrays.get(name)
        if array is None or array.dtype != example.dtype or array.shape != example.shape:
            kind = "nothing" if array is None else f"{array.dtype} of shape {array.shape}"
            raise OctetError(f"{name}: is {kind}, must be {example.dtype} of {example.shape}")
        values[field] = array if isinstance(value, np.ndarray) else array.item()
    return type(fresh)(**values)
