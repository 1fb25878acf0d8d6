"""The mean of each window."""

import torch
from torch.nn import functional

from octet.signature import Shape
from stages.params.layers import AveragePool
from stages.train.layers.trainable import Fixed


class TrainableAveragePool(Fixed):
    """As torch does it."""

    def __init__(self, spec: AveragePool, entering: Shape) -> None:
        super().__init__(spec, entering)
        self.window = spec.layer.window

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean."""
        return functional.avg_pool2d(x, self.window.sides, self.window.stride)
