"""All axes of a row as one."""

import torch

from stages.train.layers.trainable import Fixed


class TrainableFlatten(Fixed):
    """As torch does it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The function."""
        return torch.flatten(x, 1)
