"""``systems``: one data set and one model each, with keys of their own over the common ones."""

from typing import Any, Literal, get_args

from pydantic import Field

from stages.params.models import Model
from stages.params.section import Section

# The keys of DATA_SETS in stages/load/readers.
DataName = Literal["diabetes", "california_housing", "wine", "breast_cancer", "digits", "mnist"]


class System(Section):
    """One data set and one model; any kind of data, any kind of model that makes sense of it."""

    data: DataName = Field(description=" or ".join(get_args(DataName)))
    model: Model = Field(
        description="a mapping with kind: linear, logistic, ridge, network, onnx or given, and the "
        "keys of that kind"
    )
    train: dict[str, Any] = Field(description="a mapping of any keys of train, or {}")
    quant: dict[str, Any] = Field(description="a mapping of any keys of quant, or {}")
    gates: dict[str, Any] = Field(description="a mapping of any keys of gates, or {}")
