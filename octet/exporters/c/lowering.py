"""From a network to the plan of a C file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Codes, Grid
from octet.errors import OctetError
from octet.exporters.c import proof
from octet.exporters.c.plan import Image, Plan, Rows, Step, as_image
from octet.exporters.c.schedule import waiting_rows
from octet.layers import (
    Dequantize,
    Flatten,
    Layer,
    Quantize,
    Sigmoid,
    Signal,
    Softmax,
    Standardize,
    Value,
)
from octet.network import Network, label, sources
from octet.parameters import Quantized
from octet.signature import Images, Inputs, Shape

Doubles = npt.NDArray[np.float64]
_WHITEST = 255  # of a uint8_t


@dataclass(frozen=True)
class Entering:
    """How what goes into a network becomes codes.

    Attributes:
        image: what goes in.
        mean, std: of each channel; None where reals are taken as they are.
        grid: of the codes.
        pixels: ``(channels, white + 1)``, the code of each pixel; None where reals go in.
    """

    image: Image
    mean: Doubles | None
    std: Doubles | None
    grid: Grid
    pixels: Codes | None


@dataclass(frozen=True)
class Program:
    """A network in integers, as C computes it.

    Attributes:
        entering: how codes come to be.
        steps: what is done to them.
        waiting: rows kept of the input and of what each step gives.
        output: what comes out, in codes.
        left_out: the kinds of the layers behind these, which compute in float.
    """

    entering: Entering
    steps: tuple[Step, ...]
    waiting: tuple[int, ...]
    output: Rows
    left_out: tuple[str, ...]


def lower(network: Network) -> Program:
    """The program of a network that has layers in integers.

    Raises:
        OctetError: a layer cannot be in C, or something of it cannot be proven.
    """
    layers = network.layers
    start = next(i for i, layer in enumerate(layers) if isinstance(layer, Quantize))
    behind = [i for i, layer in enumerate(layers) if isinstance(layer, Dequantize)]
    end = behind[0] if behind else len(layers)
    _refuse_tail(layers, end)
    entering = _entering(network, start)
    plan, output = _steps(network, start, end, entering)
    for step in plan.steps:
        proof.refuse_unproven(step)
    return Program(
        entering,
        tuple(plan.steps),
        tuple(waiting_rows(plan.steps, entering.image[1], output.step)),
        output,
        tuple(layer.kind for layer in layers[end + 1 :]),
    )


def _steps(network: Network, start: int, end: int, entering: Entering) -> tuple[Plan, Rows]:
    """What the layers behind the Quantize are, and what the last of them gives."""
    layers, taken, plan = network.layers, sources(network.layers), Plan()
    rows = {start: Rows(-1, entering.image, network.signature.shape, entering.grid)}
    for i in range(start + 1, end):
        plan.layer = label(layers, i)
        if not all(j in rows for j in taken[i]):
            raise plan.refuse("it takes what is in front of quantize")
        plan.alone = _alone(i, rows, taken, plan.steps)
        rows[i] = layers[i].to_c(plan, *(rows[j] for j in taken[i]))
    output = rows[end - 1]
    if not plan.steps:
        plan.layer = label(layers, start)
        output = plan.table(output, np.arange(output.grid.top + 1), output.grid)
    return plan, output


def _alone(
    i: int, rows: Mapping[int, Rows], taken: Sequence[tuple[int, ...]], steps: Sequence[Step]
) -> bool:
    """Whether nothing but layer i takes what enters it, under whatever name it goes."""
    step = rows[taken[i][0]].step
    names = [place for place, each in rows.items() if each.step == step]
    users = {j for j, places in enumerate(taken) if set(names) & set(places)}
    return users <= {i, *names} and all(step not in each.sources for each in steps)


def _refuse_tail(layers: Sequence[Layer], end: int) -> None:
    """Raise an OctetError if what is in float behind the codes is more than their last word.

    Softmax and Sigmoid keep the order of the codes.
    """
    for i, taken in enumerate(sources(layers)[end:], end):
        if taken != (i - 1,):
            raise OctetError(
                f"layer {label(layers, i)}: behind dequantize C takes what the layer before gives, "
                "not another; it can be written with --onnx"
            )
    for i, layer in enumerate(layers[end + 1 :], end + 1):
        if not isinstance(layer, Softmax | Sigmoid | Flatten):
            raise OctetError(
                f"layer {label(layers, i)}: a {layer.kind} in float behind dequantize has no form "
                "in C yet; it can be written with --onnx"
            )


def _entering(network: Network, start: int) -> Entering:
    """What is in front of the codes.

    Raises:
        OctetError: it is more than one Standardize.
    """
    front = network.layers[:start]
    for i, layer in enumerate(front):
        if i or not isinstance(layer, Standardize):
            raise OctetError(
                f"layer {label(network.layers, i)}: in front of quantize C takes one standardize "
                f"alone, not a {layer.kind} yet; it can be written with --onnx"
            )
    scaler = front[0] if front else None
    shape = network.signature.shape
    signal = Signal(shape)
    for layer in network.layers[: start + 1]:
        signal = layer.signal(signal)
    if signal.grid is None:
        raise OctetError("the layer behind which codes begin has no grid")
    scaled = scaler if isinstance(scaler, Standardize) else None
    image = as_image(shape)
    return Entering(
        image,
        None if scaled is None else _by_channel(scaled.mean, shape),
        None if scaled is None else _by_channel(scaled.std, shape),
        signal.grid,
        _pixels(network.signature.inputs, network.layers[: start + 1]),
    )


def _by_channel(values: Doubles, shape: Shape) -> Doubles:
    """Numbers of the first axis, for the channels that a row of this shape lies as."""
    if len(shape) == 3:
        return values
    along = values.reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(along, shape).reshape(-1)


def _pixels(inputs: Inputs, front: Sequence[Layer]) -> Codes | None:
    """``(channels, white + 1)``: the code of each pixel; None where others go in, too."""
    if not isinstance(inputs, Images) or inputs.white > _WHITEST:
        return None
    each = np.arange(inputs.white + 1, dtype=np.float64).reshape(-1, 1, 1, 1)
    value: Value = np.broadcast_to(each, (len(each), inputs.shape[0], 1, 1))
    for layer in front:
        value = layer.forward(value)
    return value.codes.reshape(len(each), -1).T if isinstance(value, Quantized) else None
