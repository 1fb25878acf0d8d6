"""``model`` of a system: a class a kind, with the keys that it takes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from octet.errors import OctetError
from octet.network import Wiring
from stages.params.layers import Layer
from stages.params.section import BELOW_TOP, SHA256, BelowTop, Section, Sha256


class LinearModel(Section):
    """Linear regression by least squares: a table in, a number out."""

    kind: Literal["linear"] = Field(description="linear")
    standardize: bool = Field(description="true or false")


class RidgeModel(Section):
    """Ridge regression: least squares with a penalty on the weights."""

    kind: Literal["ridge"] = Field(description="ridge")
    alpha: float = Field(
        gt=0, le=1e100, description="a positive number: the penalty, 1 for a light one"
    )
    standardize: bool = Field(description="true or false")


class LogisticModel(Section):
    """Logistic regression on standardized features: a table in, a logit for each class out."""

    kind: Literal["logistic"] = Field(description="logistic")


class NetworkModel(Section):
    """A network, trained: its layers in the order in which data flows."""

    kind: Literal["network"] = Field(description="network")
    budget: int = Field(ge=1, description="an integer: how many parameters it may have at most")
    layers: tuple[Layer, ...] = Field(
        min_length=1, max_length=400, description="a list of 1 to 400 layers"
    )

    def sources(self) -> list[tuple[int, ...]]:
        """For each layer, the places of those whose outputs it takes; -1 is what goes in.

        Raises:
            ValueError: a name is not there, or there twice.
        """
        # By its name, what goes into the network is not what goes in here: that is scaled.
        wiring, places = Wiring(input_named=False), list[tuple[int, ...]]()
        for i, layer in enumerate(self.layers):
            try:
                places.append(wiring.take(len(layer.inputs) or 1, layer.name, layer.inputs))
            except OctetError as error:
                raise ValueError(f"layers[{i}].{error}") from None
        return places

    @model_validator(mode="after")
    def _check(self) -> Self:
        taken = {place for places in self.sources() for place in places}
        if unused := {*range(len(self.layers) - 1)} - taken:
            raise ValueError(
                f"layers[{min(unused)}]: nothing takes what it gives: name it among the inputs of "
                "a later layer, or take it out"
            )
        for i, layer in enumerate(self.layers):
            if layer.kind == "softmax" and i < len(self.layers) - 1:
                raise ValueError(f"layers[{i}].kind: got softmax; only the last layer can be one")
        return self


class OnnxModel(Section):
    """A network from an ONNX file."""

    kind: Literal["onnx"] = Field(description="onnx")
    path: BelowTop = Field(description=BELOW_TOP)
    sha256: Sha256 = Field(description=SHA256)


class GivenModel(Section):
    """A float network in a model file of Octet's own."""

    kind: Literal["given"] = Field(description="given")
    path: BelowTop = Field(description=BELOW_TOP)
    sha256: Sha256 = Field(description=SHA256)


# The kinds of stages/train/kinds.
Model = Annotated[
    LinearModel | LogisticModel | RidgeModel | NetworkModel | OnnxModel | GivenModel,
    Field(discriminator="kind"),
]
