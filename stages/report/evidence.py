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


@dataclass(frozen=True)
class Evidence:
    """All that is known of one system.

    Attributes:
        metrics: of the whole system.
        layers: of its single layers.
        outputs: of the float and of the quantized network on the test rows, ``(rows, outputs)``.
        sweep: empty where there was none.
        views: a picture of what training shows a network; None where there is none.
        checks: the gates of the system held against its metrics; its verdict.
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
    rounding: str

    @property
    def kind(self) -> Kind:
        """The task, and what goes in."""
        return kind_of(self.data.signature)


def read(name: str, params: "Params") -> Evidence:
    """Read and check the files of one system.

    Raises:
        OctetError: a file is missing or not what the stages write; `dvc repro` makes it. Only a
            sweep may be missing.
    """
    data, own = load_dataset(name), metrics.read(paths.metrics_path(name))
    views = paths.plot_path(name, "views.png")
    return Evidence(
        name,
        own,
        metrics.read(paths.layers_path(name)),
        data,
        storage.load_network(paths.float_path(name)),
        storage.load_network(paths.quantized_path(name)),
        _read_outputs(paths.plot_path(name, "outputs.safetensors"), data),
        point.read(name),
        views if views.exists() else None,
        tuple(checks.of_system(name, params, own)),
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
