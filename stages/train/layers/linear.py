"""A linear layer with a bias."""

import torch
from torch import nn

from octet.errors import OctetError
from octet.layers import Layer
from octet.layers import Linear as LinearLayer
from octet.signature import Shape
from stages.params.layers import Linear
from stages.train.layers.trainable import Trainable, array


class TrainableLinear(Trainable):
    """y = W x + b."""

    def __init__(self, spec: Linear, entering: Shape) -> None:
        super().__init__()
        if len(entering) != 1:
            raise OctetError(f"got shape {entering}; allowed is one axis: put a flatten before it")
        self.linear = nn.Linear(entering[0], spec.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The function."""
        y: torch.Tensor = self.linear(x)
        return y

    def layers(self) -> tuple[Layer, ...]:
        """A linear layer."""
        return (LinearLayer(array(self.linear.weight), array(self.linear.bias)),)
