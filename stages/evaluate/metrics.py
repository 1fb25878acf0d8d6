"""metrics/<system>.json: every group of figures for one system, from its stored files."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Quantize, Standardize, Weighted
from octet.modelfile.storage import Sizes
from octet.network import Network, label
from octet.parameters import shape_of, values
from octet.signature import Numbers, Pixels
from stages import outputs
from stages.dataset import Dataset
from stages.evaluate import disturbed, sensitivity
from stages.params.gates import Gates
from stages.tasks import scores, verdict

Figures = Mapping[str, object]

_DIGITS = 9
# The sensitivity table runs the network some 40 times: on this many of the test rows.
_SENSITIVITY_ROWS = 500


@dataclass(frozen=True)
class Models:
    """What a system is evaluated on: its networks, as read from their files.

    Attributes:
        reference: in float.
        quantized: the same in codes.
        apart: by width, the same with each layer quantized as if it were the only one.
        sizes: what the files of the first two hold.
    """

    reference: Network
    quantized: Network
    apart: Mapping[int, Network]
    sizes: tuple[Sizes, Sizes]


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        figures: every group, the same for every system.
        outputs: of the float and of the quantized network for the test rows, ``(rows, outputs)``.
    """

    figures: Figures
    outputs: tuple[Array, Array]


def compare(models: Models, data: Dataset, gates: Gates) -> Comparison:
    """Compare two networks in every way that metrics/<system>.json knows.

    Args:
        models: what to compare.
        data: what to measure it on; scores are of the test rows but for ``r2_train``.
        gates: the margins of the verdict.

    Raises:
        OctetError: a network is no version of the float one, or the data is not theirs.
    """
    for network in (models.quantized, *models.apart.values()):
        _refuse_strangers(models.reference, network, data)
    if models.reference.rounding:
        raise OctetError("the float model is quantized already; run `dvc repro`")
    pair = models.reference, models.quantized
    given = outputs.run(pair[0], data.x_test), outputs.run(pair[1], data.x_test)
    if isinstance(data.signature.outputs, Numbers):
        before, after = (_of_table(n, y, data) for n, y in zip(pair, given, strict=True))
        judged = verdict.regression(data.y_test, given[0][:, 0], given[1][:, 0], gates.mse_increase)
        score = partial(_r2, data.y_test[:_SENSITIVITY_ROWS])
    else:
        scaler = _scaler(models.reference)
        before, after = (_of_images(n, y, data, scaler) for n, y in zip(pair, given, strict=True))
        right = scores.correct(data.y_test, given[0]), scores.correct(data.y_test, given[1])
        judged = verdict.classification(*right, gates.accuracy_decrease)
        score = partial(_accuracy, data.y_test[:_SENSITIVITY_ROWS])
    figures = {
        "float": before,
        "quantized": after,
        "change": _difference(before, after),
        "fidelity": scores.fidelity(*given),
        "parameters": scores.parameters(_parameters(pair[0]), _parameters(pair[1])),
        "rounding": _rounding(models.quantized),
        "sensitivity": {"rows": min(len(data.x_test), _SENSITIVITY_ROWS)}
        | {
            f"{bits}_bits": sensitivity.table(
                models.reference, apart, data.x_test[:_SENSITIVITY_ROWS], score
            )
            for bits, apart in models.apart.items()
        },
        "size": _size(*models.sizes),
        "verdict": judged,
    }
    return Comparison(figures, given)


def dump(figures: Figures, path: Path) -> bytes:
    """Sorted JSON with nine significant digits: what differs less is rounding error.

    Raises:
        OctetError: a figure is NaN or infinite; it is named.
    """
    return (json.dumps(_rounded(figures, str(path)), indent=2, sort_keys=True) + "\n").encode()


def _rounded(figures: Figures, where: str) -> Figures:
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


def _of_table(network: Network, given: Array, data: Dataset) -> Figures:
    r2_train = scores.regression(data.y_train, outputs.run(network, data.x_train)[:, 0])["r2"]
    return {**scores.regression(data.y_test, given[:, 0]), "r2_train": r2_train}


def _of_images(network: Network, given: Array, data: Dataset, scaler: Standardize) -> Figures:
    return {
        **scores.classification(data.y_test, given),
        **disturbed.figures(network, given, scaler, data.x_test, data.y_test),
    }


def _r2(truth: Array, given: Array) -> float:
    return scores.regression(truth, given[:, 0])["r2"]


def _accuracy(truth: Pixels, given: Array) -> float:
    return float(np.mean(scores.correct(truth, given)))


def _difference(before: Figures, after: Figures) -> Figures:
    """After less before, figure by figure and group by group."""
    found: dict[str, object] = {}
    for key, value in before.items():
        other = after[key]
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            found[key] = _difference(value, other)
        elif isinstance(value, float) and isinstance(other, float):
            found[key] = other - value
    return found


def _rounding(network: Network) -> Figures:
    """What is known of all layers together and, where there are several, of each."""
    by_layer = network.rounding
    keys = next(iter(by_layer.values()), {})
    total = {
        key: (max if key == "largest_sum" else sum)(figures[key] for figures in by_layer.values())
        for key in keys
    }
    return {**total, **(by_layer if len(by_layer) > 1 else {})}


def _refuse_strangers(reference: Network, other: Network, data: Dataset) -> None:
    if not _shapes(reference) or _shapes(reference) != _shapes(other):
        raise OctetError(
            "the quantized model is not the float one's: their layers differ; run `dvc repro`"
        )
    if not reference.signature == other.signature == data.signature:
        raise OctetError("the models and the data do not have the same columns; run `dvc repro`")


def _shapes(network: Network) -> list[tuple[str, ...]]:
    """Each layer of the float network, with the shapes of what it holds."""
    return [
        (
            label(network.layers, i),
            *(str(shape_of(p)) for p in (layer.weight, layer.bias)),
        )
        if isinstance(layer, Weighted)
        else (label(network.layers, i),)
        for i, layer in enumerate(network.layers)
        if not isinstance(layer, Quantize)
    ]


def _scaler(network: Network) -> Standardize:
    for layer in network.layers:
        if isinstance(layer, Standardize):
            return layer
    raise OctetError("the float model of an image system must standardize; run `dvc repro`")


def _parameters(network: Network) -> list[tuple[Array, Array]]:
    return [
        (values(layer.weight), values(layer.bias))
        for layer in network.layers
        if isinstance(layer, Weighted)
    ]


def _size(reference: Sizes, quantized: Sizes) -> Figures:
    return {
        "float_payload": reference.floats,
        "codes": quantized.codes,
        "scales": quantized.scales,
        "quantized_payload": quantized.codes + quantized.scales + quantized.floats,
        "scaler": quantized.scaler,
        "file_float": reference.file,
        "file_quantized": quantized.file,
    }
