"""A convolution, batch normalization and ReLU, of which a convolution with a bias is left."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from octet.errors import OctetError
from octet.layers import Conv2d, Layer, Relu, windows
from octet.layers.batch_normalization import BatchNormalization
from octet.signature import Shape
from stages.params.layers import Conv
from stages.train import kernels
from stages.train.layers.trainable import Trainable, array


class TrainableConv(Trainable):
    """A convolution without bias, batch normalization, and ReLU unless it is left off."""

    def __init__(self, spec: Conv, entering: Shape) -> None:
        super().__init__()
        windows.refuse_no_image(entering)
        channels = entering[0]
        if channels % spec.groups:
            raise OctetError(
                f"groups: got {spec.groups}; allowed is what divides the {channels} channels that "
                "enter"
            )
        self.spec = spec
        top, left, bottom, right = spec.window.padding
        across, down = min(left, right), min(top, bottom)
        self.extra = (left - across, right - across, top - down, bottom - down)
        self.convolution = nn.Conv2d(
            channels,
            spec.channels,
            spec.window.sides,
            spec.window.stride,
            # The same on opposite sides; what is more than that on one of them stands in `extra`.
            padding=(down, across),
            groups=spec.groups,
            bias=False,
        )
        self.normalization = nn.BatchNorm2d(spec.channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Padded, convolved, normalised, and clipped at 0."""
        if any(self.extra):
            x = functional.pad(x, self.extra)
        x = self.normalization(self.convolution(x))
        return kernels.relu(x) if self.spec.relu else x

    def layers(self) -> tuple[Layer, ...]:
        """One convolution with a bias, and ReLU."""
        weight, where = array(self.convolution.weight), self.spec.window
        bias = np.zeros(len(weight), np.float32)
        conv = Conv2d(weight, bias, where.padding, where.stride, self.spec.groups)
        # On the device ``meta`` there is nothing to fold, and more of it than memory may hold.
        if not self.convolution.weight.is_meta:
            conv = self._normalization().fold(conv)
        return (conv, Relu()) if self.spec.relu else (conv,)

    def _normalization(self) -> BatchNormalization:
        state = self.normalization.state_dict()
        names = ("weight", "bias", "running_mean", "running_var")
        gamma, beta, mean, variance = (array(state[name]) for name in names)
        return BatchNormalization(gamma, beta, mean, variance, self.normalization.eps)
