"""``model`` of a system: a class a kind, with the keys that it takes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from octet.network import INPUT
from stages.params.layers import Layer
from stages.params.section import Section


class LinearModel(Section):
    """Linear regression by least squares: a table in, a number out."""

    kind: Literal["linear"] = Field(description="linear")
    standardize: bool = Field(description="true or false")


class LogisticModel(Section):
    """Logistic regression on standardized features: a table in, a logit for each class out."""

    kind: Literal["logistic"] = Field(description="logistic")


class NetworkModel(Section):
    """A network, trained: its layers in the order in which data flows."""

    kind: Literal["network"] = Field(description="network")
    budget: int = Field(ge=1, description="an integer: how many parameters it may have at most")
    layers: tuple[Layer, ...] = Field(min_length=1, description="a list of layers")

    @model_validator(mode="after")
    def _check(self) -> Self:
        names: list[str] = []
        for i, layer in enumerate(self.layers):
            if unknown := [name for name in layer.inputs if name not in names]:
                raise ValueError(
                    f"layers[{i}].inputs: got {unknown[0]!r}; allowed are the names of layers "
                    f"before it: {', '.join(names) or 'none has one'}"
                )
            if layer.name in names or layer.name == INPUT:
                raise ValueError(
                    f"layers[{i}].name: got {layer.name!r}, which is taken; choose another"
                )
            names += [layer.name] if layer.name else []
            if layer.kind == "softmax" and i < len(self.layers) - 1:
                raise ValueError(f"layers[{i}].kind: got softmax; only the last layer can be one")
        return self


Model = Annotated[LinearModel | LogisticModel | NetworkModel, Field(discriminator="kind")]
