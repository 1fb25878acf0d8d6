"""``quant``: how a float network becomes a quantized one."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from octet.affine import MAX_BITS, MIN_BITS
from stages.params.section import Section, Span

FLOAT_BITS = 32

Rounding = Literal["nearest", "gptq", "exact"]
Margin = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


class Bias(Section):
    """The bias: few numbers, on which every output depends."""

    bits: int = Field(ge=MIN_BITS, le=MAX_BITS, description="an integer from 2 to 16")
    range: Literal["minmax"] | Span = Field(
        description="minmax, or [lo, hi] with lo < hi and 0 between them"
    )


class Calibration(Section):
    """Which training rows the ranges of activations are taken from, and how."""

    rows: int = Field(ge=1, description="an integer from 1 to the number of training rows")
    seed: int = Field(ge=0, lt=2**32, description="an integer from 0 to 2^32 - 1")
    range: Literal["minmax", "percentile", "mse"] = Field(description="minmax, percentile or mse")


class Quant(Section):
    """How a float network becomes a quantized one."""

    bits: int = Field(description="an integer from 2 to 16, or 32 to leave the network float")
    scheme: Literal["asymmetric", "symmetric"] = Field(description="asymmetric or symmetric")
    granularity: Literal["per_tensor", "per_channel", "per_parameter", "unified"] = Field(
        description="per_tensor, per_channel (with scheme: symmetric), per_parameter or unified"
    )
    range: Literal["minmax", "mse"] | Span = Field(
        description="minmax, mse, or [lo, hi] with lo < hi and 0 between them"
    )
    margin: tuple[Margin, Margin] = Field(
        description="[below, above], fractions of the range from 0 to 10; "
        "other than [0, 0] only with range: minmax"
    )
    rounding: Rounding = Field(description="nearest, gptq or exact")
    bias: Bias = Field(description="a mapping with bits and range")
    activations: Literal["none", "uint8"] = Field(
        description="none (weights only) or uint8 (integers only)"
    )
    calibration: Calibration = Field(description="a mapping with rows, seed and range")

    @field_validator("bits")
    @classmethod
    def _check_bits(cls, bits: int) -> int:
        if not (MIN_BITS <= bits <= MAX_BITS or bits == FLOAT_BITS):
            raise ValueError
        return bits

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.granularity == "per_channel" and self.scheme != "symmetric":
            raise ValueError(
                "granularity: got per_channel with scheme asymmetric; a scale per channel needs "
                "one zero point for all: set scheme: symmetric"
            )
        if any(self.margin) and self.range != "minmax":
            span = list(self.range) if isinstance(self.range, tuple) else self.range
            raise ValueError(
                f"margin: got {list(self.margin)} with range {span!r}; "
                "a margin widens the range of the weights: set range: minmax, or margin: [0, 0]"
            )
        return self
