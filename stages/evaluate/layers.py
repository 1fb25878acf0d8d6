"""What is known of single layers: their size, their rounding, what quantizing each alone costs."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from octet.affine import Array
from octet.layers import Weighted
from octet.network import Network, label
from octet.parameters import values
from stages.dataset import Dataset
from stages.evaluate import sensitivity
from stages.metrics import Groups
from stages.tasks import task_of

# The sensitivity of layers takes some 40 runs of the network: on this many of the test rows.
_SENSITIVITY_ROWS = 500


def table(
    reference: Network,
    quantized: Network,
    apart: Mapping[int, Network],
    data: Dataset,
    on_width: Callable[[], object],
) -> Groups:
    """All that is known of single layers, by their label.

    Args:
        reference: in float.
        quantized: the same in codes.
        apart: by width, the same with each layer quantized as if it were the only one.
        data: of whose test rows the first are scored.
        on_width: called when one of ``apart`` is done.
    """
    x, truth = data.x_test[:_SENSITIVITY_ROWS], data.y_test[:_SENSITIVITY_ROWS]
    headline = task_of(data.signature).headline
    tables: dict[str, object] = {"rows": len(x)}
    for bits, each in apart.items():
        tables[f"{bits}_bits"] = sensitivity.table(
            reference, each, x, lambda outputs: headline(truth, outputs)
        )
        on_width()
    return {
        "parameters": _moved(reference, quantized),
        "rounding": quantized.rounding,
        "sensitivity": tables,
    }


def count(network: Network) -> int:
    """How many weights and biases a network has."""
    return sum(weight.size + bias.size for _, weight, bias in _parameters(network))


def _moved(reference: Network, quantized: Network) -> dict[str, dict[str, float]]:
    """By layer, how many weights and biases it has, and how far quantization moves them."""
    pairs = zip(_parameters(reference), _parameters(quantized), strict=True)
    return {
        name: {
            "count": weight.size + bias.size,
            "weight_mean_abs": float(np.mean(np.abs(other_weight - weight))),
            "weight_max_abs": float(np.max(np.abs(other_weight - weight))),
            "bias_max_abs": float(np.max(np.abs(other_bias - bias))),
        }
        for (name, weight, bias), (_, other_weight, other_bias) in pairs
    }


def _parameters(network: Network) -> Iterator[tuple[str, Array, Array]]:
    """Label, weight and bias of each layer that has them, as reals."""
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Weighted):
            yield label(network.layers, i), values(layer.weight), values(layer.bias)
