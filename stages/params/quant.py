"""``quant``: how a float network becomes a quantized one."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from octet import quantizer
from octet.affine import MAX_BITS, MIN_BITS
from octet.errors import OctetError
from octet.quantizer import Config
from octet.quantizer.config import Activations, Granularity, Rounding, Scheme
from stages.params.section import Section, Span

FLOAT_BITS = 32
_WIDTH = 8

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
    scheme: Scheme = Field(description="asymmetric or symmetric")
    granularity: Granularity = Field(
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
    activations: Activations = Field(description="none (weights only) or uint8 (integers only)")
    calibration: Calibration = Field(description="a mapping with rows, seed and range")

    @field_validator("bits")
    @classmethod
    def _check_bits(cls, bits: int) -> int:
        if not (MIN_BITS <= bits <= MAX_BITS or bits == FLOAT_BITS):
            raise ValueError
        return bits

    @model_validator(mode="after")
    def _check(self) -> Self:
        # What integers do not take is another matter: see `stages.params.file.Params.quant_of`.
        try:
            self.model_copy(update={"activations": "none"}).config()
        except OctetError as error:
            raise ValueError(str(error)) from None
        return self

    def config(self, bits: int | None = None) -> Config:
        """The same choices as the quantizer takes them.

        Args:
            bits: another width. None: that of here, or 8 where that leaves the network float.

        Raises:
            OctetError: a choice leaves no room for another, or a range is too narrow or too wide
                for a scale at its width; the key is named.
        """
        own = _WIDTH if self.bits == FLOAT_BITS else self.bits
        calibration = self.calibration
        chosen: dict[str, Any] = self.model_dump() | {
            "bits": own if bits is None else bits,
            "bias": quantizer.Bias(self.bias.bits, self.bias.range),
            "calibration": quantizer.Calibration(
                calibration.rows, calibration.seed, calibration.range
            ),
        }
        return Config(**chosen)
