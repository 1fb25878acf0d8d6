"""The hyperbolic tangent."""

import torch

from stages.train.layers.trainable import Fixed


class TrainableTanh(Fixed):
    """As torch does it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The function."""
        return torch.tanh(x)
