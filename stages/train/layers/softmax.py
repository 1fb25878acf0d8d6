"""Shares of 1 in place of logits."""

import torch

from stages.train.layers.trainable import Fixed


class TrainableSoftmax(Fixed):
    """As torch does it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The function; training takes the logits before it, see `Module`."""
        return torch.softmax(x, 1)
