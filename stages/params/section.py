"""What all sections of params.yaml have in common."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

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


def is_below_top(path: str) -> bool:
    """Whether it is relative, and stays below where it begins."""
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def _refuse_outside(path: str) -> str:
    if not is_below_top(path):
        raise ValueError
    return path


# Of a file that the user brings; see `stages.pinned`.
BelowTop = Annotated[str, Field(min_length=1), AfterValidator(_refuse_outside)]
BELOW_TOP = "a path from the top of the repository, or below $OCTET_DATA, without .."
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
SHA256 = "the 64 hexadecimal digits that `sha256sum` prints"


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
