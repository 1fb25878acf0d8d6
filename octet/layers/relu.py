"""Relu: y = max(x, 0)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from octet.layers.pointwise import Clipping


@dataclass(frozen=True)
class Relu(Clipping):
    """y = max(x, 0)."""

    kind: ClassVar[str] = "relu"

    def ends(self) -> tuple[float, float]:
        """From 0 up."""
        return 0.0, math.inf
