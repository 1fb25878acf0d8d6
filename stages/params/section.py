"""What all sections of params.yaml have in common."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, FiniteFloat, model_validator


class Section(BaseModel):
    """Keys that are not named, and values that would need a conversion, are errors.

    A YAML list is a tuple here; that alone is converted.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _list_to_tuple(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        return {key: tuple(v) if isinstance(v, list) else v for key, v in raw.items()}


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
