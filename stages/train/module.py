"""A planned network as a torch module, and the layers that are left of it after training."""

from dataclasses import replace

import torch
from torch import nn

from octet.layers import Layer
from stages.train.architecture import Step
from stages.train.layers import Trainable


class Module(nn.Module):
    """All layers of a plan, each fed with the outputs that it takes, initialised in their order."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        super().__init__()
        self.steps = steps
        self.entries: list[Trainable] = [step.build() for step in steps]
        self._registered = nn.ModuleList(self.entries)
        # What makes probabilities of logits is left to the loss, which does it with more digits.
        self._trained = len(steps) - (steps[-1].spec.kind in ("softmax", "sigmoid"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``(rows, classes)``, or one number for each row, ``(rows, 1)``."""
        outputs = [x]
        for step, entry in zip(self.steps[: self._trained], self.entries, strict=False):
            outputs.append(entry(*(outputs[place + 1] for place in step.taken)))
        return outputs[-1]

    def layers(self) -> tuple[Layer, ...]:
        """The trained layers in float32, with the names of the plan."""
        layers: list[Layer] = []
        for step, entry in zip(self.steps, self.entries, strict=True):
            first, *others = entry.layers()
            *before, last = [replace(first, inputs=step.spec.inputs), *others]
            layers += [*before, replace(last, name=step.spec.name)]
        return tuple(layers)
