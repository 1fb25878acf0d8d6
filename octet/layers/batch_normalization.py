"""Batch normalization, which is no kind of layer: it is folded into the weights before it."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from octet.affine import Array, Floats
from octet.layers.weighted import Weighted
from octet.parameters import values

AnyWeighted = TypeVar("AnyWeighted", bound=Weighted)


@dataclass(frozen=True)
class BatchNormalization:
    """y = γ (x - μ) / √(σ² + ε) + β, of each channel by itself.

    Attributes:
        gamma, beta, mean, variance: γ, β, μ and σ², ``(channels,)``.
        epsilon: ε, which keeps the root from 0.
    """

    gamma: Floats
    beta: Floats
    mean: Floats
    variance: Floats
    epsilon: float

    def factor_and_shift(self) -> tuple[Array, Array]:
        """F and s of y = f x + s, ``(channels,)`` float64."""
        gamma, beta, mean, variance = (
            each.astype(np.float64) for each in (self.gamma, self.beta, self.mean, self.variance)
        )
        factor = gamma / np.sqrt(variance + self.epsilon)
        return factor, beta - factor * mean

    def fold(self, layer: AnyWeighted) -> AnyWeighted:
        """One layer in place of two: ``layer``, in float, and this behind it.

        f (W x + b) + s = (f W) x + (f b + s): Jacob et al., Quantization and Training of Neural
        Networks, 2018, 3.2. In float64, then rounded once to float32.
        """
        factor, shift = self.factor_and_shift()
        weight, bias = values(layer.weight), values(layer.bias)
        folded = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
        return replace(
            layer,
            weight=folded.astype(np.float32),
            bias=(factor * bias + shift).astype(np.float32),
        )
