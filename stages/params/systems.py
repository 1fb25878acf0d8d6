"""``systems``: one data set and one model each, with keys of their own over the common ones."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from stages.params.data import DATA, Data, Table, refuse_foreign
from stages.params.models import GivenModel, Model, OnnxModel
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        weights = self.data.weights if isinstance(self.data, Table) else None
        if weights is not None and isinstance(self.model, OnnxModel | GivenModel):
            raise ValueError(
                f"data.weights: got {weights} with a model of kind {self.model.kind}, which is "
                "fitted already; allowed are weights of rows that a model is trained on here: "
                "leave the column out by `drop`"
            )
        return self
