"""What the report is made of: everything that the other stages wrote about one system."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from octet.affine import Array, refuse_not_finite
from octet.errors import OctetError
from octet.modelfile import storage
from octet.modelfile.arrays import load_arrays
from octet.network import Network
from octet.signature import Images
from stages import paths
from stages.dataset import Dataset, load_dataset


@dataclass(frozen=True)
class Metrics:
    """metrics/<system>.json, read by keys such as ``verdict.low``."""

    path: Path
    content: Mapping[str, Any]

    def number(self, key: str) -> float:
        """A figure.

        Raises:
            OctetError: it is not there, or it is no finite number.
        """
        value = self._value(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise OctetError(
                f"{self.path}: {key}: got {value!r}; allowed is a finite number; run `dvc repro`"
            )
        return value

    def word(self, key: str) -> str:
        """A name; errors as for `number`."""
        value = self._value(key)
        if not isinstance(value, str):
            raise OctetError(f"{self.path}: {key}: got {value!r}; allowed is a name")
        return value

    def _value(self, key: str) -> object:
        value: object = self.content
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise OctetError(f"{self.path}: {key}: missing; `dvc repro` writes it")
            value = value[part]
        return value


@dataclass(frozen=True)
class Point:
    """A row of a sweep.

    Attributes:
        bits: of a weight; 32 for the float network.
        rounding: nearest, gptq or exact; float for the float network.
        payload: bytes of weights, scales and zero points.
        score, loss: R² or accuracy, and how much less than the float network's.
        low, high: the interval of the loss.
        fidelity: signal to quantization noise at the outputs, in dB.
    """

    bits: int
    rounding: str
    payload: int
    score: float
    loss: float
    low: float
    high: float
    fidelity: float


@dataclass(frozen=True)
class Evidence:
    """All that is known of one system.

    Attributes:
        outputs: of the float and of the quantized network on the test rows, ``(rows, outputs)``.
        sweep: empty where there was none.
        views: a sheet of training images and their views; None where training draws none.
    """

    name: str
    metrics: Metrics
    data: Dataset
    reference: Network
    quantized: Network
    outputs: tuple[Array, Array]
    sweep: tuple[Point, ...]
    views: Path | None

    @property
    def of_images(self) -> bool:
        """Whether it is judged by accuracy; else by R² and MSE."""
        return isinstance(self.data.signature.inputs, Images)


def read(name: str) -> Evidence:
    """Read and check the files of one system.

    Raises:
        OctetError: a file is missing or not what the stages write; `dvc repro` makes it. Only a
            sweep may be missing.
    """
    data = load_dataset(name)
    views = paths.plot_path(name, "views.png")
    return Evidence(
        name,
        _read_metrics(paths.metrics_path(name)),
        data,
        storage.load_network(paths.float_path(name)),
        storage.load_network(paths.quantized_path(name)),
        _read_outputs(paths.plot_path(name, "outputs.safetensors"), data),
        _read_sweep(sweep_path(name)),
        views if views.exists() else None,
    )


def sweep_path(name: str) -> Path:
    """What sweep writes."""
    return paths.plot_path(name, "sweep.csv")


def _read_metrics(path: Path) -> Metrics:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OctetError(f"{path}: no such file; `dvc repro` makes it") from None
    except (ValueError, RecursionError) as error:
        raise OctetError(f"{path}: not JSON ({error}); run `dvc repro`") from None
    if not isinstance(content, dict):
        raise OctetError(f"{path}: not an object of groups of figures; run `dvc repro`")
    return Metrics(path, content)


def _read_outputs(path: Path, data: Dataset) -> tuple[Array, Array]:
    _, arrays = load_arrays(path)
    found = []
    for name in ("float", "quantized"):
        array = arrays.get(name, np.empty(0))
        if array.dtype != np.float64 or array.ndim != 2 or len(array) != len(data.y_test):
            raise OctetError(
                f"{path}: {name}: got {array.dtype} of shape {array.shape}; allowed is float64 of "
                f"shape ({len(data.y_test)}, outputs); run `dvc repro`"
            )
        refuse_not_finite(array, f"{path}: {name}")
        found.append(array)
    return found[0], found[1]


def _read_sweep(path: Path) -> tuple[Point, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    try:
        return tuple(
            Point(
                int(row["bits"]),
                row["rounding"],
                int(row["payload"]),
                *(float(row[key]) for key in ("score", "loss", "low", "high", "fidelity")),
            )
            for row in csv.DictReader(text.splitlines())
        )
    except (KeyError, TypeError, ValueError) as error:
        raise OctetError(f"{path}: not a sweep ({error!r}); run `dvc repro`") from None
