"""The data of a system, split, and the file that holds it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from octet.affine import Array, refuse_not_finite
from octet.blocks import blocks
from octet.errors import OctetError
from octet.modelfile import signatures
from octet.modelfile.arrays import AnyArray, map_arrays, stream_arrays
from octet.signature import Images, Inputs, Numbers, Outputs, Signature
from stages.paths import data_path

_LARGEST = 1e100  # so that squares and their sums are finite
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_WEIGHTS = "weights_train"
# So that weighted squares of all that is allowed, and their sums, are finite; and that each weight
# over the mean of all is a normal number of float32, in which networks are trained.
_LEAST_WEIGHT, _LARGEST_WEIGHT = 1e-15, 1e15


@dataclass(frozen=True)
class Dataset:
    """Rows to train on and rows to test on, and what they are.

    Attributes:
        x_train, x_test: `Columns` float64 ``(rows, features)``, `Images` uint8
            ``(rows, channels, height, width)``, or `Arrays` float64 ``(rows, …)``.
        y_train, y_test: ``(rows,)``; of `Numbers` the targets, float64; of `Classes` the labels,
            each the index of a class, uint8 (uint16 from 257 classes on).
        weights_train: how much a training row counts in the fit, as if it were there so many times;
            ``(rows,)`` float64, above 0. None: every row counts once, as test rows always do.
    """

    x_train: AnyArray
    y_train: AnyArray
    x_test: AnyArray
    y_test: AnyArray
    signature: Signature
    weights_train: AnyArray | None = None

    @property
    def counts(self) -> Array:
        """How much each training row counts ``(rows,)``; ones, which take no memory, if alike."""
        if self.weights_train is None:
            return np.broadcast_to(1.0, len(self.y_train))
        return self.weights_train

    @property
    def total(self) -> float:
        """How much all training rows count."""
        if self.weights_train is None:
            return float(len(self.y_train))
        parts = (part.tolist() for (part,) in blocks(self.weights_train))
        return math.fsum(chain.from_iterable(parts))


def dump_dataset(dataset: Dataset) -> bytes:
    """The bytes of the data file."""
    return b"".join(stream_dataset(dataset))


def stream_dataset(dataset: Dataset) -> Iterator[bytes]:
    """The bytes of the data file, block by block."""
    arrays = {name: getattr(dataset, name) for name in _ARRAYS}
    if dataset.weights_train is not None:
        arrays[_WEIGHTS] = dataset.weights_train
    return stream_arrays(signatures.dump_signature(dataset.signature), arrays)


def load_dataset(system: str) -> Dataset:
    """The data of a system, checked; its rows stay in the file, see `map_arrays`.

    Raises:
        OctetError: the file is missing, damaged or foreign, its shapes do not belong together, or
            it has values that are not allowed.
    """
    file = data_path(system)
    header, arrays = map_arrays(file)
    try:
        signature = signatures.load_signature(header)
        parts = {name: arrays.pop(name) for name in _ARRAYS}
        weights = arrays.pop(_WEIGHTS, None)
        if arrays:
            raise ValueError(f"no array of it: {', '.join(arrays)}")
    except (KeyError, OctetError, TypeError, ValueError) as error:
        raise OctetError(f"{file}: not a data file of this project ({error!r})") from None
    dataset = Dataset(**parts, signature=signature, weights_train=weights)
    refuse_unusable(dataset, str(file))
    return dataset


def refuse_unusable(dataset: Dataset, where: str) -> None:
    """Refuse shapes and types that do not belong together, and values that are not allowed.

    Raises:
        OctetError: there are such.
    """
    signature = dataset.signature
    for part in ("train", "test"):
        x, y = getattr(dataset, f"x_{part}"), getattr(dataset, f"y_{part}")
        _refuse_other_shapes(x, y, signature, f"{where}: x_{part}", f"y_{part}")
        _refuse_inputs(x, signature.inputs, f"{where}: x_{part}")
        _refuse_truth(y, signature.outputs, f"{where}: y_{part}")
    if dataset.weights_train is not None:
        _refuse_weights(dataset.weights_train, len(dataset.y_train), f"{where}: {_WEIGHTS}")


def _refuse_other_shapes(
    x: AnyArray, y: AnyArray, signature: Signature, x_name: str, y_name: str
) -> None:
    x_type = np.dtype(np.uint8 if isinstance(signature.inputs, Images) else np.float64)
    y_type = _type_of_truth(signature.outputs)
    allowed = (y.size, *signature.shape)
    if x.shape != allowed or y.ndim != 1 or not y.size or (x.dtype, y.dtype) != (x_type, y_type):
        raise OctetError(
            f"{x_name}: got {x.dtype} of shape {x.shape}, with {y_name} {y.dtype} of shape "
            f"{y.shape}; allowed is {x_type} of shape (rows, "
            f"{', '.join(map(str, signature.shape))}), at least one row, with a {y_type} for each"
        )


def _type_of_truth(outputs: Outputs) -> np.dtype[Any]:
    if isinstance(outputs, Numbers):
        return np.dtype(np.float64)
    return np.min_scalar_type(max(len(outputs.classes) - 1, 0))


def _refuse_inputs(x: AnyArray, inputs: Inputs, name: str) -> None:
    if isinstance(inputs, Images):
        _refuse_above(x, inputs.white, name)
    else:
        _refuse_extreme(x, name)


def _refuse_truth(y: AnyArray, outputs: Outputs, name: str) -> None:
    if isinstance(outputs, Numbers):
        _refuse_extreme(y, name)
    else:
        _refuse_above(y, len(outputs.classes) - 1, name)


def _refuse_weights(weights: AnyArray, rows: int, name: str) -> None:
    if weights.shape != (rows,) or weights.dtype != np.float64:
        raise OctetError(
            f"{name}: got {weights.dtype} of shape {weights.shape}; allowed is float64 of ({rows},)"
        )
    refuse_not_finite(weights, name)
    least = min(float(np.min(part)) for (part,) in blocks(weights))
    largest = max(float(np.max(part)) for (part,) in blocks(weights))
    if not _LEAST_WEIGHT <= least <= largest <= _LARGEST_WEIGHT:
        raise OctetError(
            f"{name}: got {least:g} to {largest:g}; allowed are {_LEAST_WEIGHT:g} to "
            f"{_LARGEST_WEIGHT:g}, and 0 in a table"
        )


def _refuse_extreme(array: AnyArray, name: str) -> None:
    refuse_not_finite(array, name)
    if (largest := max(np.max(np.abs(part)) for (part,) in blocks(array))) > _LARGEST:
        raise OctetError(f"{name}: got {largest:g}; allowed is up to {_LARGEST:g}")


def _refuse_above(array: AnyArray, most: int, name: str) -> None:
    if (largest := max(int(np.max(part)) for (part,) in blocks(array))) > most:
        raise OctetError(f"{name}: got {largest}; allowed are 0 to {most}")
