"""What every layer with weights sees and should give, from the first of a network to the last."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from octet.affine import Array, Grid, refuse_not_finite
from octet.blocks import release
from octet.errors import OctetError
from octet.layers import Gridded, Layer, Quantize, Weighted
from octet.network import Network, flow, label, signals, sources
from octet.parameters import shape_of
from octet.quantizer.hessian import Hessians, Moments, in_halves, moments, product_sums
from octet.quantizer.spool import Spool
from octet.runtime import floating
from octet.signature import Input

# From a layer, its index, the moments of what each of its groups sees and should give, and the
# grid of what it sees, to what stands in its place.
Treatment = Callable[[Weighted, int, list[Moments], Grid], Weighted]


def walk(network: Network, rows: Input, treat: Treatment, with_targets: bool) -> tuple[Layer, ...]:
    """Put one layer with weights after the other through ``treat``.

    Each sees what those before it give by then, and should give what it gives in float.

    Args:
        network: with its activations on grids, its weights in float.
        rows: the calibration rows.
        treat: what to do with a layer.
        with_targets: take the moments of what it should give, too.
    """
    layers, taken = list(network.layers), sources(network.layers)
    actual = Spool(rows, layers, floating.step)
    in_float = Spool(rows, network.layers, _without_grids)
    for i, layer, entering in _on_grids(network):
        (place,) = taken[i]
        actual.advance(i)
        of_groups = [_no_moments(layer) for _ in range(layer.group_count)]
        targets: Iterator[list[Array | None]] = itertools.repeat([None] * len(of_groups))
        if with_targets:
            in_float.advance(i + 1, keep=i)
            targets = (_outputs(layer, y) for y in in_float.outputs(i))
        for x, wanted in zip(actual.outputs(place), targets, strict=False):
            steps = np.rint(x / entering.scale.astype(np.float64))
            for group, inputs, y in zip(of_groups, _inputs(layer, steps), wanted, strict=True):
                group.add(inputs, y)
        layers[i] = treat(layer, i, of_groups, entering)
    return tuple(layers)


def hessians(network: Network, rows: Input) -> dict[int, Hessians]:
    """Of each layer with weights, for each of its groups: H of what enters it in float.

    Args:
        network: in float.
        rows: ``(rows, …)``; they pass in parts, so memory does not grow with them.

    Raises:
        OctetError: numbers whose squares overflow; the layer is named.
    """

    def of_part(part: slice) -> dict[int, Array]:
        sums = _squares(network, rows[part].astype(np.float64))
        release(rows)
        return sums

    sums = in_halves(of_part, slice(0, len(rows)))
    return {i: Hessians([moments(each) for each in groups]) for i, groups in sums.items()}


def _squares(network: Network, rows: Array) -> dict[int, Array]:
    """Of each layer with weights, for each of its groups, `product_sums` ``(groups, …)``."""
    taken = sources(network.layers)
    alive = {-1: rows}
    needed = {taken[i][0] for i, layer in enumerate(network.layers) if isinstance(layer, Weighted)}
    alive |= {i: x for i, x in flow(network.layers, rows, floating.step) if i in needed}
    sums = {}
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted):
            sums[i] = _squares_of(layer, alive[taken[i][0]], label(network.layers, i))
    return sums


def _squares_of(layer: Weighted, x: Array, name: str) -> Array:
    refuse_not_finite(x, f"layer {name}: inputs")
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.stack([product_sums(inputs.T) for inputs in _inputs(layer, x)])
    if not np.all(np.isfinite(sums)):
        raise OctetError(
            f"layer {name}: inputs: got up to {np.max(np.abs(x)):g}; allowed is what can be "
            "squared and summed: rescale the features"
        )
    return sums


def _without_grids(layer: Layer, *x: Array) -> Array:
    """What comes out of a layer of a float network."""
    if isinstance(layer, Gridded):
        return layer.unrounded(*x)
    return x[0] if isinstance(layer, Quantize) else layer.reals(*x)


def _on_grids(network: Network) -> Iterator[tuple[int, Weighted, Grid]]:
    """Each layer with weights, its index, and the grid of what enters it."""
    leaving, taken = signals(network), sources(network.layers)
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted):
            grid = leaving[taken[i][0]].grid
            if grid is not None:
                yield i, layer, grid


def _no_moments(layer: Weighted) -> Moments:
    inputs = int(np.prod(shape_of(layer.weight)[1:]))
    return Moments(inputs, layer.outputs // layer.group_count)


def _inputs(layer: Weighted, x: Array) -> list[Array]:
    """What each group of a layer sees of rows, ``(inputs, rows · positions)``."""
    seen = layer.patches(x)
    return list(seen.reshape(*seen.shape[:2], -1))


def _outputs(layer: Weighted, y: Array) -> list[Array | None]:
    """What each group of a layer gives for rows, ``(outputs, rows · positions)``."""
    return [*np.split(y.swapaxes(0, 1).reshape(layer.outputs, -1), layer.group_count)]
