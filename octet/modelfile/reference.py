"""Reference statistics in a model file: what rows were like that the model had not been trained on.

They are counts in bins, for `octet.monitor`. Predictions do not depend on them, a file need not
have them, and those of the first edition have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.errors import OctetError, printable
from octet.layers import Gridded, Quantize
from octet.modelfile.arrays import AnyArray
from octet.modelfile.fields import FileArrays, require, whole
from octet.network import Network, label, signals
from octet.signature import Classes, Columns, Images, Signature

# What a number of a row may be of, in the order in which people are told.
INPUTS, CLIPPING, OUTPUTS = "inputs", "clipping", "outputs"
DISAGREEMENT, ERRORS = "disagreement", "errors"
GROUPS = (INPUTS, CLIPPING, OUTPUTS, DISAGREEMENT, ERRORS)
# Of all numbers of a row, and of the bins of one.
MOST_SUMMARIES, MOST_BINS = 1000, 32
_LARGEST_COUNT = 2**32 - 1


@dataclass(frozen=True)
class Summary:
    """A number of a row, and how often it fell into which bin on the reference rows.

    The bins of numbers are, with points p_1 < … < p_k: below p_1, from p_1 to below p_2, …, from
    p_k on; and, behind these, what stands for a gap in a column that may have gaps. The bins of
    categories are p_1, …, p_k, the indices of some of them, and all others.

    Attributes:
        group: what it is of, one of `GROUPS`.
        name: of the column, layer or else, by which the group tells it apart.
        points: ``(k,)``, rising.
        categories: whether the number is the index of a category.
        gap: the number that stands for a gap.
        counts: ``(bins,)``, int64; their sum is the number of rows.
    """

    group: str
    name: str
    points: Array
    categories: bool
    gap: float | None
    counts: npt.NDArray[np.int64]

    def bins(self, numbers: Array) -> npt.NDArray[np.int64]:
        """Into which bin each number falls, ``(rows,)``; NaN is as large as can be."""
        if self.categories:
            places = np.searchsorted(self.points, numbers)
            known = np.append(self.points, np.nan)[places] == numbers
            return np.where(known, places, len(self.points)).astype(np.int64)
        # Few points are all compared sooner than searched.
        below = np.add.reduce(numbers < self.points[:, None], axis=0, dtype=np.uint8)
        places = len(self.points) - below.astype(np.int64)
        if self.gap is not None:
            places = np.where(numbers == self.gap, len(self.points) + 1, places)
        return places.astype(np.int64)


@dataclass(frozen=True)
class Reference:
    """All that a model file knows of rows, each summary of every row."""

    summaries: tuple[Summary, ...]

    @property
    def rows(self) -> int:
        """How many were counted."""
        return int(self.summaries[0].counts.sum())


def dump_reference(reference: Reference) -> tuple[dict[str, dict[str, int]], dict[str, AnyArray]]:
    """For the header, how many points each summary has, by group and name; and the arrays.

    All points and all counts follow each other in the order of groups and names, as sorted. Points
    are stored in float32 if that holds them.
    """
    ordered = sorted(reference.summaries, key=lambda one: (one.group, one.name))
    header: dict[str, dict[str, int]] = {}
    for one in ordered:
        header.setdefault(one.group, {})[one.name] = len(one.points)
    points = np.concatenate([one.points for one in ordered])
    with np.errstate(over="ignore"):
        singles = points.astype(np.float32)
    counts = np.concatenate([one.counts for one in ordered])
    narrow = np.uint16 if counts.max() < 2**16 else np.uint32
    return header, {
        "reference.points": singles if np.all(singles == points) else points,
        "reference.counts": counts.astype(narrow),
    }


def load_reference(
    spec: Mapping[str, Mapping[str, object]], file: FileArrays, signature: Signature
) -> Reference:
    """The statistics of which `dump_reference` gave these.

    Raises:
        AttributeError, OctetError, TypeError, ValueError: something is not what it should be.
    """
    if unknown := [*spec.keys() - {*GROUPS}]:
        raise OctetError(f"reference: got {unknown[0]!r}; allowed are {', '.join(GROUPS)}")
    sizes = {
        (group, name): whole(size, 0)
        for group, names in sorted(spec.items())
        for name, size in sorted(names.items())
    }
    if not 1 <= len(sizes) <= MOST_SUMMARIES:
        raise OctetError(
            f"reference: got {len(sizes)} summaries; allowed are 1 to {MOST_SUMMARIES}"
        )
    kinds = {key: kind_of(*key, signature) for key in sizes}
    widths = [size + 1 + (kinds[key][1] is not None) for key, size in sizes.items()]
    require(max(widths) <= MOST_BINS, f"reference: allowed are up to {MOST_BINS} bins")
    points = file.reals("reference.points", (sum(sizes.values()),), np.float32, np.float64)
    allowed = f"({sum(widths)},)"
    counts = file.take(
        "reference.counts", (np.uint16, np.uint32), (sum(widths),).__eq__, allowed
    ).astype(np.int64)
    reals = np.split(points.astype(np.float64), np.cumsum([*sizes.values()])[:-1])
    each = np.split(counts, np.cumsum(widths)[:-1])
    summaries = tuple(
        Summary(*key, points, *kinds[key], counts)
        for key, points, counts in zip(sizes, reals, each, strict=True)
    )
    _refuse_contradictions(summaries)
    return Reference(tuple(sorted(summaries, key=lambda one: GROUPS.index(one.group))))


def kind_of(group: str, name: str, signature: Signature) -> tuple[bool, float | None]:
    """Whether the number is the index of a category, and what stands for a gap."""
    if group == OUTPUTS:
        return isinstance(signature.outputs, Classes), None
    if group == INPUTS and isinstance(signature.inputs, Columns):
        for column in signature.inputs.columns:
            if column.name == name:
                gap = None if isinstance(column.missing, str) else column.missing
                return bool(column.categories), gap
    return False, None


def refuse_other_names(reference: Reference, network: Network) -> None:
    """Raise an OctetError if a summary is of nothing that the network has."""
    inputs, target = network.signature.inputs, network.signature.outputs.column
    allowed = {
        INPUTS: {"mean", "contrast"},
        CLIPPING: {
            label(network.layers, i)
            for i, (layer, signal) in enumerate(zip(network.layers, signals(network), strict=True))
            if signal.grid is not None and isinstance(layer, Quantize | Gridded)
        },
    }
    if isinstance(inputs, Columns):
        allowed[INPUTS] |= {column.name for column in inputs.columns}
    elif isinstance(inputs, Images):
        allowed[INPUTS] |= {"black", "white"}
    for one in reference.summaries:
        require(
            one.name in allowed.get(one.group, {target}),
            f"reference: {one.group}: got {printable(one.name)!r}, which the network has not; a "
            "damaged model file: make it again",
        )


def _refuse_contradictions(summaries: tuple[Summary, ...]) -> None:
    rows = {int(one.counts.sum()) for one in summaries}
    require(
        len(rows) == 1 and 0 < min(rows) <= _LARGEST_COUNT,
        "reference.counts: each summary counts every row, one or more",
    )
    rising = all(np.all(np.diff(one.points) > 0) for one in summaries)
    require(rising, "reference.points: those of a summary must rise")
