"""Predict rows as they come: what a network gives for each, in constant memory."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from octet.affine import Array
from octet.elementary import softmax
from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.network import Network, gives_probabilities
from octet.rows import arrays as rows_arrays
from octet.rows import csv as rows_csv
from octet.rows.batches import Batch, Rows, Truth
from octet.rows.csv import CSV, Dialect
from octet.runtime import inference
from octet.signature import Classes, Images, Input, Numbers, Signature

STANDARD_INPUT = Path("-")
Engine = Callable[[Input], Array]  # of rows, the outputs of a network


@dataclass(frozen=True)
class Predicted:
    """What a network gives for rows that follow each other.

    Attributes:
        places: ``(rows,)``, where each stands: its line in a file of text, its index in an array.
        x: ``(rows, …)``, what the network took.
        outputs: ``(rows, outputs)``.
        truth: ``(rows,)``, the target or the index of the class, where known.
        bad: the places of the rows between these that could not be used, in order.
        skipped: of each of them its place, in words, and the reason.
        share: of the input, how much has been read, from 0 to 1; None where nobody knows.
    """

    places: npt.NDArray[np.int64]
    x: Input
    outputs: Array
    truth: Truth | None
    bad: tuple[int, ...]
    skipped: tuple[str, ...]
    share: float | None


@contextlib.contextmanager
def opened(
    path: Path, signature: Signature, with_truth: bool, dialect: Dialect = CSV
) -> Iterator[Rows]:
    """The rows of a file, or for `STANDARD_INPUT` those that come from there as CSV.

    ``with_truth`` asks for their targets or labels too, where the file has them; ``dialect`` is how
    CSV is written.

    Raises:
        OctetError, OSError: as `rows_csv.read`, `rows_arrays.read_npy` and
            `rows_arrays.read_safetensors`, or it is none of these.
    """
    kind = path.suffix.lower()
    if kind == ".npy":
        yield rows_arrays.read_npy(path, signature)
    elif kind == ".safetensors":
        yield rows_arrays.read_safetensors(path, signature, with_truth)
    elif path.is_dir():
        raise OctetError(f"{path}: got a folder; allowed are CSV, .npy and .safetensors")
    else:
        piped = path == STANDARD_INPUT
        with open(0 if piped else path, "rb", closefd=not piped) as stream:
            name = "standard input" if piped else str(path)
            yield rows_csv.read(stream, name, signature, with_truth, dialect)


def predict(
    network: Network, rows: Rows, skip: bool, engine: Engine | None = None
) -> Iterator[Predicted]:
    """Outputs, batch by batch.

    Args:
        network: whose signature the rows have.
        rows: their batches are read as they are needed.
        skip: go on behind a row that cannot be used.
        engine: what runs it; without one, `inference.run`.

    Raises:
        OctetError: a row cannot be used, and is not to be skipped; all before it have been given.
    """
    run = partial(inference.run, network) if engine is None else engine
    for batch in rows.batches:
        usable = _without(batch, unusable(batch, network.signature))
        try:
            outputs = _outputs(run, usable.x)
        except (OctetError, FloatingPointError):
            usable = _without(usable, _too_large(run, usable))
            outputs = _outputs(run, usable.x)
        bad = sorted(usable.bad)
        problems = tuple(f"{rows.named(place)}: {usable.bad[place]}" for place in bad)
        if bad and not skip:
            before = usable.places < bad[0]
            good = _part(usable, before)
            yield Predicted(good.places, good.x, outputs[before], good.truth, (), (), good.share)
            raise OctetError(problems[0])
        yield Predicted(
            usable.places, usable.x, outputs, usable.truth, tuple(bad), problems, usable.share
        )


def probabilities(network: Network, outputs: Array) -> Array:
    """The probability of each class, ``(rows, classes)``, of the outputs of a classifier."""
    return outputs if gives_probabilities(network) else softmax(outputs)


def _outputs(run: Engine, x: Input) -> Array:
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        return run(x)


def unusable(batch: Batch, signature: Signature) -> dict[int, str]:
    """By place, the rows that are not finite, or not of pixels or truth that the network knows."""
    flat = batch.x.reshape(len(batch.x), math.prod(signature.shape))
    problems = dict[str, npt.NDArray[np.bool_]]()  # of a row that has several, the last is said
    if isinstance(signature.inputs, Images):
        problems |= _unlike_pixels(flat, signature.inputs.white)
    problems["got NaN or an infinity; every value must be finite"] = ~np.all(
        np.isfinite(flat), axis=1
    )
    if batch.truth is not None:
        problems |= _untrue(batch.truth, signature.outputs)
    return {
        place: problem
        for problem, rows in problems.items()
        for place in batch.places[rows].tolist()
    }


def _unlike_pixels(flat: AnyArray, white: int) -> dict[str, npt.NDArray[np.bool_]]:
    """By problem, the rows ``(rows, pixels)`` that are scaled to 0 … 1, or outside of 0 … white.

    An image that is next to black is taken for a scaled one, unless its bytes are pixels.
    """
    outside = np.any((flat < 0) | (flat > white), axis=1)
    may_be_scaled = white > 1 and flat.dtype != np.uint8
    scaled = np.any(flat, axis=1) & ~np.any(flat > 1, axis=1) & may_be_scaled
    return {
        f"got no pixel above 1, and white is {white}: scaled to 0 … 1? multiply by {white} (or, if "
        "it is an image so dark, save it as uint8)": scaled,
        f"got a pixel outside 0 … {white}; pixels go in as they are stored": outside,
    }


def _untrue(truth: Truth, outputs: Numbers | Classes) -> dict[str, npt.NDArray[np.bool_]]:
    """By problem, the rows whose target is not a number, or whose label is not a class."""
    if isinstance(outputs, Numbers):
        return {"the target is not a finite number": ~np.isfinite(truth)}
    most = len(outputs.classes) - 1
    return {
        f"the label is not the index of a class, 0 to {most}": ~np.isin(truth, np.arange(most + 1))
    }


def _too_large(run: Engine, batch: Batch) -> dict[int, str]:
    """By place, the rows whose numbers leave what floats or the integers' scale can hold."""
    try:
        _outputs(run, batch.x)
    except (OctetError, FloatingPointError):
        if len(batch.x) == 1:
            return {int(batch.places[0]): "its numbers are too large or too small for this model"}
        middle = batch.places < batch.places[len(batch.x) // 2]
        halves = (_part(batch, middle), _part(batch, ~middle))
        return {place: why for half in halves for place, why in _too_large(run, half).items()}
    return {}


def _without(batch: Batch, bad: Mapping[int, str]) -> Batch:
    if not bad:
        return batch
    good = _part(batch, np.isin(batch.places, [*bad], invert=True))
    return replace(good, bad={**batch.bad, **bad})


def _part(batch: Batch, rows: npt.NDArray[np.bool_]) -> Batch:
    truth = None if batch.truth is None else batch.truth[rows]
    return replace(batch, places=batch.places[rows], x=batch.x[rows], truth=truth)
