"""One layer at a time: what a network scores with only that layer quantized, and all but that."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate

import numpy as np

from octet.affine import Array
from octet.layers import Layer, Quantize, Weighted
from octet.network import Network, label
from octet.runtime import floating
from octet.signature import Input
from stages.outputs import by_parts

Score = Callable[[Array], float]


def table(reference: Network, apart: Network, x: Input, score: Score) -> dict[str, object]:
    """Scores with one layer quantized, with all but one, and the name of the layer to blame.

    A quantized layer has its weight, its bias and, in an integer network, its output on their
    grids; the codes are those of `octet.quantizer.network.quantize_apart`, which takes each
    layer as if it were the only one.

    Args:
        reference: in float.
        apart: the same with every layer quantized.
        x: test rows.
        score: of outputs ``(rows, outputs)``; more is better.

    Returns:
        ``only`` and ``all_but``: the score by layer; ``moved``: by layer, the mean square of what
        quantizing it alone changes in the outputs; ``blame``: the layer that moves them most.
        (Scores of good networks differ by a few images, so they would blame by luck.)
    """
    plain, by_layer = zip(*by_parts(partial(_outputs, reference, apart), x), strict=True)
    float_outputs = np.concatenate(plain)
    only, all_but, moved = dict[str, float](), dict[str, float](), dict[str, float]()
    for name in by_layer[0]:
        alone, others = (np.concatenate([part[name][i] for part in by_layer]) for i in (0, 1))
        only[name], all_but[name] = score(alone), score(others)
        moved[name] = float(np.mean((alone - float_outputs) ** 2))
    blame = max(moved, key=lambda name: moved[name])
    return {"only": only, "all_but": all_but, "moved": moved, "blame": blame}


def _outputs(
    reference: Network, apart: Network, x: Input
) -> tuple[Array, dict[str, tuple[Array, Array]]]:
    """Outputs in float; and by layer, with only that layer quantized and with all but that."""
    plain = reference.layers
    coded = [layer for layer in apart.layers if not isinstance(layer, Quantize)]
    rows = x.astype(np.float64)
    # What enters each layer, in float and behind quantized layers.
    seen = list(accumulate(plain, lambda given, layer: floating.step(layer, given), initial=rows))
    behind_codes = _behind(coded, apart, rows)
    return seen[-1], {
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
