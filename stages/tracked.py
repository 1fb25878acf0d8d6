"""The files in which the stages meet: where each is, and what is in the data file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from octet.affine import Array, refuse_not_finite
from octet.errors import OctetError
from octet.modelfile import storage
from octet.modelfile.arrays import AnyArray, dump_arrays, load_arrays
from octet.signature import Columns, Pixels, Signature


@dataclass(frozen=True)
class TableData:
    """A table, split. Features ``(rows, features)`` and targets ``(rows,)`` are float64."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    signature: Signature


@dataclass(frozen=True)
class ImageData:
    """Images, split. Pixels ``(rows, channels, height, width)``, labels ``(rows,)``, all uint8."""

    x_train: Pixels
    y_train: Pixels
    x_test: Pixels
    y_test: Pixels
    signature: Signature


Dataset = TableData | ImageData

_LARGEST = 1e100  # so that squares and their sums are finite
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def data_path(system: str) -> Path:
    """What load writes."""
    return Path("data", f"{system}.safetensors")


def float_path(system: str) -> Path:
    """What train writes."""
    return Path("models", system, "float.safetensors")


def plot_path(system: str, file: str) -> Path:
    """A file of what there is to draw; a stage has fixed ones, the same for all systems.

    (Not folders: where a picture of dvc.yaml's is in one that is not in the cache, as in a fresh
    clone, `dvc exp run` fails.)
    """
    return PLOTS / system / file


def quantized_path(system: str) -> Path:
    """What quantize writes."""
    return Path("models", system, "quantized.safetensors")


APART_BITS = (8, 4)
PLOTS = Path("plots")
METRICS = Path("metrics")


def apart_path(system: str, bits: int) -> Path:
    """Where quantize writes the network with each layer quantized as if it were the only one."""
    return Path("models", system, "apart", f"{bits}.safetensors")


def metrics_path(system: str) -> Path:
    """What evaluate writes."""
    return METRICS / f"{system}.json"


def dump_dataset(dataset: Dataset) -> bytes:
    """The bytes of the data file."""
    arrays = {name: getattr(dataset, name) for name in _ARRAYS}
    return dump_arrays(storage.dump_signature(dataset.signature), arrays)


def load_dataset(system: str) -> Dataset:
    """Read and check the data of a system.

    Raises:
        OctetError: the file is missing, damaged or foreign, or its shapes do not belong together.
    """
    file = data_path(system)
    header, arrays = load_arrays(file)
    try:
        signature = storage.load_signature(header)
        x_train, y_train, x_test, y_test = (arrays[name] for name in _ARRAYS)
    except (KeyError, TypeError, ValueError) as error:
        raise OctetError(f"{file}: not a data file of this project ({error!r})") from None
    for x, y, part in ((x_train, y_train, "train"), (x_test, y_test, "test")):
        _refuse_other_shapes(x, y, signature, part, str(file))
        if isinstance(signature.inputs, Columns):
            _refuse_unusable(x, f"{file}: x_{part}")
            _refuse_unusable(y, f"{file}: y_{part}")
        else:
            _refuse_above(x, signature.inputs.white, f"{file}: x_{part}")
            _refuse_above(y, len(signature.outputs.classes) - 1, f"{file}: y_{part}")
    if isinstance(signature.inputs, Columns):
        return TableData(x_train, y_train, x_test, y_test, signature)
    return ImageData(x_train, y_train, x_test, y_test, signature)


def _refuse_other_shapes(
    x: AnyArray, y: AnyArray, signature: Signature, part: str, file: str
) -> None:
    dtype = np.float64 if isinstance(signature.inputs, Columns) else np.uint8
    allowed = (y.size, *signature.shape)
    if x.shape != allowed or y.ndim != 1 or not y.size or not x.dtype == y.dtype == dtype:
        raise OctetError(
            f"{file}: x_{part}: got {x.dtype} of shape {x.shape}, with y_{part} {y.dtype} of "
            f"shape {y.shape}; allowed is {np.dtype(dtype)} of shape (rows, "
            f"{', '.join(map(str, signature.shape))}), at least one row, with a "
            f"{np.dtype(dtype)} for each"
        )


def _refuse_unusable(array: Array, name: str) -> None:
    refuse_not_finite(array, name)
    if (largest := np.max(np.abs(array), initial=0.0)) > _LARGEST:
        raise OctetError(f"{name}: got {largest:g}; allowed is up to {_LARGEST:g}")


def _refuse_above(array: Pixels, most: int, name: str) -> None:
    if (largest := int(np.max(array))) > most:
        raise OctetError(f"{name}: got {largest}; allowed are 0 to {most}")
