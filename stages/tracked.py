"""The files in which the stages meet: where each is, and what is in the data file."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from octet import storage
from octet.affine import refuse_not_finite
from octet.errors import OctetError
from octet.network import Array, Signature


@dataclass(frozen=True)
class Dataset:
    """A table, split. Features ``(rows, features)`` and targets ``(rows,)`` are float64."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    signature: Signature


_LARGEST = 1e100  # so that squares and their sums are finite
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def data_path(system: str) -> Path:
    """What load writes."""
    return Path("data", f"{system}.safetensors")


def float_path(system: str) -> Path:
    """What train writes."""
    return Path("models", system, "float.safetensors")


def quantized_path(system: str) -> Path:
    """What quantize writes."""
    return Path("models", system, "quantized.safetensors")


def metrics_path(system: str) -> Path:
    """What evaluate writes."""
    return Path("metrics", f"{system}.json")


def dump_dataset(dataset: Dataset) -> bytes:
    """The bytes of the data file."""
    arrays = {name: getattr(dataset, name) for name in _ARRAYS}
    return storage.dump_arrays(asdict(dataset.signature), arrays)


def load_dataset(system: str) -> Dataset:
    """Read and check the data of a system.

    Raises:
        OctetError: the file is missing, damaged or foreign, or its shapes do not belong together.
    """
    file = data_path(system)
    header, arrays = storage.load_arrays(file)
    try:
        signature = storage.load_signature(header)
        x_train, y_train, x_test, y_test = (arrays[name] for name in _ARRAYS)
    except (KeyError, TypeError) as error:
        raise OctetError(f"{file}: not a data file of this project ({error!r})") from None
    for x, y, part in ((x_train, y_train, "train"), (x_test, y_test, "test")):
        allowed = (y.size, len(signature.features))
        floats = x.dtype == y.dtype == np.float64
        if x.shape != allowed or y.ndim != 1 or not y.size or not floats:
            raise OctetError(
                f"{file}: x_{part}: got {x.dtype} of shape {x.shape}, with y_{part} {y.dtype} of "
                f"shape {y.shape}; allowed is float64 of shape (rows, {allowed[1]}), at least one "
                "row, with a float64 for each"
            )
        for array, name in ((x, f"x_{part}"), (y, f"y_{part}")):
            refuse_not_finite(array, f"{file}: {name}")
            if (largest := np.max(np.abs(array), initial=0.0)) > _LARGEST:
                raise OctetError(f"{file}: {name}: got {largest:g}; allowed is up to {_LARGEST:g}")
    return Dataset(x_train, y_train, x_test, y_test, signature)
