"""What a list of layers amounts to: the shape after each, and how many numbers are trained.

The rules for shapes are those of the library's layers; none stands here.
"""

from dataclasses import dataclass

import torch

from octet.errors import OctetError
from octet.signature import Classes, Shape, Signature
from stages.params.layers import Layer
from stages.params.models import NetworkModel
from stages.train.layers import KINDS, Trainable


@dataclass(frozen=True)
class Step:
    """One entry of ``model.layers``, with what it takes and what it gives.

    Attributes:
        spec: the entry.
        taken: the places of the entries whose outputs it takes; -1 is what goes into the first.
        entering: the shapes of one row of those.
        leaving: the shape of one row that leaves.
        parameters: how many numbers training finds for it.
    """

    spec: Layer
    taken: tuple[int, ...]
    entering: tuple[Shape, ...]
    leaving: Shape
    parameters: int

    def build(self) -> Trainable:
        """The entry as a torch module, initialised by torch's defaults."""
        return KINDS[self.spec.kind](self.spec, *self.entering)


def plan(model: NetworkModel, signature: Signature, where: str) -> tuple[Step, ...]:
    """Follow the shapes through the layers, and hold the number of parameters to the budget.

    Args:
        model: layers and budget.
        signature: what goes in and what comes out.
        where: the key of the model in params.yaml, for errors.

    Raises:
        OctetError: a layer cannot take the shape that it gets, the last one does not give what the
            outputs take, or there are more parameters than the budget.
    """
    steps: list[Step] = []
    for i, (spec, taken) in enumerate(zip(model.layers, model.sources(), strict=True)):
        entering = tuple(steps[j].leaving if j >= 0 else signature.shape for j in taken)
        try:
            leaving, parameters = _through(spec, entering)
        except OctetError as error:
            raise OctetError(f"params.yaml: {where}.layers[{i}] ({spec.kind}): {error}") from None
        steps.append(Step(spec, taken, entering, leaving, parameters))
    _refuse_other_outputs(steps, signature, where)
    total = sum(step.parameters for step in steps)
    if not total:
        raise OctetError(
            f"params.yaml: {where}.layers: nothing to train: put a linear or a conv among them"
        )
    if total > model.budget:
        raise OctetError(
            f"params.yaml: {where}.layers: got {total:,} parameters; allowed are "
            f"{where}.budget = {model.budget:,}: take out channels or layers"
        )
    return tuple(steps)


def _through(spec: Layer, entering: tuple[Shape, ...]) -> tuple[Shape, int]:
    """The shape that leaves an entry, and its number of parameters."""
    with torch.device("meta"):  # which holds no numbers: there may be far more than the budget
        module = KINDS[spec.kind](spec, *entering)
    shapes = entering
    for layer in module.layers():
        shapes = (layer.shape(*shapes),)
    return shapes[0], sum(parameter.numel() for parameter in module.parameters())


def _refuse_other_outputs(steps: list[Step], signature: Signature, where: str) -> None:
    last = f"params.yaml: {where}.layers[{len(steps) - 1}] ({steps[-1].spec.kind})"
    if isinstance(signature.outputs, Classes):
        outputs, meaning = len(signature.outputs.classes), "a number for each class"
    else:
        outputs, meaning = 1, "the number that is predicted"
        if steps[-1].spec.kind != "linear":
            raise OctetError(f"{last}: for data whose outputs are numbers, the last is a linear")
    if steps[-1].leaving != (outputs,):
        raise OctetError(
            f"{last}: gives shape {steps[-1].leaving}; the last layer must give ({outputs},), "
            f"{meaning}"
        )
