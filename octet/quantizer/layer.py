"""Quantize one layer: choose its grid, round its weights, and say how good that is."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from octet.affine import Array, Grid, Integers, as_codes, refuse_not_finite
from octet.errors import OctetError
from octet.layers import Weighted
from octet.parameters import Int32, Quantized, values
from octet.quantizer import grids
from octet.quantizer.config import Config
from octet.quantizer.hessian import Hessians, Moments
from octet.quantizer.rounding import Lattice, lattice, nearest
from octet.quantizer.search import Rounded, best_shrink, round_rows

# What is known of the codes of a layer, by name: see `weights_only`.
RoundingReport = dict[str, float]

_INT32 = 2**31


def weights_only(
    layer: Weighted, hessians: Hessians, config: Config, name: str
) -> tuple[Weighted, RoundingReport]:
    """The layer with its weight and its bias in codes, and what is known of their rounding.

    Args:
        layer: weight ``(rows, …)`` and bias ``(rows,)``, in float.
        hessians: for each group of the layer, H of what it gets to see, and of a column of ones
            for the bias.
        config: how.
        name: the layer's label, for errors.

    Returns:
        The layer, and: ``output_error``, eᵀHe summed over rows, the mean squared error that the
        codes cause at the outputs over the inputs of H; ``nearest_error``, the same for
        round-to-nearest on the same grid; ``lower_bound``, which no codes on this grid can
        undercut (of a row of which nothing is proven, 0); ``rows``, how many of them were
        searched for a proof, ``rows_searched``, and of how many the codes are proven optimal,
        ``rows_proven``.

    Raises:
        OctetError: weights that are not finite, or a range too wide for a float32.
    """
    weight, bias = parameters(layer, name)

    def place(shrink: Array | None) -> Lattice:
        chosen = grids.choose(weight, bias, config, shrink)
        return lattice(weight, chosen.weight, bias, chosen.bias)

    shrink, known = best_shrink(place, hessians, config) if _searched(config) else (None, None)
    chosen = grids.choose(weight, bias, config, shrink)
    codes, report = _round(place(shrink), hessians, config, known)
    bias_codes = as_codes(codes[:, -1], chosen.bias.bits)
    layer = replace(layer, bias=Quantized(bias_codes, chosen.bias))
    return _with_codes(layer, codes[:, :-1], chosen.weight), report


def for_integers(
    layer: Weighted, moments: Sequence[Moments], entering: Grid, config: Config, name: str
) -> tuple[Weighted, RoundingReport]:
    """The layer as `octet.runtime.integer` runs it: its weight in codes, its bias in int32.

    First, unless rounding is nearest, which takes each weight as it is, the weights become those
    that, on what the layer sees now, best give what it should; the report is of those. The
    bias has the scale of the input times that of the weight, far finer than the weight's own, so
    it can make good the mean of every error: b ← b - e·mean(x). The codes of the weight are chosen
    knowing that, by the covariance of the inputs.

    Args:
        layer: weight ``(rows, …)`` and bias ``(rows,)``, in float.
        moments: for each group of the layer, of what it sees, in steps of ``entering``, and should
            give.
        entering: the grid of its input.
        config: how.
        name: the layer's label, for errors.

    Returns:
        As `weights_only`, and ``largest_sum``: what no sum of this layer can exceed, whatever its
        input; below 2³¹, so int32 cannot overflow.

    Raises:
        OctetError: as `weights_only`; or the bias or a sum does not fit int32.
    """
    step = float(entering.scale)
    covariances = Hessians([group.covariance(step) for group in moments])
    weight, bias = parameters(layer, name)
    if regressed(config):
        weight, bias = _regression(moments, weight, step)

    def choose(shrink: Array | None) -> Grid:
        grid = grids.choose(weight, bias, config, shrink).weight
        return _wide_enough(grid, bias, step) if isinstance(config.range, str) else grid

    def place(shrink: Array | None) -> Lattice:
        return lattice(weight, choose(shrink))

    shrink, known = best_shrink(place, covariances, config) if _searched(config) else (None, None)
    rows, grid = place(shrink), choose(shrink)
    codes, report = _round(rows, covariances, config, known)
    means = np.stack([step * group.first / group.count for group in moments])
    mean = np.repeat(means, len(weight) // len(moments), axis=0)
    corrected = bias - np.sum(rows.errors(codes) * mean, axis=1)
    layer = replace(layer, bias=_int32(corrected, entering, grid, config, name))
    layer = _with_codes(layer, codes, grid)
    if (largest := layer.largest_sum(entering)) >= _INT32:
        raise OctetError(f"layer {name}: sums up to {largest} do not fit int32; take fewer inputs")
    return layer, {**report, "largest_sum": largest}


def regressed(config: Config) -> bool:
    """Whether `for_integers` first looks for better weights: nearest takes each as it is."""
    return config.rounding != "nearest"


def _regression(moments: Sequence[Moments], weight: Array, step: float) -> tuple[Array, Array]:
    """The weights and biases of all groups by `Moments.regression`."""
    groups = zip(moments, np.split(weight, len(moments)), strict=True)
    weights, biases = zip(*(group.regression(part, step) for group, part in groups), strict=True)
    return np.concatenate(weights), np.concatenate(biases)


def _wide_enough(grid: Grid, bias: Array, step: float) -> Grid:
    """The grid with scales at which the bias has less than 2³⁰ steps.

    Only the weights of a dead output, beside whose bias they are nothing, need a wider scale than
    they have; their codes then are those of 0.
    """
    least = np.abs(bias) / (step * 2.0**30)
    least = least.max() if grid.scale.shape[-2:] in ((), (1, 1)) else least[:, None]
    scale = np.maximum(grid.scale, least.astype(np.float32))
    return Grid(np.asarray(scale), grid.zero_point, grid.bits)


def _int32(bias: Array, entering: Grid, weight: Grid, config: Config, name: str) -> Int32:
    scale = entering.scale.astype(np.float64) * weight.scale.astype(np.float64).reshape(-1)
    codes = np.rint(bias / scale)
    if (largest := float(np.max(np.abs(codes)))) >= _INT32:
        cure = "set quant.granularity: per_tensor"
        if not isinstance(config.range, str):
            cure = f"quant.range: got {list(config.range)}; widen it, or set it to minmax or mse"
        raise OctetError(
            f"layer {name}: bias: got {largest:.3g} steps of its sums; allowed are 2^31: {cure}"
        )
    return Int32(codes.astype(np.int32), np.broadcast_to(scale, bias.shape))


def parameters(layer: Weighted, name: str) -> tuple[Array, Array]:
    """Weight ``(rows, inputs)`` and bias ``(rows,)`` of a layer.

    Raises:
        OctetError: a value is not finite, or the weights are of no trained layer.
    """
    weight, bias = values(layer.weight), values(layer.bias)
    refuse_not_finite(weight, f"layer {name}: weight")
    refuse_not_finite(bias, f"layer {name}: bias")
    # All zero, or several and all the same: nothing was learnt.
    if not np.any(weight) or (weight.size > 1 and np.all(weight == weight.flat[0])):
        raise OctetError(
            f"layer {name}: weight: got {weight.flat[0]:g} for every one of {weight.size}; "
            "allowed is a trained layer, whose weights differ: train it again"
        )
    return weight.reshape(len(weight), -1), bias


def _searched(config: Config) -> bool:
    """Per parameter, a range ends at its only weight and loses nothing: nothing to search for."""
    return config.range == "mse" and config.granularity != "per_parameter"


def _round(
    rows: Lattice, hessians: Hessians, config: Config, known: Rounded | None
) -> tuple[Integers, RoundingReport]:
    """Codes, and their report; ``known`` is what the rounding gives, if that is known already."""
    rounded = known or round_rows(rows, hessians, config.rounding)
    certificates = rounded.certificates
    return rounded.codes, {
        "output_error": float(np.sum(hessians.lost(rows.errors(rounded.codes)))),
        "nearest_error": float(np.sum(hessians.lost(rows.errors(nearest(rows))))),
        "lower_bound": sum(certificate.bound for certificate in certificates),
        "rows": len(rounded.codes),
        "rows_searched": len(certificates),
        "rows_proven": sum(certificate.proven for certificate in certificates),
    }


def _with_codes(layer: Weighted, codes: Integers, grid: Grid) -> Weighted:
    """Codes ``(rows, inputs)`` on a grid for rows, in the shape of the layer's weight."""
    shape = values(layer.weight).shape
    in_shape = as_codes(codes.reshape(shape), grid.bits)
    if grid.scale.ndim == 0:
        return replace(layer, weight=Quantized(in_shape, grid))
    each = (*grid.scale.shape[:1], *[1] * (len(shape) - 1))
    if grid.scale.size == codes.size:
        each = shape
    grid = Grid(grid.scale.reshape(each), grid.zero_point.reshape(each), grid.bits)
    return replace(layer, weight=Quantized(in_shape, grid))
