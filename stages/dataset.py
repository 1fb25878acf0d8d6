"""The data of a system, split, and the file that holds it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from octet.affine import refuse_not_finite
from octet.blocks import blocks
from octet.errors import OctetError
from octet.modelfile import signatures
from octet.modelfile.arrays import AnyArray, map_arrays, stream_arrays
from octet.signature import Images, Inputs, Numbers, Outputs, Signature
from stages.paths import data_path

_LARGEST = 1e100  # so that squares and their sums are finite
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Dataset:
    """Rows to train on and rows to test on, and what they are.

    Attributes:
        x_train, x_test: `Columns` float64 ``(rows, features)``, `Images` uint8
            ``(rows, channels, height, width)``, or `Arrays` float64 ``(rows, …)``.
        y_train, y_test: ``(rows,)``; of `Numbers` the targets, float64; of `Classes` the labels,
            each the index of a class, uint8 (uint16 from 257 classes on).
    """

    x_train: AnyArray
    y_train: AnyArray
    x_test: AnyArray
    y_test: AnyArray
    signature: Signature


def dump_dataset(dataset: Dataset) -> bytes:
    """The bytes of the data file."""
    return b"".join(stream_dataset(dataset))


def stream_dataset(dataset: Dataset) -> Iterator[bytes]:
    """The bytes of the data file, block by block."""
    arrays = {name: getattr(dataset, name) for name in _ARRAYS}
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
        parts = {name: arrays[name] for name in _ARRAYS}
    except (KeyError, OctetError, TypeError, ValueError) as error:
        raise OctetError(f"{file}: not a data file of this project ({error!r})") from None
    dataset = Dataset(**parts, signature=signature)
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


def _refuse_extreme(array: AnyArray, name: str) -> None:
    refuse_not_finite(array, name)
    if (largest := max(np.max(np.abs(part)) for (part,) in blocks(array))) > _LARGEST:
        raise OctetError(f"{name}: got {largest:g}; allowed is up to {_LARGEST:g}")


def _refuse_above(array: AnyArray, most: int, name: str) -> None:
    if (largest := max(int(np.max(part)) for (part,) in blocks(array))) > most:
        raise OctetError(f"{name}: got {largest}; allowed are 0 to {most}")
