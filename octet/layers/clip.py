"""Clip: y = min(max(x, low), high); with 0 and 6, ReLU6."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from octet.errors import OctetError
from octet.layers.layer import Signal
from octet.layers.pointwise import Clipping
from octet.modelfile.fields import FieldReader, FieldWriter, number


@dataclass(frozen=True)
class Clip(Clipping):
    """y = min(max(x, low), high)."""

    kind: ClassVar[str] = "clip"

    low: float = 0.0
    high: float = 6.0

    def __post_init__(self) -> None:
        """Raise an OctetError if nothing is between the ends."""
        if not self.low < self.high:
            raise OctetError(f"got {self.low:g} to {self.high:g}; the first end must be below")

    def ends(self) -> tuple[float, float]:
        """As the fields say."""
        return self.low, self.high

    def dump(self, fields: FieldWriter) -> dict[str, Any]:
        """Both ends."""
        del fields
        return {"low": self.low, "high": self.high}

    @classmethod
    def load(cls, spec: Mapping[str, Any], fields: FieldReader, *entering: Signal) -> Self:
        """The layer of which `dump` gave this."""
        del fields, entering
        return cls(number(spec["low"]), number(spec["high"]))
