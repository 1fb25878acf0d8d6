"""Rows on their way through a network, kept on disk so that memory does not grow with them."""

import tempfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from octet.affine import Array
from octet.layers import Layer
from octet.network import sources
from octet.signature import Input

_TOGETHER = 50


def batches(x: Input) -> Iterator[Array]:
    """The rows in float64, some at a time."""
    for i in range(0, len(x), _TOGETHER):
        yield x[i : i + _TOGETHER].astype(np.float64)


class Spool:
    """What layers so far give for each of the rows; of those alone that another layer needs yet."""

    def __init__(self, rows: Input, layers: Sequence[Layer], step: Callable[..., Array]) -> None:
        """Begin in front of the first layer.

        Args:
            rows: ``(rows, …)``.
            layers: of a network. They may be replaced while the rows are in front of them.
            step: of a layer and of what goes into it, what comes out.
        """
        self._layers, self._step, self._sources = layers, step, sources(layers)
        self._rows, self._next = len(rows), 0
        self._stored: dict[int, Input] = {-1: rows}

    def outputs(self, place: int) -> Iterator[Array]:
        """What the layer at a place gives, -1 for the rows themselves; some rows at a time."""
        return batches(self._stored[place])

    def advance(self, stop: int, keep: int | None = None) -> None:
        """Let the rows go through the layers before ``stop``.

        Args:
            stop: the index of the first layer that they do not go through yet.
            keep: the place of outputs that are wanted, whether a layer needs them or not.
        """
        needed = {place for places in self._sources[stop:] for place in places if place < stop}
        needed |= {keep} if keep is not None else set()
        files: dict[int, Input] = {}
        for first in range(0, self._rows, _TOGETHER):
            together = slice(first, first + _TOGETHER)
            alive = {place: x[together].astype(np.float64) for place, x in self._stored.items()}
            for i in range(self._next, stop):
                taken = (alive[place] for place in self._sources[i])
                alive[i] = self._step(self._layers[i], *taken)
            for place in needed - self._stored.keys():
                if place not in files:
                    files[place] = _on_disk((self._rows, *alive[place].shape[1:]))
                files[place][together] = alive[place]
        stored = self._stored | files
        self._stored = {place: stored[place] for place in needed if place in stored}
        self._next = stop


def _on_disk(shape: tuple[int, ...]) -> Array:
    """An array in a file that the system deletes when the last holder is gone: NumPy holds it."""
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.float64, "w+", shape=shape)
