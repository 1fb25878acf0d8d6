"""One layer at a time: what a network scores with only that layer quantized, and all but that."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from octet.affine import Array
from octet.layers import Dequantize, Layer, Quantize, Weighted
from octet.network import Network, label, sources
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
    plain, coded = _in_float(reference, apart), apart.layers
    rows = x.astype(np.float64)
    taken = sources(coded)
    in_float, in_codes = _values(plain, taken, rows), _values(coded, taken, rows)

    def replaced(
        layers: Sequence[Layer], values: Mapping[int, Array], i: int, other: Layer
    ) -> Array:
        """The outputs of the layers with another in place i; ``values`` are theirs without it."""
        changed = {i: other.reals(*(values[j] for j in taken[i]))}
        for k in range(i + 1, len(layers)):
            if changed.keys() & set(taken[k]):
                entering = (changed.get(j, values[j]) for j in taken[k])
                changed[k] = layers[k].reals(*entering)
        return changed[len(layers) - 1]

    last = len(coded) - 1
    return in_float[last], {
        label(coded, i): (
            replaced(plain, in_float, i, layer),
            replaced(coded, in_codes, i, plain[i]),
        )
        for i, layer in enumerate(coded)
        if isinstance(layer, Weighted)
    }


def _in_float(reference: Network, apart: Network) -> list[Layer]:
    """The layers of the float network, in the places of the quantized one's."""
    plain = iter(reference.layers)
    # Where the other has codes begin or end, the rows pass as they are.
    return [
        Dequantize() if isinstance(layer, Quantize | Dequantize) else next(plain)
        for layer in apart.layers
    ]


def _values(
    layers: Sequence[Layer], taken: Sequence[tuple[int, ...]], rows: Array
) -> dict[int, Array]:
    """What comes out of each layer, by its place, and the rows themselves as -1."""
    values = {-1: rows}
    for i, entering in enumerate(taken):
        values[i] = layers[i].reals(*(values[j] for j in entering))
    return values
