"""``model`` of a system: a class a kind, with the keys that it takes."""

from typing import Annotated, Literal

from pydantic import Field

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


Model = Annotated[LinearModel | LogisticModel | NetworkModel, Field(discriminator="kind")]
