"""``layers`` of a model of kind network: a class a kind, with the keys that it takes.

What torch makes of each is in stages/train/layers.
"""

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from octet import layers
from octet.errors import OctetError
from octet.layers import windows
from stages.params.section import Section

_SIZE = "an integer from 1 to 4096"
_SIDES = "an integer from 1 to 99, or [height, width] of such"
_PADDING = "an integer from 0 to 99, or [top, left, bottom, right] of such"

_FLOAT32 = "a number from -3e38 to 3e38"  # what training can hold

_End = Annotated[float, Field(ge=-3e38, le=3e38, allow_inf_nan=False)]
_Side = Annotated[int, Field(ge=1, le=99)]
_Border = Annotated[int, Field(ge=0, le=99)]
Sides = _Side | tuple[_Side, _Side]
Padding = _Border | tuple[_Border, _Border, _Border, _Border]


class _Layer(Section):
    """What every layer may have: a name, and the name of the layer whose output it takes."""

    kind: str
    name: str = Field(
        default="", pattern="^[A-Za-z0-9_-]*$", description="letters, digits, - and _, as text"
    )
    inputs: tuple[str, ...] = Field(
        default=(),
        max_length=1,
        description="a list of one name, of a layer before this one",
    )


class FixedLayer(_Layer):
    """A layer without any number to train: one of the library's, with the keys of its fields."""

    @property
    def layer(self) -> layers.Layer:
        """What it is in a network."""
        return layers.KINDS[self.kind](**self.model_dump(exclude={"kind", "name", "inputs"}))

    @model_validator(mode="after")
    def _check_layer(self) -> Self:
        _refuse(lambda: self.layer)
        return self


class Conv(_Layer):
    """A convolution without bias, batch normalization, and ReLU unless it is left off."""

    kind: Literal["conv"]
    channels: int = Field(ge=1, le=4096, description=_SIZE)
    kernel: Sides = Field(description=_SIDES)
    stride: Sides = Field(default=1, description=_SIDES)
    padding: Padding = Field(default=0, description=_PADDING)
    groups: int = Field(default=1, ge=1, le=4096, description=_SIZE)
    relu: bool = Field(default=True, description="true or false")

    @property
    def window(self) -> windows.Window:
        """Of the kernel."""
        return windows.window(self.kernel, self.stride, self.padding)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _refuse(lambda: self.window)
        if self.channels % self.groups:
            raise ValueError(
                f"groups: got {self.groups}; allowed is what divides channels, {self.channels}"
            )
        return self


class MaxPool(FixedLayer):
    """The largest value of each window; without a stride, of windows side by side."""

    kind: Literal["max_pool"]
    side: Sides = Field(description=_SIDES)
    stride: Sides | None = Field(default=None, description=_SIDES)
    padding: Padding = Field(default=0, description=_PADDING)

    @property
    def layer(self) -> layers.MaxPool:
        """What it is in a network."""
        return layers.MaxPool(self.side, self.stride, self.padding)


class AveragePool(FixedLayer):
    """The mean of each window; without a stride, of windows side by side."""

    kind: Literal["average_pool"]
    side: Sides = Field(description=_SIDES)
    stride: Sides | None = Field(default=None, description=_SIDES)

    @property
    def layer(self) -> layers.AveragePool:
        """What it is in a network."""
        return layers.AveragePool(self.side, self.stride)


class GlobalAveragePool(FixedLayer):
    """The mean of each channel."""

    kind: Literal["global_average_pool"]


class Add(FixedLayer):
    """The sum of the outputs of two layers."""

    kind: Literal["add"]
    inputs: tuple[str, ...] = Field(
        min_length=2, max_length=2, description="a list of two names, of layers before this one"
    )


class Relu(FixedLayer):
    """max(x, 0)."""

    kind: Literal["relu"]


class LeakyRelu(FixedLayer):
    """x where it is positive, else slope · x."""

    kind: Literal["leaky_relu"]
    slope: float = Field(gt=0, lt=1, default=0.01, description="a number between 0 and 1")


class Clip(FixedLayer):
    """x, but not below low and not above high; the defaults are ReLU6."""

    kind: Literal["clip"]
    low: _End = Field(default=0.0, description=_FLOAT32)
    high: _End = Field(default=6.0, description=_FLOAT32)


class Sigmoid(FixedLayer):
    """1 / (1 + exp(-x))."""

    kind: Literal["sigmoid"]


class Tanh(FixedLayer):
    """The hyperbolic tangent."""

    kind: Literal["tanh"]


class Softmax(FixedLayer):
    """Shares of 1 in place of logits; the last layer, if any. Training sees the logits."""

    kind: Literal["softmax"]


class Pad(FixedLayer):
    """Zeros around an image."""

    kind: Literal["pad"]
    padding: tuple[_Border, _Border, _Border, _Border] = Field(
        description="a list [top, left, bottom, right] of integers from 0 to 99"
    )


class Flatten(FixedLayer):
    """Channels, height and width as one axis."""

    kind: Literal["flatten"]


class Reshape(FixedLayer):
    """The same values, in another shape."""

    kind: Literal["reshape"]
    to: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1, max_length=3, description="a list of one to three integers from 1"
    )


class Linear(_Layer):
    """A linear layer with a bias, without ReLU."""

    kind: Literal["linear"]
    outputs: int = Field(ge=1, le=4096, description=_SIZE)


Layer = Annotated[
    Conv
    | MaxPool
    | AveragePool
    | GlobalAveragePool
    | Add
    | Relu
    | LeakyRelu
    | Clip
    | Sigmoid
    | Tanh
    | Softmax
    | Pad
    | Flatten
    | Reshape
    | Linear,
    Field(discriminator="kind"),
]


def _refuse(build: Callable[[], object]) -> None:
    """Raise a ValueError if the library says that there is no such layer."""
    try:
        build()
    except OctetError as error:
        raise ValueError(str(error)) from None
