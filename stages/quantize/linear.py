"""Quantize one linear layer: choose its grid, round its weights, and say how good that is."""

import numpy as np

from octet.affine import code_dtype, refuse_not_finite
from octet.errors import OctetError
from octet.network import Array, Linear, Quantized, values
from stages.params import Quant
from stages.quantize import grids
from stages.quantize.hessian import factor, output_error, second_moments
from stages.quantize.rounding import lattice, nearest
from stages.quantize.search import best_shrink, round_rows


def quantize(
    layer: Linear, inputs: Array, quant: Quant, name: str
) -> tuple[Linear, dict[str, float]]:
    """The layer in codes, and what is known of their rounding.

    Args:
        layer: weight ``(rows, inputs)`` and bias ``(rows,)``, in float.
        inputs: what the layer gets to see in training, ``(samples, inputs)``.
        quant: how.
        name: what to call the layer in an error.

    Returns:
        The layer, and: ``output_error``, eᵀHe summed over rows, the mean squared error that the
        codes cause at the outputs over ``inputs``; ``nearest_error``, the same for
        round-to-nearest on the same grid; ``lower_bound``, which no codes on this grid can
        undercut (0 unless rounding is exact); ``rows``, and of how many the codes are proven
        optimal, ``rows_proven``.

    Raises:
        OctetError: weights or inputs that are not finite or too large, or a range too wide for a
            float32.
    """
    weight, bias = values(layer.weight), values(layer.bias)
    refuse_not_finite(weight, f"{name}: weight")
    refuse_not_finite(bias, f"{name}: bias")
    refuse_not_finite(inputs, f"{name}: inputs")
    with np.errstate(over="ignore", invalid="ignore"):
        hessian = second_moments(inputs)
    if not np.all(np.isfinite(hessian)):
        raise OctetError(
            f"{name}: inputs: got up to {np.max(np.abs(inputs)):g}; allowed is what can be squared "
            "and summed: rescale the features"
        )
    # Per parameter, a range ends at its only weight and loses nothing: nothing to search for.
    searched = quant.range == "mse" and quant.granularity != "per_parameter"
    shrink = best_shrink(weight, bias, hessian, quant) if searched else None
    chosen = grids.choose(weight, bias, quant, shrink)
    rows = lattice(weight, bias, chosen.weight, chosen.bias)
    codes, certificates = round_rows(rows, hessian, quant.rounding)

    r = factor(hessian)
    quantized = Linear(
        Quantized(codes[:, :-1].astype(code_dtype(chosen.weight.bits)), chosen.weight),
        Quantized(codes[:, -1].astype(code_dtype(chosen.bias.bits)), chosen.bias),
    )
    return quantized, {
        "output_error": float(np.sum(output_error(rows.errors(codes), r))),
        "nearest_error": float(np.sum(output_error(rows.errors(nearest(rows)), r))),
        "lower_bound": sum(certificate.bound for certificate in certificates),
        "rows": len(weight),
        "rows_proven": sum(certificate.proven for certificate in certificates),
    }
