"""``layers`` of a model of kind network: a class a kind, with the keys that it takes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stages.params.section import Section


class Conv(Section):
    """A convolution without bias, batch normalisation, and ReLU."""

    kind: Literal["conv"]
    channels: int = Field(ge=1, le=4096, description="an integer from 1 to 4096")
    kernel: int = Field(ge=1, le=99, description="an integer from 1 to 99: the side of the kernel")
    padding: int = Field(ge=0, description="an integer from 0 to kernel - 1")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.padding >= self.kernel:
            raise ValueError(
                f"padding: got {self.padding} with kernel {self.kernel}; "
                f"allowed are 0 to {self.kernel - 1}"
            )
        return self


class MaxPool(Section):
    """The largest value of each tile."""

    kind: Literal["max_pool"]
    window: int = Field(ge=2, description="an integer from 2: the side of a tile")


class GlobalAveragePool(Section):
    """The mean of each channel."""

    kind: Literal["global_average_pool"]


class Flatten(Section):
    """Channels, height and width as one axis."""

    kind: Literal["flatten"]


class Linear(Section):
    """A linear layer with a bias, without ReLU."""

    kind: Literal["linear"]
    outputs: int = Field(ge=1, le=4096, description="an integer from 1 to 4096")


Layer = Annotated[
    Conv | MaxPool | GlobalAveragePool | Flatten | Linear, Field(discriminator="kind")
]
