"""What the report shows of weights: each by name where they are few, else how they are spread."""

import numpy as np
from matplotlib.axes import Axes

from octet.affine import Array
from octet.layers import Weighted
from octet.parameters import Quantized, values
from octet.signature import Columns
from stages.report import picture
from stages.report.evidence import Evidence
from stages.report.picture import Picture, Words
from stages.report.vector import FLOAT, INK, QUANTIZED


def pictures(evidence: Evidence, key: str) -> list[Picture]:
    """Of one layer on columns its weights by feature; of any other network, histograms."""
    pairs, inputs = _pairs(evidence), evidence.data.signature.inputs
    if isinstance(inputs, Columns) and len(pairs) == 1:
        return [_by_feature(inputs, *pairs[0], f"{key}-weights")]
    return [_spread(pairs, f"{key}-weights"), *_steps(evidence, pairs, f"{key}-steps")]


def _pairs(evidence: Evidence) -> list[tuple[Array, Array]]:
    """The weights of each layer, float and as its codes stand for."""
    float_weights, quantized_weights = (
        [values(layer.weight) for layer in network.layers if isinstance(layer, Weighted)]
        for network in (evidence.reference, evidence.quantized)
    )
    return list(zip(float_weights, quantized_weights, strict=True))


def _by_feature(inputs: Columns, before: Array, after: Array, key: str) -> Picture:
    """Weights ``(outputs, features)``; one mark for each output in the row of a feature."""
    places = np.tile(np.arange(len(inputs.features)), len(before))

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.plot(
            before.ravel(), places, "o", color=FLOAT, markersize=7, fillstyle="none", label="float"
        )
        axes.plot(after.ravel(), places, "D", color=QUANTIZED, markersize=3, label="quantized")
        picture.legend(axes)

    change = float(np.max(np.abs(after - before)))
    each = "" if len(before) == 1 else ", one for each class"
    caption = f"Weights before and after quantization{each}; none moves by more than {change:.3g}."
    words = Words(caption, caption, "weight", "")
    return picture.of_names(key, paint, words, inputs.features)


def _spread(pairs: list[tuple[Array, Array]], key: str) -> Picture:
    """The weights of all layers, before and after."""
    before, after = (np.concatenate([np.ravel(pair[i]) for pair in pairs]) for i in (0, 1))
    moved = float(np.max(np.abs(after - before)))
    caption = (
        "Weights of all layers before (filled) and after quantization (line). "
        f"{len(before):,} weights; none moves by more than {moved:.3g}."
    )
    return picture.histograms(key, [before, after], Words(caption, caption, "weight", "weights"))


def _steps(evidence: Evidence, pairs: list[tuple[Array, Array]], key: str) -> list[Picture]:
    """How many steps of its grid each weight was moved; nothing of a float copy."""
    layers = [each for each in evidence.quantized.layers if isinstance(each, Weighted)]
    moved = [
        np.ravel((after - before) / layer.weight.grid.scale.astype(np.float64))
        for layer, (before, after) in zip(layers, pairs, strict=True)
        if isinstance(layer.weight, Quantized)
    ]
    if not moved:
        return []
    steps = np.concatenate(moved)
    beyond = float(np.mean(np.abs(steps) > 0.5))
    caption = (
        "How far rounding moved each weight, in steps of its grid; "
        f"{100 * beyond:.1f} % by more than the half step of round-to-nearest."
    )
    words = Words(caption, f"Histogram. {caption}", "steps of the grid", "weights")
    return [picture.histograms(key, [steps], words, QUANTIZED)]
