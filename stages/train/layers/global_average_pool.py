"""The mean of each channel."""

import torch
from torch.nn import functional

from stages.train.layers.trainable import Fixed


class TrainableGlobalAveragePool(Fixed):
    """As torch does it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(rows, channels)``."""
        return torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1)
