"""x, or slope · x where it is negative."""

import torch
from torch.nn import functional

from octet.signature import Shape
from stages.params.layers import LeakyRelu
from stages.train.layers.trainable import Fixed


class TrainableLeakyRelu(Fixed):
    """As torch does it."""

    def __init__(self, spec: LeakyRelu, entering: Shape) -> None:
        super().__init__(spec, entering)
        self.spec = spec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The function."""
        return functional.leaky_relu(x, self.spec.slope)
