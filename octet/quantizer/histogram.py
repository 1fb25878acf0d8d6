"""What activations were seen, and the grid that suits them."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from octet import affine
from octet.affine import Array, Grid
from octet.errors import OctetError

BITS = 8
_BINS = 4096
# What range: percentile leaves out at each end.
_TAIL = 1e-4
# What range: mse multiplies both ends of the range by.
_FACTORS = np.linspace(0.3, 1.0, 71)


@dataclass
class Histogram:
    """What one layer gave so far: its extremes, and how often it gave what between them.

    Attributes:
        lo, hi: the extremes.
        counts: of values, in equal bins from one to the other.
    """

    lo: float = np.inf
    hi: float = -np.inf
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    def widen(self, x: Array) -> None:
        """Take the extremes of some activations in."""
        self.lo, self.hi = min(self.lo, float(np.min(x))), max(self.hi, float(np.max(x)))

    def count(self, x: Array) -> None:
        """Count some activations, once the extremes of all are known."""
        width = (self.hi - self.lo) / _BINS
        bins = ((x - self.lo) / width).astype(np.int64) if width > 0 else np.zeros(x.shape, int)
        self.counts += np.bincount(np.minimum(bins, _BINS - 1).ravel(), minlength=_BINS)

    def grid(self, how: Literal["minmax", "percentile", "mse"], name: str) -> Grid:
        """The grid that spans them.

        Args:
            how: which of them.
            name: of what gave them, for errors.

        Raises:
            OctetError: there were none.
        """
        if not self.lo <= self.hi:
            raise OctetError(
                f"{name}: saw no data in calibration; give it at least one training row"
            )
        match how:
            case "minmax":
                lo, hi = self.lo, self.hi
            case "percentile":
                lo, hi = self._percentile()
            case "mse":
                lo, hi = self._least_error()
        return affine.asymmetric(lo, hi, BITS)

    def _percentile(self) -> tuple[float, float]:
        """All but one value in 10,000 at each end."""
        share = np.cumsum(self.counts) / np.sum(self.counts)
        first, last = np.searchsorted(share, [_TAIL, 1 - _TAIL])
        edges = np.linspace(self.lo, self.hi, _BINS + 1)
        return float(edges[first]), float(edges[last + 1])

    def _least_error(self) -> tuple[float, float]:
        """The range, shrunk at both ends alike, that loses least of the values in square."""
        centres = self.lo + (np.arange(_BINS) + 0.5) * (self.hi - self.lo) / _BINS

        def error(factor: float) -> float:
            grid = affine.asymmetric(factor * self.lo, factor * self.hi, BITS)
            lost = affine.dequantize(affine.quantize(centres, grid), grid) - centres
            return float(np.sum(self.counts * lost**2))

        best = min(_FACTORS.tolist(), key=error)
        return best * self.lo, best * self.hi
