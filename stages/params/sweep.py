"""``sweep``: which widths and roundings are tried, and who does the work."""

from typing import Annotated, Literal

from pydantic import Field

from octet.affine import MIN_BITS
from octet.quantizer.config import Rounding
from stages.params.section import Section


class Sweep(Section):
    """What the sweep tries, and who does the work."""

    bits: tuple[Annotated[int, Field(ge=MIN_BITS, le=8)], ...] = Field(
        min_length=1, description="a list of integers from 2 to 8"
    )
    roundings: tuple[Rounding, ...] = Field(
        min_length=1, description="a list of nearest, gptq and exact"
    )
    backend: Literal["loky", "dask"] = Field(
        description="loky (this machine) or dask (the cluster at $DASK_SCHEDULER_ADDRESS)"
    )
