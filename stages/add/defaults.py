"""Model, training and quantization of a new system, such as its data lets it have."""

import math
from typing import Any

from octet.errors import OctetError
from octet.signature import Arrays, Classes, Columns, Images, Numbers
from stages.dataset import Dataset

_CODES = {"activations": "uint8", "scheme": "symmetric", "granularity": "per_channel"}
# Rows for calibration and of a batch, as params.yaml has them for all.
_CALIBRATION, _BATCH = 1000, 64
_STEPS = 1000
_MOST_EPOCHS = 50


def defaults(dataset: Dataset, model: dict[str, Any] | None) -> dict[str, Any]:
    """``model``, ``train``, ``quant`` and ``gates`` of a system.

    Args:
        dataset: of the system.
        model: what it brings, if it does.

    Raises:
        OctetError: there is no model to begin with for such data.
    """
    rows, train = len(dataset.y_train), {}
    if model is None:
        model = _model(dataset)
        train = _training(rows) if model["kind"] == "network" else {}
    quant: dict[str, Any] = {}
    if model["kind"] in ("network", "onnx", "given"):
        quant = dict(_CODES)
        if rows < _CALIBRATION:
            quant["calibration"] = {"rows": rows}
    return {"model": model, "train": train, "quant": quant, "gates": {}}


def _model(dataset: Dataset) -> dict[str, Any]:
    match dataset.signature.inputs, dataset.signature.outputs:
        case Columns(), Numbers():
            return {"kind": "linear", "standardize": True}
        case Columns(), Classes():
            return {"kind": "logistic"}
        case Images(shape), outputs:
            return _network(shape, len(outputs.classes) if isinstance(outputs, Classes) else 1)
        case Arrays(shape), _:
            raise OctetError(
                f"rows of shape {shape} are no table and no images; bring a network by --model"
            )
    raise TypeError(dataset.signature)


def _network(shape: tuple[int, int, int], outputs: int) -> dict[str, Any]:
    """Two convolutions: a beginning, to be changed by hand."""
    channels, *sides = shape
    pool = [{"kind": "max_pool", "side": 2}] if min(sides) > 1 else []
    parameters = 8 * (9 * channels + 1) + 16 * (9 * 8 + 1) + outputs * (16 + 1)
    return {
        "kind": "network",
        "budget": math.ceil(parameters / 100) * 100,
        "layers": [
            {"kind": "conv", "channels": 8, "kernel": 3, "padding": 1},
            *pool,
            {"kind": "conv", "channels": 16, "kernel": 3, "padding": 1},
            {"kind": "global_average_pool"},
            {"kind": "linear", "outputs": outputs},
        ],
    }


def _training(rows: int) -> dict[str, int]:
    """A thousand steps or so; few rows are seen often."""
    batch = min(_BATCH, 2 ** int(math.log2(max(2, rows / 4))))
    epochs = min(_MOST_EPOCHS, math.ceil(_STEPS * batch / rows))
    return {"epochs": epochs} | ({"batch": batch} if batch < _BATCH else {})
