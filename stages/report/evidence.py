"""What the report is made of: everything that the other stages wrote about one system."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from octet.affine import Array, refuse_not_finite
from octet.errors import OctetError
from octet.modelfile import storage
from octet.modelfile.arrays import load_arrays
from octet.network import Network
from stages import checks, metrics, paths, point
from stages.checks import Check
from stages.dataset import Dataset, load_dataset
from stages.metrics import Metrics
from stages.point import Point
from stages.tasks import Kind, kind_of

if TYPE_CHECKING:
    from stages.params.file import Params
    from stages.params.gates import Gates

_OUTPUTS = "outputs.safetensors"


@dataclass(frozen=True)
class Evidence:
    """All that is known of one system.

    Attributes:
        metrics: of the whole system.
        layers: of its single layers.
        outputs: of the float and of the quantized network on the test rows, ``(rows, outputs)``.
        sweep: empty where there was none.
        views: a picture of what training shows a network; None where it shows the rows as they are.
        checks: the gates of the system held against its metrics; its verdict.
        gates: as params.yaml has them.
        rounding: of the quantized network, as params.yaml has it.
    """

    name: str
    metrics: Metrics
    layers: Metrics
    data: Dataset
    reference: Network
    quantized: Network
    outputs: tuple[Array, Array]
    sweep: tuple[Point, ...]
    views: Path | None
    checks: tuple[Check, ...]
    gates: "Gates"
    rounding: str

    @property
    def kind(self) -> Kind:
        """The task, and what goes in."""
        return kind_of(self.data.signature)


def read_all(params: "Params") -> tuple[list[Evidence], dict[str, Path]]:
    """The systems that are there, and of each of the others, by name, a file that is not.

    Raises:
        OctetError: a file is not what the stages write, or no system is there.
    """
    missing = {
        name: path
        for name in params.systems
        for path in reversed(_needed(name))
        if not path.exists()
    }
    if len(missing) == len(params.systems):
        name, path = next(iter(missing.items()))
        raise OctetError(f"{path}: no such file; `dvc repro evaluate@{name}` makes it")
    return [read(name, params) for name in params.systems if name not in missing], missing


def _needed(name: str) -> list[Path]:
    """The files without which there is no report of a system, in the order that they are made."""
    return [
        paths.data_path(name),
        paths.float_path(name),
        paths.plot_path(name, "training.csv"),
        paths.quantized_path(name),
        paths.plot_path(name, _OUTPUTS),
        paths.layers_path(name),
        paths.metrics_path(name),
    ]


def read(name: str, params: "Params") -> Evidence:
    """Read and check the files of one system.

    Raises:
        OctetError: a file is missing or not what the stages write; `dvc repro` makes it. Only a
            sweep may be missing.
    """
    data, own = load_dataset(name), metrics.read(paths.metrics_path(name))
    views, augmented = paths.plot_path(name, "views.png"), params.train_of(name).augment.share > 0
    return Evidence(
        name,
        own,
        metrics.read(paths.layers_path(name)),
        data,
        storage.load_network(paths.float_path(name)),
        storage.load_network(paths.quantized_path(name)),
        _read_outputs(paths.plot_path(name, _OUTPUTS), data),
        point.read(name),
        views if augmented and views.exists() else None,
        tuple(checks.of_system(name, params, own)),
        params.gates_of(name),
        params.quant_of(name).rounding,
    )


def _read_outputs(path: Path, data: Dataset) -> tuple[Array, Array]:
    _, arrays = load_arrays(path)
    outputs = [arrays.get(name, np.empty(0)) for name in ("float", "quantized")]
    for name, array in zip(("float", "quantized"), outputs, strict=True):
        if array.dtype != np.float64 or array.ndim != 2 or len(array) != len(data.y_test):
            raise OctetError(
                f"{path}: {name}: got {array.dtype} of shape {array.shape}; allowed is float64 of "
                f"shape ({len(data.y_test)}, outputs); run `dvc repro`"
            )
        refuse_not_finite(array, f"{path}: {name}")
    return outputs[0], outputs[1]
