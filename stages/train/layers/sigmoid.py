"""1 / (1 + exp(-x))."""

import torch

from stages.train.layers.trainable import Fixed


class TrainableSigmoid(Fixed):
    """As torch does it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The function."""
        return torch.sigmoid(x)
