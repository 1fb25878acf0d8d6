"""min(max(x, low), high)."""

import torch

from octet.signature import Shape
from stages.params.layers import Clip
from stages.train.layers.trainable import Fixed


class TrainableClip(Fixed):
    """As torch does it."""

    def __init__(self, spec: Clip, entering: Shape) -> None:
        super().__init__(spec, entering)
        self.spec = spec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The function."""
        return torch.clamp(x, self.spec.low, self.spec.high)
