"""Predict rows as they come: what a network gives for each, in constant memory."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from octet import inference, rows_arrays, rows_csv, windows
from octet.errors import OctetError
from octet.network import Array, Columns, Input, Network, Signature
from octet.rows import Batch, Rows, Truth


@dataclass(frozen=True)
class Predicted:
    """What a network gives for rows that follow each other.

    Attributes:
        outputs: ``(rows, outputs)``.
        truth: ``(rows,)``, the target or the index of the class, where known.
        skipped: the rows between these that could not be used, each with its place and reason.
        share: of the input, how much has been read, from 0 to 1; None where nobody knows.
    """

    outputs: Array
    truth: Truth | None
    skipped: tuple[str, ...]
    share: float | None


@contextlib.contextmanager
def opened(path: Path | None, signature: Signature, with_truth: bool) -> Iterator[Rows]:
    """The rows of a file, or those that come as CSV through standard input.

    ``with_truth`` asks for what is true of them too, where the file has it.

    Raises:
        OctetError, OSError: as `rows_csv.read`, `rows_arrays.read_npy` and
            `rows_arrays.read_safetensors`.
    """
    if path is not None and path.suffix == ".npy":
        yield rows_arrays.read_npy(path, signature)
    elif path is not None and path.suffix == ".safetensors":
        yield rows_arrays.read_safetensors(path, signature, with_truth)
    else:
        with open(0 if path is None else path, "rb", closefd=path is not None) as stream:
            name = "standard input" if path is None else str(path)
            yield rows_csv.read(stream, name, signature, with_truth)


def predict(network: Network, rows: Rows, skip: bool) -> Iterator[Predicted]:
    """Outputs, batch by batch.

    Args:
        network: whose signature the rows have.
        rows: their batches are read as they are needed.
        skip: go on behind a row that cannot be used.

    Raises:
        OctetError: a row cannot be used, and is not to be skipped; all before it have been given.
    """
    for batch in rows.batches:
        usable = _without(batch, _unusable(batch, network.signature))
        try:
            outputs = _outputs(network, usable.x)
        except (OctetError, FloatingPointError):
            usable = _without(usable, _too_large(network, usable))
            outputs = _outputs(network, usable.x)
        bad = [f"{rows.place} {place}: {usable.bad[place]}" for place in sorted(usable.bad)]
        if bad and not skip:
            before = usable.places < min(usable.bad)
            truth = None if usable.truth is None else usable.truth[before]
            yield Predicted(outputs[before], truth, (), usable.share)
            raise OctetError(bad[0])
        yield Predicted(outputs, usable.truth, tuple(bad), usable.share)


def _outputs(network: Network, x: Input) -> Array:
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        return inference.run(network, x)


def _unusable(batch: Batch, signature: Signature) -> dict[int, str]:
    """By place, the rows with a number that is none or that the network was not made for."""
    flat = windows.flatten(batch.x)
    problems = {
        "got NaN or an infinity; every value must be finite": ~np.isfinite(flat).all(axis=1)
    }
    if not isinstance(signature, Columns):
        beyond = ((flat < 0) | (flat > signature.white)).any(axis=1)
        problems[f"got a pixel outside 0 … {signature.white}"] = beyond
    if batch.truth is not None:
        known = np.isfinite(batch.truth)
        if not isinstance(signature, Columns):
            known &= np.isin(batch.truth, np.arange(len(signature.classes)))
        problems["what is true of it is not a number, or not that of a class"] = ~known
    return {
        place: problem
        for problem, rows in problems.items()
        for place in batch.places[rows].tolist()
    }


def _too_large(network: Network, batch: Batch) -> dict[int, str]:
    """By place, the rows whose numbers leave what floats or the integers' scale can hold."""
    found: dict[int, str] = {}
    for i, place in enumerate(batch.places.tolist()):
        try:
            _outputs(network, batch.x[i : i + 1])
        except (OctetError, FloatingPointError):
            found[place] = "its numbers are too large or too small for this model"
    return found


def _without(batch: Batch, bad: Mapping[int, str]) -> Batch:
    if not bad:
        return batch
    good = np.isin(batch.places, [*bad], invert=True)
    truth = None if batch.truth is None else batch.truth[good]
    return Batch(batch.places[good], batch.x[good], truth, {**batch.bad, **bad}, batch.share)
