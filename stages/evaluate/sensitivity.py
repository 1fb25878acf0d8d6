"""One layer at a time: what a network scores with only that layer quantized, and all but that."""

from collections.abc import Callable, Iterator
from itertools import accumulate

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
    plain = reference.layers
    coded = tuple(layer for layer in apart.layers if not isinstance(layer, Quantize))
    entry = next((layer for layer in apart.layers if isinstance(layer, Quantize)), None)
    outputs: dict[str, tuple[list[Array], list[Array]]] = {
        name: ([], []) for _, name in _weighted(plain)
    }
    for start in range(0, len(x), _TOGETHER):
        rows = x[start : start + _TOGETHER].astype(np.float64)
        # What enters each layer, in float and behind quantized layers.
        seen = list(
            accumulate(plain, lambda given, layer: floating.step(layer, given), initial=rows)
        )
        coded_seen = _behind(coded, entry, rows)
        for i, name in _weighted(plain):
            only, all_but = outputs[name]
            only.append(floating.through((coded[i], *plain[i + 1 :]), seen[i]))
            all_but.append(floating.through((plain[i], *coded[i + 1 :]), coded_seen[i]))
    only_scores = {name: score(np.concatenate(only)) for name, (only, _) in outputs.items()}
    all_but_scores = {name: score(np.concatenate(but)) for name, (_, but) in outputs.items()}
    blame = min(only_scores, key=lambda name: (only_scores[name], -all_but_scores[name]))
    return {"only": only_scores, "all_but": all_but_scores, "blame": blame}


def _behind(coded: tuple[Layer, ...], entry: Quantize | None, rows: Array) -> list[Array]:
    """What enters each of the quantized layers; the input is rounded where it enters the first."""
    seen = [rows]
    for layer in coded:
        if entry is not None and isinstance(layer, Weighted):
            seen[-1] = floating.step(entry, seen[-1])
            entry = None
        seen.append(floating.step(layer, seen[-1]))
    return seen


def _weighted(layers: tuple[Layer, ...]) -> Iterator[tuple[int, str]]:
    for i, layer in enumerate(layers):
        if isinstance(layer, Weighted):
            yield i, label(layers, i)
