"""metrics/<system>.json: every group of figures for one system, from its stored files."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from octet import floating
from octet.errors import OctetError
from octet.network import Array, Layer, Linear, Network, values
from octet.storage import Sizes
from stages.evaluate import scores, verdict
from stages.params import Gates
from stages.tracked import Dataset

Figures = dict[str, dict[str, float]]

_DIGITS = 9


def compare(
    reference: Network, quantized: Network, data: Dataset, sizes: tuple[Sizes, Sizes], gates: Gates
) -> Figures:
    """All groups: float, quantized, change, fidelity, parameters, rounding, size, verdict.

    Args:
        reference, quantized: the two networks, as read from their files.
        data: what to measure them on; scores are of the test rows but for ``r2_train``.
        sizes: what the two files hold.
        gates: the margins of the verdict.

    Raises:
        OctetError: the second is no version of the first, or the data is not theirs.
    """
    _refuse_strangers(reference, quantized, data)
    outputs = floating.run(reference, data.x_test), floating.run(quantized, data.x_test)
    found = [
        scores.regression(data.y_test, y[:, 0]) | {"r2_train": _r2_train(network, data)}
        for network, y in zip((reference, quantized), outputs, strict=True)
    ]
    return {
        "float": found[0],
        "quantized": found[1],
        "change": {key: found[1][key] - found[0][key] for key in found[0]},
        "fidelity": scores.fidelity(*outputs),
        "parameters": scores.parameters(_parameters(reference), _parameters(quantized)),
        "rounding": dict(quantized.rounding),
        "size": _size(*sizes),
        "verdict": verdict.regression(
            data.y_test, outputs[0][:, 0], outputs[1][:, 0], gates.mse_increase
        ),
    }


def dump(figures: Figures, path: Path) -> bytes:
    """Sorted JSON with nine significant digits: what differs less is rounding error.

    Raises:
        OctetError: a figure is NaN or infinite; it is named.
    """
    return (json.dumps(_rounded(figures, str(path)), indent=2, sort_keys=True) + "\n").encode()


def _rounded(figures: Mapping[str, object], where: str) -> dict[str, object]:
    rounded: dict[str, object] = {}
    for key, value in figures.items():
        if isinstance(value, Mapping):
            rounded[key] = _rounded(value, f"{where}: {key}")
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise OctetError(f"{where}.{key}: got {value}; the model's outputs are unusable")
            rounded[key] = float(f"{value:.{_DIGITS}g}")
        else:
            rounded[key] = value
    return rounded


def _r2_train(network: Network, data: Dataset) -> float:
    return scores.regression(data.y_train, floating.run(network, data.x_train)[:, 0])["r2"]


def _refuse_strangers(reference: Network, quantized: Network, data: Dataset) -> None:
    shapes = [
        [(type(layer), *(a.shape for a in arrays)) for layer, arrays in _layers(network)]
        for network in (reference, quantized)
    ]
    if shapes[0] != shapes[1] or not _parameters(reference):
        raise OctetError(
            "the quantized model is not the float one's: their layers differ; run `dvc repro`"
        )
    if not reference.signature == quantized.signature == data.signature:
        raise OctetError("the models and the data do not have the same columns; run `dvc repro`")
    if reference.rounding:
        raise OctetError("the float model is quantized already; run `dvc repro`")


def _layers(network: Network) -> list[tuple[Layer, tuple[Array, ...]]]:
    """Each layer with its arrays, dequantized."""
    return [
        (layer, (values(layer.weight), values(layer.bias)))
        if isinstance(layer, Linear)
        else (layer, (layer.mean, layer.std))
        for layer in network.layers
    ]


def _parameters(network: Network) -> list[tuple[Array, Array]]:
    return [
        (arrays[0], arrays[1]) for layer, arrays in _layers(network) if isinstance(layer, Linear)
    ]


def _size(reference: Sizes, quantized: Sizes) -> dict[str, float]:
    return {
        "float_payload": reference.floats,
        "codes": quantized.codes,
        "scales": quantized.scales,
        "quantized_payload": quantized.codes + quantized.scales + quantized.floats,
        "scaler": quantized.scaler,
        "file_float": reference.file,
        "file_quantized": quantized.file,
    }
