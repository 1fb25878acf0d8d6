"""The same numbers in another shape."""

import torch

from octet.signature import Shape
from stages.params.layers import Reshape
from stages.train.layers.trainable import Fixed


class TrainableReshape(Fixed):
    """As torch does it."""

    def __init__(self, spec: Reshape, entering: Shape) -> None:
        super().__init__(spec, entering)
        self.spec = spec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(rows, *to)``."""
        return x.reshape(len(x), *self.spec.to)
