"""Rows on their way through a network, kept on disk so that memory does not grow with them."""

import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

from octet.affine import Array
from octet.layers import Layer
from octet.runtime import floating
from octet.signature import Input

_TOGETHER = 50


def batches(x: Input) -> Iterator[Array]:
    """The rows in float64, some at a time."""
    for i in range(0, len(x), _TOGETHER):
        yield x[i : i + _TOGETHER].astype(np.float64)


class Spool:
    """What the layers so far give for each of the rows."""

    def __init__(self, x: Input) -> None:
        self._rows = x

    def __iter__(self) -> Iterator[Array]:
        return batches(self._rows)

    def advance(self, layers: Sequence[Layer]) -> None:
        """Let the rows go through these layers."""
        if not layers:
            return
        done = 0
        outputs: Array | None = None
        for batch in self:
            batch_outputs = floating.through(layers, batch)
            if outputs is None:
                # NumPy holds the file open, and the system deletes it when the last holder is gone.
                with tempfile.TemporaryFile() as file:
                    shape = (len(self._rows), *batch_outputs.shape[1:])
                    outputs = np.memmap(file, np.float64, "w+", shape=shape)
            outputs[done : done + len(batch_outputs)] = batch_outputs
            done += len(batch_outputs)
        if outputs is not None:
            self._rows = outputs
