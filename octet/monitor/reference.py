"""What is watched of each row, and the reference: the same of rows that the model never saw.

Of every row a few numbers are taken, each of which falls into one of some bins:

* inputs: each column of a table; of images and other arrays their mean, their contrast (the
  standard deviation of a row's numbers) and, of images, the share of black and of white pixels;
* clipping: for each layer that rounds to codes, how many of a row's are at an end of their range
  (that stands for the real 0, where ReLU clips, is none);
* outputs: the predicted class, or the prediction;
* disagreement, with the float network: whether it predicts another class, or how far it is off;
* errors, where the truth is known: whether the class is wrong, or how far the prediction is off.

The points between bins come from rows that the model was trained on, and the counts from others,
so that the counts tell nothing of the points. Until something changes, the bins of later rows are
then drawn from the same distribution as the reference's: what a test needs. No point is the value
of a row, no bin ends at the smallest or largest, and there are fewer bins where there are few rows.

Every sum is of whole numbers or in a fixed order, so that bins are the same on every CPU.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Gridded, Quantize, in_reals
from octet.modelfile.arrays import AnyArray
from octet.modelfile.reference import (
    CLIPPING,
    DISAGREEMENT,
    ERRORS,
    INPUTS,
    OUTPUTS,
    Reference,
    Summary,
    kind_of,
)
from octet.network import Network, label, signals
from octet.parameters import Quantized
from octet.runtime import floating, inference, integer
from octet.signature import Classes, Columns, Images, Input, Inputs

Key = tuple[str, str]  # group and name
Numbers = dict[Key, Array]
Truth = npt.NDArray[np.number]

_MOST_POINTS = 15
# Shares of rows below the lowest points, and above the highest, where rows are many enough: at the
# ends of a column one sees that its scale has changed.
_ENDS = np.array([0.005, 0.02, 0.06])
_ROWS_A_BIN = 10  # expected on the reference rows, and the least of the training rows
FEWEST_ROWS = 2 * _ROWS_A_BIN  # of two bins: one alone tells nothing
_TOGETHER = 1000  # rows
_FITTED = 2000  # training rows that are enough to place points
_MOST_COLUMNS = 200  # of a table; a wider one is watched as an array is
_MOST_CLIPPED = 8  # points: powers of 4


def take_reference(
    network: Network,
    trained: tuple[Input, Truth | None],
    held_out: tuple[Input, Truth | None],
    in_float: Network | None = None,
) -> Reference:
    """The reference statistics of a network.

    Args:
        network: as it will run.
        trained: rows that it was made of, ``(rows, …)``, and their targets or labels, if known.
        held_out: others, that it was neither trained nor calibrated on.
        in_float: what it was made of, for `DISAGREEMENT`.

    Raises:
        OctetError: there is no row of one of these, or as `octet.runtime.floating.run`.
    """
    (fitted, truth), step = trained, max(1, len(trained[0]) // _FITTED)
    if not len(fitted) or not len(held_out[0]):
        raise OctetError("got no rows for reference statistics; allowed are one or more of each")
    some = (fitted[::step], None if truth is None else truth[::step])
    most = min(_MOST_POINTS, max(1, len(held_out[0]) // _ROWS_A_BIN - 1))
    of_trained = _concatenated([*_parts(network, *some, in_float)])
    summaries = [
        _empty(network, key, numbers, most)
        for key, numbers in of_trained.items()
        if held_out[1] is not None or key[0] != ERRORS
    ]
    for numbers in _parts(network, *held_out, in_float):
        summaries = [_counted(one, numbers[one.group, one.name]) for one in summaries]
    return Reference(tuple(summaries))


def run(network: Network, x: Input) -> tuple[Array, Numbers]:
    """Outputs ``(rows, outputs)``, as `octet.runtime.inference.run`, and the `CLIPPING` of each."""
    if not integer.is_integer(network):
        return inference.run(network, x), {}
    floating.refuse_input(network, x)
    outputs, clipped = list[Array](), list[Numbers]()
    for part in floating.batches(network, x):
        clipped.append({})
        for i, layer, value in integer.values(network, part):
            if isinstance(value, Quantized) and isinstance(layer, Quantize | Gridded):
                clipped[-1][CLIPPING, label(network.layers, i)] = _at_ends(value)
        outputs.append(in_reals(value))
    return np.concatenate(outputs), _concatenated(clipped)


def numbers_of_inputs(inputs: Inputs, x: Input) -> Numbers:
    """What is watched of rows before a network sees them."""
    if isinstance(inputs, Columns) and len(inputs.columns) <= _MOST_COLUMNS:
        return {(INPUTS, name): numbers for name, numbers in _columns(inputs, x)}
    flat = _flat(x)
    # By columns, so that it adds rows of numbers.
    columns = np.asfortranarray(flat).T.astype(np.float64)
    count = len(columns)
    with np.errstate(over="ignore", invalid="ignore"):
        total, squares = _sum(columns), _sum(columns * columns)
        spread = np.sqrt(np.maximum(squares * count - total * total, 0)) / count
    numbers = {(INPUTS, "mean"): total / count, (INPUTS, "contrast"): spread}
    if isinstance(inputs, Images):
        for name, end in (("black", 0), ("white", inputs.white)):
            numbers[INPUTS, name] = np.count_nonzero(flat == end, axis=1) / count
    return numbers


def numbers_of_outputs(network: Network, outputs: Array, truth: Truth | None) -> Numbers:
    """What is watched of predictions, and of their errors where the truth is known."""
    target = network.signature.outputs.column
    numbers = {(OUTPUTS, target): _answers(network, outputs)}
    if truth is not None:
        numbers[ERRORS, target] = _apart(network, outputs, truth.astype(np.float64))
    return numbers


def disagreement(network: Network, outputs: Array, in_float: Array) -> Numbers:
    """What is watched of the outputs of two networks for the same rows."""
    apart = _apart(network, outputs, _answers(network, in_float))
    return {(DISAGREEMENT, network.signature.outputs.column): apart}


def _answers(network: Network, outputs: Array) -> Array:
    """The predicted classes, or the predictions, ``(rows,)``."""
    if isinstance(network.signature.outputs, Classes):
        return np.asarray(np.argmax(outputs, axis=1), np.float64)
    first: Array = _flat(outputs)[:, 0]
    return first


def _apart(network: Network, outputs: Array, other: Array) -> Array:
    answers = _answers(network, outputs)
    if isinstance(network.signature.outputs, Classes):
        return np.asarray(answers != other, np.float64)
    with np.errstate(over="ignore"):
        apart: Array = np.abs(answers - other)
    return apart


def _parts(
    network: Network, x: Input, truth: Truth | None, in_float: Network | None
) -> Iterator[Numbers]:
    """All that is watched of rows, some at a time."""
    for start in range(0, len(x), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        outputs, clipped = run(network, x[part])
        true = None if truth is None else truth[part]
        yield {
            **numbers_of_inputs(network.signature.inputs, x[part]),
            **clipped,
            **numbers_of_outputs(network, outputs, true),
            **(
                disagreement(network, outputs, inference.run(in_float, x[part])) if in_float else {}
            ),
        }


def _concatenated(parts: list[Numbers]) -> Numbers:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _columns(inputs: Columns, x: Input) -> Iterator[tuple[str, Array]]:
    """What each column of a table has: the number, or the index of the category."""
    start = 0
    for column in inputs.columns:
        part = x[:, start : start + len(column.features)]
        start += len(column.features)
        if column.categories:
            yield column.name, part @ np.arange(1.0, len(column.categories))
        else:
            yield column.name, part[:, 0].astype(np.float64)


def _flat(rows: AnyArray) -> AnyArray:
    """The numbers of each row, ``(rows, numbers)``; there may be no rows."""
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))


def _at_ends(value: Quantized) -> Array:
    """How many codes of each row are at an end of the grid that does not stand for 0."""
    codes, clipped = value.codes, np.zeros(len(value.codes))
    for end in {0, value.grid.top} - {int(value.grid.zero_point)}:
        # As the codes lie in memory, of which rows may be the last axis.
        clipped += np.add.reduce(codes == end, axis=tuple(range(1, codes.ndim)), dtype=np.uint32)
    return clipped


def _sum(terms: Array) -> Array:
    """Of each column, always in the same order: halves are added until one is left."""
    while len(terms) > 1:
        half = len(terms) // 2
        rest = terms[2 * half :]
        terms = np.concatenate([terms[:half] + terms[half : 2 * half], rest])
    total: Array = terms[0]
    return total


def _empty(network: Network, key: Key, numbers: Array, most: int) -> Summary:
    """A summary with its points, in which nothing is counted yet."""
    (group, name), signature = key, network.signature
    categories, gap = kind_of(group, name, signature)
    if group == CLIPPING:
        most = _numbers_of(network, name)
        points = np.array([4.0**i for i in range(_MOST_CLIPPED) if 4**i <= most])
    elif group in (DISAGREEMENT, ERRORS) and isinstance(signature.outputs, Classes):
        points = np.array([0.5])
    elif categories:
        points = _most_frequent(numbers, most)
    else:
        ordered = np.sort(numbers if gap is None else numbers[numbers != gap])
        points = _quantiles(ordered, places(most))
    bins = len(points) + 1 + (gap is not None)
    return Summary(group, name, points, categories, gap, np.zeros(bins, np.int64))


def _counted(summary: Summary, numbers: Array) -> Summary:
    more = np.bincount(summary.bins(numbers), minlength=len(summary.counts))
    return replace(summary, counts=summary.counts + more)


def _numbers_of(network: Network, name: str) -> int:
    """How many numbers of a row come out of the layer with this label."""
    (shape,) = (
        signal.shape
        for i, signal in enumerate(signals(network))
        if label(network.layers, i) == name
    )
    return math.prod(shape)


def _most_frequent(indices: Array, most: int) -> Array:
    """The categories of which there are most, and not too few to tell anything."""
    categories, counts = np.unique(indices, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    kept: Array = np.sort(categories[order[counts[order] >= _ROWS_A_BIN]])
    return kept


def places(most: int) -> Array:
    """The shares of numbers below each point: alike, but finer at the ends if all points may be."""
    if most < _MOST_POINTS:
        return np.arange(1, most + 1) / (most + 1)
    middle = np.linspace(0.14, 0.86, most - 2 * len(_ENDS))
    return np.concatenate([_ENDS, middle, 1 - _ENDS[::-1]])


def _quantiles(ordered: Array, shares: Array) -> Array:
    """Points below which about these shares of numbers are, with no bin of too few."""
    points, last = list[float](), 0
    for place in (shares * len(ordered)).astype(int).tolist():
        # Before and behind those that are equal to it, for no point can part them.
        for side in ("left", "right"):
            cut = int(np.searchsorted(ordered, ordered[place], side=side))
            few = min(cut - last, len(ordered) - cut) < _ROWS_A_BIN
            if not few and len(points) < len(shares):
                points.append(_between(float(ordered[cut - 1]), float(ordered[cut])))
                last = cut
    return np.array(points)


def _between(low: float, high: float) -> float:
    """The number with fewest digits between two, which is neither if there is one that is not."""
    middle = low + (high - low) / 2
    for digits in range(1, 18):
        point = float(f"{middle:.{digits}g}")
        if low < (single := float(np.float32(point))) < high:
            return single
        if low < point < high:
            return point
    return high
