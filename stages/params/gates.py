"""``gates``: what a quantized model may cost, and what it must give."""

from pydantic import Field

from stages.params.section import Section


class Gates(Section):
    """What a quantized model may cost, and what it must give."""

    mse_increase: float | None = Field(
        gt=0,
        allow_inf_nan=False,
        description="a positive fraction of the float model's MSE, or null to judge rows alone",
    )
    worse_by: float = Field(
        gt=0,
        allow_inf_nan=False,
        description="a positive fraction of the float model's median absolute error",
    )
    worse_share: float = Field(
        gt=0, lt=1, description="a fraction of the test rows, between 0 and 1"
    )
    accuracy_decrease: float = Field(
        gt=0, lt=1, description="a fraction of the test rows, between 0 and 1"
    )
    r2: float = Field(ge=-1, le=1, description="the least R², from -1 to 1")
    accuracy: float = Field(ge=0, le=1, description="the least accuracy, from 0 to 1")
    accuracy_noisy: float = Field(
        ge=0, le=1, description="the least accuracy under noise, from 0 to 1"
    )
    saved: float = Field(
        ge=0, lt=1, description="a fraction of the float payload, from 0 to below 1"
    )
