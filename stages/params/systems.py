"""``systems``: one data set and one model each, with keys of their own over the common ones."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from stages.params.data import DATA, Data, refuse_foreign
from stages.params.models import Model
from stages.params.section import Section


class System(Section):
    """One data set and one model; any kind of data, any kind of model that makes sense of it."""

    data: Annotated[Data, BeforeValidator(refuse_foreign)] = Field(description=DATA)
    model: Model = Field(
        description="a mapping with kind: linear, logistic, ridge, network, onnx or given, and the "
        "keys of that kind"
    )
    train: dict[str, Any] = Field(description="a mapping of any keys of train, or {}")
    quant: dict[str, Any] = Field(description="a mapping of any keys of quant, or {}")
    gates: dict[str, Any] = Field(description="a mapping of any keys of gates, or {}")
