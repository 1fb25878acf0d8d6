"""What every layer with weights sees and should give, from the first of a network to the last."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from octet.affine import Array, Grid, refuse_not_finite
from octet.blocks import release
from octet.errors import OctetError
from octet.layers import Gridded, Layer, Quantize, Value, Weighted, in_reals, integers
from octet.layers.windows import Number
from octet.network import Network, flow, label, signals, sources
from octet.parameters import Quantized, shape_of
from octet.quantizer.hessian import Hessians, Moments, in_halves, moments, product_sums
from octet.quantizer.spool import Spool
from octet.runtime import floating
from octet.signature import Input

# From a layer, its index, the moments of what each of its groups sees and should give, and the
# grid of what it sees, to what stands in its place.
Treatment = Callable[[Weighted, int, list[Moments], Grid], Weighted]


def walk(
    network: Network,
    rows: Input,
    treatments: Sequence[Treatment],
    step: Callable[..., Value],
    with_targets: bool,
) -> list[tuple[Layer, ...]]:
    """Put one layer with weights after the other through a treatment.

    Each sees what those before it give by then, and should give what it gives in float.

    Args:
        network: with its activations on grids, its weights in float.
        rows: the calibration rows.
        treatments: what to do with a layer. They have nothing to do with each other, but share
            what the layers should give.
        step: how a layer gives what the next one sees: `integer.step` where each is in codes when
            it has been treated, `floating.step` where its weights stay in float.
        with_targets: take the moments of what it should give, too.

    Returns:
        The layers that come of each treatment.
    """
    taken = sources(network.layers)
    treated = [list(network.layers) for _ in treatments]
    actual = [Spool(rows, layers, step) for layers in treated]
    in_float = Spool(rows, network.layers, _without_grids)
    for i, layer, entering in _on_grids(network):
        (place,) = taken[i]
        for spool in actual:
            spool.advance(i)
        targets: Iterator[list[Array | None]] = itertools.repeat([None] * layer.group_count)
        if with_targets:
            in_float.advance(i + 1, keep=i)
            targets = (_outputs(layer, in_reals(y)) for y in in_float.outputs(i))
        seen = zip(*(spool.outputs(place) for spool in actual), strict=True)
        moments_of = _moments(layer, entering, len(treatments), seen, targets)
        for layers, treat, of_groups in zip(treated, treatments, moments_of, strict=True):
            layers[i] = treat(layer, i, of_groups, entering)
    return [tuple(layers) for layers in treated]


def _moments(
    layer: Weighted,
    entering: Grid,
    treatments: int,
    seen: Iterable[tuple[Value, ...]],
    targets: Iterable[list[Array | None]],
) -> list[list[Moments]]:
    """The moments of each group of a layer in each treatment.

    Args:
        layer: it.
        entering: the grid of what it sees.
        treatments: how many.
        seen: what it sees of some rows in each of them.
        targets: what each group should give for the same rows.
    """
    of_treatments = [
        [_no_moments(layer) for _ in range(layer.group_count)] for _ in range(treatments)
    ]
    for values, wanted in zip(seen, targets, strict=False):
        for of_groups, x in zip(of_treatments, values, strict=True):
            inputs_of = _inputs(layer, _steps(x, entering))
            for group, inputs, y in zip(of_groups, inputs_of, wanted, strict=True):
                group.add(inputs, y)
    return of_treatments


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


def _steps(x: Value, grid: Grid) -> npt.NDArray[np.number]:
    """What stands on a grid, in codes or in reals, as whole numbers of its steps."""
    if isinstance(x, Quantized):
        return integers.centred(x.codes, grid)
    return np.rint(x / grid.scale.astype(np.float64)).astype(np.float32)


def _no_moments(layer: Weighted) -> Moments:
    inputs = int(np.prod(shape_of(layer.weight)[1:]))
    return Moments(inputs, layer.outputs // layer.group_count)


def _inputs(layer: Weighted, x: npt.NDArray[Number]) -> list[npt.NDArray[Number]]:
    """What each group of a layer sees of rows, ``(inputs, rows · positions)``."""
    seen = layer.patches(x)
    return list(seen.reshape(*seen.shape[:2], -1))


def _outputs(layer: Weighted, y: Array) -> list[Array | None]:
    """What each group of a layer gives for rows, ``(outputs, rows · positions)``."""
    return [*np.split(y.swapaxes(0, 1).reshape(layer.outputs, -1), layer.group_count)]
