"""The largest value in each window."""

import torch
from torch.nn import functional

from octet.signature import Shape
from stages.params.layers import MaxPool
from stages.train import kernels
from stages.train.layers.trainable import Fixed


class TrainableMaxPool(Fixed):
    """As torch does it."""

    def __init__(self, spec: MaxPool, entering: Shape) -> None:
        super().__init__(spec, entering)
        self.window = spec.layer.window

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The largest; padding never is."""
        top, left, bottom, right = self.window.padding
        if any(self.window.padding):
            x = functional.pad(x, (left, right, top, bottom), value=-torch.inf)
        return kernels.max_pool(x, self.window)
