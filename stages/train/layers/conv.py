"""A convolution, batch normalisation and ReLU, of which a convolution with a bias is left."""

import torch
from torch import nn
from torch.nn import functional

from octet.errors import OctetError
from octet.layers import Conv2d, Layer, Relu, windows
from octet.signature import Shape
from stages.params.layers import Conv
from stages.train.layers.trainable import Floats32, Trainable, array


class TrainableConv(Trainable):
    """A convolution without bias, batch normalisation, and ReLU unless it is left off."""

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
        self.normalisation = nn.BatchNorm2d(spec.channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Padded, convolved, normalised, and clipped at 0."""
        if any(self.extra):
            x = functional.pad(x, self.extra)
        x = self.normalisation(self.convolution(x))
        return functional.relu(x) if self.spec.relu else x

    def layers(self) -> tuple[Layer, ...]:
        """One convolution with a bias, and ReLU."""
        weight, bias = fold(self.convolution, self.normalisation)
        where = self.spec.window
        conv = Conv2d(weight, bias, where.padding, where.stride, self.spec.groups)
        return (conv, Relu()) if self.spec.relu else (conv,)


def fold(convolution: nn.Conv2d, normalisation: nn.BatchNorm2d) -> tuple[Floats32, Floats32]:
    """One convolution with a bias in place of a convolution and a batch normalisation.

    γ (W * x - μ) / √(σ² + ε) + β = (γ W / √(σ² + ε)) * x + β - γ μ / √(σ² + ε): Jacob et al.,
    Quantization and Training of Neural Networks, 2018, 3.2. In float64, then rounded once.

    Returns:
        Weight ``(outputs, channels / groups, height, width)`` and bias ``(outputs,)``.
    """
    state = normalisation.state_dict()
    gamma, beta, mean, variance = (
        state[name].double() for name in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / torch.sqrt(variance + normalisation.eps)
    folded = convolution.weight.double() * factor[:, None, None, None]
    return array(folded.float()), array((beta - factor * mean).float())
