"""Zeros around an image."""

import torch
from torch.nn import functional

from octet.signature import Shape
from stages.params.layers import Pad
from stages.train.layers.trainable import Fixed


class TrainablePad(Fixed):
    """As torch does it."""

    def __init__(self, spec: Pad, entering: Shape) -> None:
        super().__init__(spec, entering)
        self.spec = spec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Zeros around."""
        top, left, bottom, right = self.spec.padding
        return functional.pad(x, (left, right, top, bottom))
