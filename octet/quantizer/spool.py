"""Rows on their way through a network, kept on disk so that memory does not grow with them."""

import tempfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.layers import Layer, Value
from octet.network import sources
from octet.parameters import Quantized
from octet.signature import Input

_TOGETHER = 50
_Rows = Input | Quantized


def batches(x: Input) -> Iterator[Array]:
    """The rows in float64, some at a time."""
    for together in _parts(len(x)):
        yield x[together].astype(np.float64)


class Spool:
    """What layers so far give for each of the rows; of those alone that another layer needs yet.

    What comes in codes is kept in codes, an eighth of the bytes.
    """

    def __init__(self, rows: Input, layers: Sequence[Layer], step: Callable[..., Value]) -> None:
        """Begin in front of the first layer.

        Args:
            rows: ``(rows, …)``.
            layers: of a network. They may be replaced while the rows are in front of them.
            step: of a layer and of what goes into it, what comes out.
        """
        self._layers, self._step, self._sources = layers, step, sources(layers)
        self._rows, self._next = len(rows), 0
        self._stored: dict[int, _Rows] = {-1: rows}

    def outputs(self, place: int) -> Iterator[Value]:
        """What the layer at a place gives, -1 for the rows themselves; some rows at a time."""
        for together in _parts(self._rows):
            yield _read(self._stored[place], together)

    def advance(self, stop: int, keep: int | None = None) -> None:
        """Let the rows go through the layers before ``stop``.

        Args:
            stop: the index of the first layer that they do not go through yet.
            keep: the place of outputs that are wanted, whether a layer needs them or not.
        """
        needed = {place for places in self._sources[stop:] for place in places if place < stop}
        needed |= {keep} if keep is not None else set()
        files: dict[int, _Rows] = {}
        for together in _parts(self._rows):
            alive = {place: _read(rows, together) for place, rows in self._stored.items()}
            for i in range(self._next, stop):
                taken = (alive[place] for place in self._sources[i])
                alive[i] = self._step(self._layers[i], *taken)
            for place in needed - self._stored.keys():
                if place not in files:
                    files[place] = _on_disk(self._rows, alive[place])
                _numbers(files[place])[together] = _numbers(alive[place])
        stored = self._stored | files
        self._stored = {place: stored[place] for place in needed if place in stored}
        self._next = stop


def _read(stored: _Rows, together: slice) -> Value:
    if isinstance(stored, Quantized):
        return Quantized(stored.codes[together], stored.grid)
    return stored[together].astype(np.float64)


def _numbers(rows: _Rows) -> npt.NDArray[np.number]:
    return rows.codes if isinstance(rows, Quantized) else rows


def _on_disk(count: int, like: Value) -> Value:
    """Rows in a file that the system deletes when the last holder is gone: NumPy holds it."""
    shape = count, *_numbers(like).shape[1:]
    with tempfile.TemporaryFile() as file:
        if isinstance(like, Quantized):
            return Quantized(np.memmap(file, like.codes.dtype, "w+", shape=shape), like.grid)
        return np.memmap(file, np.float64, "w+", shape=shape)


def _parts(rows: int) -> Iterator[slice]:
    for first in range(0, rows, _TOGETHER):
        yield slice(first, first + _TOGETHER)
