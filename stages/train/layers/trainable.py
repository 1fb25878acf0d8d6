"""What is asked of every kind of layer that can be trained."""

from abc import abstractmethod

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from octet.layers import Layer
from octet.signature import Shape
from stages.params.layers import FixedLayer

Floats32 = npt.NDArray[np.float32]


class Trainable(nn.Module):
    """A layer as torch trains it; each kind is a subclass in a file of its own.

    It is made of the entry in params.yaml and of the shapes of one row of what enters. An entry
    that cannot take those is an OctetError, from here or from the `shape` of its `layers`.
    """

    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """What it is in a network of the library, one after the other, as trained so far."""


class Fixed(Trainable):
    """A layer without any number to train; its kind says in ``forward`` what it does in torch."""

    def __init__(self, spec: FixedLayer, *entering: Shape) -> None:
        super().__init__()
        del entering
        self.layer = spec.layer

    def layers(self) -> tuple[Layer, ...]:
        """The same."""
        return (self.layer,)


def array(tensor: torch.Tensor) -> Floats32:
    """The numbers of a tensor; zeros that take no memory for one of torch's device ``meta``."""
    if tensor.is_meta:
        return np.broadcast_to(np.float32(0), tuple(tensor.shape))
    numbers: Floats32 = tensor.detach().cpu().numpy()
    return numbers
