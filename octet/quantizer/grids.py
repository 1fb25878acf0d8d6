"""Which reals the codes of a layer stand for: ranges by granularity, and the grids on them."""

from dataclasses import dataclass

import numpy as np

from octet import affine
from octet.affine import Array, Grid
from octet.quantizer.config import Config


@dataclass(frozen=True)
class Grids:
    """The grids of one layer. Under granularity ``unified`` both are the same object."""

    weight: Grid
    bias: Grid


def choose(weight: Array, bias: Array, config: Config, shrink: Array | None = None) -> Grids:
    """Grids for a layer, from its range and, for a search, factors on the ends of the range.

    Args:
        weight: ``(rows, inputs)``.
        bias: ``(rows,)``.
        config: bits, scheme, granularity, range, margin and those of the bias.
        shrink: ``(…, rows, 2)``, factors on the lower and upper end; only per_channel may have
            rows that differ. None leaves the range as it is.

    Raises:
        OctetError: weights that are not finite, or too wide for a float32 scale.
    """
    make = affine.symmetric if config.scheme == "symmetric" else affine.asymmetric
    lo, hi = _range(weight, bias, config)
    if shrink is not None:
        factors = shrink if config.granularity == "per_channel" else shrink[..., :1, :]
        lo, hi = lo * factors[..., :1], hi * factors[..., 1:]
        if config.granularity != "per_channel" and shrink.ndim == 2:
            lo, hi = lo.reshape(()), hi.reshape(())
    grid = make(lo, hi, config.bits)
    if config.granularity == "unified":
        return Grids(grid, grid)
    if config.bias.range != "minmax":
        return Grids(grid, make(*config.bias.range, config.bias.bits))
    if config.granularity == "per_parameter":
        return Grids(grid, make(bias, bias, config.bias.bits))
    return Grids(grid, make(bias.min(), bias.max(), config.bias.bits))


def _range(weight: Array, bias: Array, config: Config) -> tuple[Array, Array]:
    """Both ends, in the shape of the scale: one, one a row, or one a weight."""
    match config.granularity:
        case "per_tensor":
            lo, hi = weight.min(), weight.max()
        case "per_channel":
            lo, hi = weight.min(axis=1, keepdims=True), weight.max(axis=1, keepdims=True)
        case "per_parameter":
            lo, hi = weight, weight
        case "unified":
            lo, hi = min(weight.min(), bias.min()), max(weight.max(), bias.max())
    lo, hi = np.minimum(lo, 0.0), np.maximum(hi, 0.0)
    if not isinstance(config.range, str):
        return np.full(lo.shape, config.range[0]), np.full(hi.shape, config.range[1])
    below, above = config.margin
    return lo - below * (hi - lo), hi + above * (hi - lo)
