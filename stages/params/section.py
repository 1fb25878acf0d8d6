"""What all sections of params.yaml have in common."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, FiniteFloat, model_validator

PATH = Path("params.yaml")

# Up to here floats are the integers that they look like.
_EXACT = 2**53


class Section(BaseModel):
    """Keys that are not named, and values of another type, are errors.

    Converted are a YAML list, which is a tuple here, and a number that equals one of the type: 8.0
    is 8, and 1 is true. DVC compares with ==, so that ``-S quant.bits=8.0`` changes nothing to it.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _convert(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        flags = {name for name, field in cls.model_fields.items() if field.annotation is bool}
        return {key: _flag(v) if key in flags else _whole(v) for key, v in raw.items()}


def _whole(value: Any) -> Any:
    """An integer for a float that is one; a field of floats takes both."""
    if isinstance(value, list):
        return tuple(_whole(each) if isinstance(each, float) else each for each in value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    return value


def _flag(value: Any) -> Any:
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else value


def _refuse_empty(span: tuple[float, float]) -> tuple[float, float]:
    if not (span[0] <= 0 <= span[1] and span[0] < span[1]):
        raise ValueError
    return span


Span = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(_refuse_empty)]


def merge(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """``own`` over ``common``, key by key and section by section."""
    merged = common | own
    for key, value in own.items():
        inner = common.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            merged[key] = merge(inner, value)
    return merged
