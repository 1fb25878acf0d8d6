"""One layer at a time: what a network scores with only that layer quantized, and all but that."""

from collections.abc import Callable, Sequence
from itertools import accumulate

import joblib
import numpy as np

from octet import floating
from octet.network import Array, Input, Layer, Network, Quantize, Weighted, label

Score = Callable[[Array], float]

_TOGETHER = 100


def table(reference: Network, apart: Network, x: Input, score: Score) -> dict[str, object]:
    """Scores with one layer quantized, with all but one, and the name of the layer to blame.

    A quantized layer has its
    weight, its bias and, in an integer network, its output on their grids; the codes are those of
    `stages.quantize.network.quantize_apart`, of each layer as if it were the only one.

    Args:
        reference: in float.
        apart: the same with every layer quantized.
        x: test rows.
        score: of outputs ``(rows, outputs)``; more is better.

    Returns:
        ``only`` and ``all_but``: the score by layer; ``blame``: the layer that alone costs most, or
        of several that cost the same, the one whose absence from the quantized gains most.
    """
    starts = range(0, len(x), _TOGETHER)
    parts = joblib.Parallel(n_jobs=-1, prefer="threads")(
        joblib.delayed(_outputs)(reference, apart, x[i : i + _TOGETHER]) for i in starts
    )
    names = list(parts[0])
    only = {name: score(np.concatenate([part[name][0] for part in parts])) for name in names}
    all_but = {name: score(np.concatenate([part[name][1] for part in parts])) for name in names}
    blame = min(names, key=lambda name: (only[name], -all_but[name]))
    return {"only": only, "all_but": all_but, "blame": blame}


def _outputs(reference: Network, apart: Network, x: Input) -> dict[str, tuple[Array, Array]]:
    """By layer: outputs with only that layer quantized, and with all but that layer."""
    plain = reference.layers
    coded = [layer for layer in apart.layers if not isinstance(layer, Quantize)]
    rows = x.astype(np.float64)
    # What enters each layer, in float and behind quantized layers.
    seen = list(accumulate(plain, lambda given, layer: floating.step(layer, given), initial=rows))
    behind_codes = _behind(coded, apart, rows)
    return {
        label(plain, i): (
            floating.through([coded[i], *plain[i + 1 :]], seen[i]),
            floating.through([layer, *coded[i + 1 :]], behind_codes[i]),
        )
        for i, layer in enumerate(plain)
        if isinstance(layer, Weighted)
    }


def _behind(coded: Sequence[Layer], apart: Network, rows: Array) -> list[Array]:
    """What enters each of the quantized layers; the input is rounded where the integers start."""
    entry = {i: layer for i, layer in enumerate(apart.layers) if isinstance(layer, Quantize)}
    seen = [rows]
    for i, layer in enumerate(coded):
        if i in entry:
            seen[-1] = floating.step(entry[i], seen[-1])
        seen.append(floating.step(layer, seen[-1]))
    return seen
