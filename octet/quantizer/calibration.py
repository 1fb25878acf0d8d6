"""The grids of a network's activations, from what its layers give on some training rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from octet import affine
from octet.affine import Array, Grid
from octet.errors import OctetError
from octet.layers import GlobalAveragePool, Layer, Quantize, Relu, Standardize, Weighted
from octet.network import Network, label
from octet.quantizer.config import Calibration
from octet.quantizer.spool import batches
from octet.runtime import floating
from octet.signature import Input

BITS = 8
# How many rows show what activations do, where nobody says.
_ENOUGH = 1000
_BINS = 4096
# What range: percentile leaves out at each end.
_TAIL = 1e-4
# What range: mse multiplies an end of the range by.
_FACTORS = np.linspace(0.3, 1.0, 71)


@dataclass
class _Histogram:
    """What one point of the network gave so far: its extremes, and how often it gave what."""

    lo: float = np.inf
    hi: float = -np.inf
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    def widen(self, x: Array) -> None:
        self.lo, self.hi = min(self.lo, float(np.min(x))), max(self.hi, float(np.max(x)))

    def count(self, x: Array) -> None:
        width = (self.hi - self.lo) / _BINS
        bins = ((x - self.lo) / width).astype(np.int64) if width > 0 else np.zeros(x.shape, int)
        self.counts += np.bincount(np.minimum(bins, _BINS - 1).ravel(), minlength=_BINS)


_BOTH_PASSES = [_Histogram.widen, _Histogram.count]


def pick(rows: Input, calibration: Calibration) -> Input:
    """The calibration rows among those that there are.

    Raises:
        OctetError: more are asked for than there are.
    """
    wanted = min(_ENOUGH, len(rows)) if calibration.rows is None else calibration.rows
    if wanted > len(rows):
        raise OctetError(
            f"quant.calibration: got {wanted} rows to take; allowed are 1 to {len(rows)}, the "
            "number of training rows"
        )
    order = np.random.default_rng(calibration.seed).permutation(len(rows))
    return rows[np.sort(order[:wanted])]


def with_grids(network: Network, x: Input, calibration: Calibration) -> Network:
    """The network with its activations on uint8 grids, its weights still in float.

    A `Quantize` goes behind the scaler, which is the first layer if there is one. Where ReLU
    follows, the grid spans what ReLU gives, so it begins at 0 and the clip of the integers is the
    ReLU.

    Args:
        network: in float.
        x: the calibration rows; they pass in small batches, so memory does not grow with them.
        calibration: how to choose the range.

    Raises:
        OctetError: a layer saw no data; it is named.
    """
    start = int(isinstance(network.layers[0], Standardize))
    body = network.layers[start:]
    points = {-1: _Histogram()} | {
        i: _Histogram()
        for i, layer in enumerate(body)
        if isinstance(layer, Weighted | GlobalAveragePool)
    }
    passes = (
        (_Histogram.widen,)
        if calibration.range == "minmax"
        else (_Histogram.widen, _Histogram.count)
    )
    for note in passes:
        for batch in batches(x):
            entering = floating.through(network.layers[:start], batch)
            for i, activations in _outputs(body, entering):
                if i in points:
                    note(points[i], activations)
    names = {i: f"layer {label(network.layers, start + i)}" for i in points} | {-1: "the input"}
    grids = {i: _grid(values, calibration, names[i]) for i, values in points.items()}
    on_grids = [
        replace(layer, output=grids[i])
        if isinstance(layer, Weighted | GlobalAveragePool)
        else layer
        for i, layer in enumerate(body)
    ]
    layers = (*network.layers[:start], Quantize(grids[-1]), *on_grids)
    return replace(network, layers=layers)


def _outputs(body: tuple[Layer, ...], x: Array) -> Iterator[tuple[int, Array]]:
    """What enters the layers, as -1, and what each gives: after the ReLU, if one follows."""
    yield -1, x
    for i, layer in enumerate(body):
        x = floating.step(layer, x)
        followed = i + 1 < len(body) and isinstance(body[i + 1], Relu)
        yield i, np.maximum(x, 0.0) if followed else x


def _grid(values: _Histogram, calibration: Calibration, name: str) -> Grid:
    if not values.lo <= values.hi:
        raise OctetError(f"{name}: saw no data in calibration; give it at least one training row")
    match calibration.range:
        case "minmax":
            lo, hi = values.lo, values.hi
        case "percentile":
            lo, hi = _percentile(values)
        case "mse":
            lo, hi = _least_error(values)
    return affine.asymmetric(lo, hi, BITS)


def _centres(values: _Histogram) -> Array:
    return values.lo + (np.arange(_BINS) + 0.5) * (values.hi - values.lo) / _BINS


def _percentile(values: _Histogram) -> tuple[float, float]:
    """All but one value in 10,000 at each end."""
    share = np.cumsum(values.counts) / np.sum(values.counts)
    first, last = np.searchsorted(share, [_TAIL, 1 - _TAIL])
    edges = np.linspace(values.lo, values.hi, _BINS + 1)
    return float(edges[first]), float(edges[last + 1])


def _least_error(values: _Histogram) -> tuple[float, float]:
    """The range, shrunk at both ends alike, that loses least of the counted values in square."""
    centres = _centres(values)

    def error(factor: float) -> float:
        grid = affine.asymmetric(factor * values.lo, factor * values.hi, BITS)
        lost = affine.dequantize(affine.quantize(centres, grid), grid) - centres
        return float(np.sum(values.counts * lost**2))

    best = min(_FACTORS.tolist(), key=error)
    return best * values.lo, best * values.hi
