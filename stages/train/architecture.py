"""What a list of layers amounts to: the shape after each, and how many numbers are trained."""

from dataclasses import dataclass

from octet.errors import OctetError
from octet.signature import Shape
from stages.params.layers import Conv, Flatten, GlobalAveragePool, Linear, MaxPool
from stages.params.models import NetworkModel


@dataclass(frozen=True)
class Step:
    """One entry of ``model.layers``, with what it gets and what it gives.

    Attributes:
        layer: the entry.
        got: shape of one row that enters, ``(channels, height, width)`` or ``(features,)``.
        given: shape of one row that leaves.
        parameters: how many numbers training finds for it.
    """

    layer: Conv | MaxPool | GlobalAveragePool | Flatten | Linear
    got: Shape
    given: Shape
    parameters: int


def plan(model: NetworkModel, image: Shape, classes: int, where: str) -> tuple[Step, ...]:
    """Follow the shapes through the layers, and hold the number of parameters to the budget.

    Args:
        model: layers and budget.
        image: ``(channels, height, width)``.
        classes: how many outputs the last layer must have.
        where: the key of the model in params.yaml, for errors.

    Raises:
        OctetError: a layer cannot take the shape that it gets, the last one does not give one
            output for each class, or there are more parameters than the budget.
    """
    steps: list[Step] = []
    shape = image
    for i, layer in enumerate(model.layers):
        name = f"{where}.layers[{i}] ({layer.kind})"
        given, parameters = _through(layer, shape, name)
        steps.append(Step(layer, shape, given, parameters))
        shape = given
    if shape != (classes,):
        raise OctetError(
            f"params.yaml: {name}: gives shape {shape}; the last layer must give ({classes},), "
            "a number for each class"
        )
    total = sum(step.parameters for step in steps)
    if total > model.budget:
        raise OctetError(
            f"params.yaml: {where}.layers: got {total:,} parameters; allowed are "
            f"{where}.budget = {model.budget:,}: take out channels or layers"
        )
    return tuple(steps)


def _through(
    layer: Conv | MaxPool | GlobalAveragePool | Flatten | Linear, got: Shape, name: str
) -> tuple[Shape, int]:
    """The shape that leaves a layer, and its number of parameters."""
    needed = 1 if isinstance(layer, Linear) else 3
    if len(got) != needed:
        allowed = "(features,): flatten first" if needed == 1 else "(channels, height, width)"
        raise OctetError(f"params.yaml: {name}: got shape {got}; allowed is {allowed}")
    match layer:
        case Conv():
            sides = [side + 2 * layer.padding - layer.kernel + 1 for side in got[1:]]
            if min(sides) < 1:
                least = layer.kernel - 2 * layer.padding
                raise OctetError(
                    f"params.yaml: {name}: got shape {got}; a kernel of {layer.kernel} with "
                    f"padding {layer.padding} takes images from {least} by {least}"
                )
            weights = layer.channels * got[0] * layer.kernel**2
            # Batch normalisation has a factor and an offset for each channel.
            return (layer.channels, *sides), weights + 2 * layer.channels
        case MaxPool():
            if got[1] % layer.window or got[2] % layer.window:
                raise OctetError(
                    f"params.yaml: {name}: got shape {got}; height and width must be multiples of "
                    f"{layer.window}"
                )
            return (got[0], got[1] // layer.window, got[2] // layer.window), 0
        case GlobalAveragePool():
            return got[:1], 0
        case Flatten():
            return (got[0] * got[1] * got[2],), 0
        case Linear():
            return (layer.outputs,), layer.outputs * (got[0] + 1)
