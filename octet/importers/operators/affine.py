"""What multiplies each channel or feature by a constant and adds another: a scaler, mostly.

It is folded into the weighted sum before it. In front of all layers it is a Standardize, which
stays in float64, so that features of unlike units come to one size before they share a grid.
Anywhere else it is a sum of its own.
"""

from dataclasses import replace

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.importers.operators.node import Node, operator, singles
from octet.importers.wiring import Layers
from octet.layers import Add, Conv2d, Layer, Linear, Standardize, Weighted
from octet.layers.batch_normalization import BatchNormalization
from octet.signature import Shape

# Numbers: as a sum of its own it has one for each pair of features.
_MOST_WEIGHTS = 1 << 24


def scale_and_shift(result: str, taken: str, layers: Layers, factor: Array, shift: Array) -> None:
    """Layers for y = factor x + shift, of each channel by itself.

    Args:
        result: the name of y.
        taken: that of x.
        layers: so far.
        factor, shift: ``(channels,)``, or of one number for all.

    Raises:
        OctetError: a number is not finite, or there are too many channels for a sum.
    """
    shape = layers.tensor(taken).shape
    factor, shift = (np.broadcast_to(each, shape[:1]).astype(float) for each in (factor, shift))
    if not np.all(np.isfinite(factor)) or not np.all(np.isfinite(shift)):
        raise OctetError("multiplies by or adds a number that is not finite")
    with np.errstate(over="ignore", invalid="ignore"):  # such layers are refused
        _add_scaled(result, taken, layers, factor, shift)


def _add_scaled(result: str, taken: str, layers: Layers, factor: Array, shift: Array) -> None:
    shape, source = layers.tensor(taken).shape, layers.only_source(taken)
    if isinstance(source, Weighted):
        one, none = np.ones_like(factor), np.zeros_like(factor)
        folded = BatchNormalization(factor, shift, none, one, 0.0).fold(source)
        layers.merge(result, taken, folded)
    elif np.all(factor > 0) and isinstance(source, Standardize):
        mean, std = source.mean - shift * source.std / factor, source.std / factor
        layers.merge(result, taken, replace(source, mean=mean, std=std))
    elif np.all(factor > 0) and layers.is_input(taken):
        layers.add(result, Standardize(-shift / factor, 1 / factor), taken)
    else:
        layers.add(result, _sum_of_its_own(shape, factor, shift), taken)


def _sum_of_its_own(shape: Shape, factor: Array, shift: Array) -> Layer:
    if len(shape) == 1:
        if len(factor) ** 2 > _MOST_WEIGHTS:
            raise OctetError(
                f"got {len(factor)} features, each with a factor, and no sum before them to fold "
                f"those into; allowed are {int(_MOST_WEIGHTS**0.5)}"
            )
        return Linear(singles(np.diag(factor)), singles(shift))
    kernel = singles(factor.reshape(-1, 1, 1, 1))
    return Conv2d(kernel, singles(shift), groups=len(factor))


@operator("Add", "Sub")
def _add(node: Node, layers: Layers) -> None:
    known = [i for i in (0, 1) if node.constant(i) is not None]
    if not known:
        if node.operator == "Sub":
            raise OctetError("got two computed tensors; allowed is a constant among them")
        layers.add(node.output, Add(), *node.inputs)
        return
    place = known[0]
    taken, shift = node.inputs[1 - place], node.weights(place)
    # x + c, x - c and c - x.
    x_sign, c_sign = (1, 1) if node.operator == "Add" else (1, -1) if place == 1 else (-1, 1)
    each = of_each_output(shift, layers.tensor(taken).shape)
    scale_and_shift(node.output, taken, layers, np.array([x_sign]), c_sign * each)


@operator("Mul", "Div")
def _multiply(node: Node, layers: Layers) -> None:
    known = [i for i in (0, 1) if node.constant(i) is not None]
    if not known or (node.operator == "Div" and known != [1]):
        raise OctetError("allowed is a computed tensor, times or over a constant")
    taken = node.inputs[1 - known[0]]
    each = of_each_output(node.weights(known[0]), layers.tensor(taken).shape)
    if node.operator == "Div" and not np.all(each):
        raise OctetError("got a division by 0")
    with np.errstate(over="ignore"):
        factor = each if node.operator == "Mul" else 1 / each
    scale_and_shift(node.output, taken, layers, factor, np.zeros(1))


def of_each_output(constant: Array, shape: Shape) -> Array:
    """A constant that meets rows of this shape, of each output: ``(outputs,)`` or ``(1,)``.

    Raises:
        OctetError: it differs within an output.
    """
    wide = (1,) * (1 + len(shape) - constant.ndim) + constant.shape
    if wide not in ((1, size, *[1] * (len(shape) - 1)) for size in (1, shape[0])):
        raise OctetError(
            f"got a constant of shape {constant.shape}, which is no bias of the layer before: it "
            f"must be the same for all but the {shape[0]} outputs"
        )
    return constant.reshape(-1)


@operator("BatchNormalization")
def _batch_normalization(node: Node, layers: Layers) -> None:
    node.refuse_other(training_mode=0)
    taken = node.inputs[0]
    channels = layers.tensor(taken).shape[0]
    gamma, beta, mean, variance = (node.weights(i, (channels,)) for i in range(1, 5))
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    if np.any(variance + epsilon <= 0):
        raise OctetError(f"input 4 ({node.inputs[4]}): got a negative variance, or 0")
    normalization = BatchNormalization(gamma, beta, mean, variance, epsilon)
    scale_and_shift(node.output, taken, layers, *normalization.factor_and_shift())
