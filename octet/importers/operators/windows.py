"""Windows over images: pooling, padding, and the attributes that Conv shares with them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from octet.errors import OctetError
from octet.importers.operators.node import Node, operator
from octet.importers.wiring import Layers
from octet.layers import AveragePool, GlobalAveragePool, MaxPool, Pad, Reshape
from octet.layers.windows import Padding, Sides, refuse_no_image, window


@operator("MaxPool")
def _max_pool(node: Node, layers: Layers) -> None:
    sides, stride, padding = window_of(node, layers)
    layers.add(node.output, MaxPool(sides, stride, padding), node.inputs[0])


@operator("AveragePool")
def _average_pool(node: Node, layers: Layers) -> None:
    sides, stride, padding = window_of(node, layers)
    entering = node.inputs[0]
    if any(padding):
        if not node.attributes.get("count_include_pad", 0):
            raise OctetError("got padding that does not count; allowed is count_include_pad = 1")
        layers.add(f"{node.output}:pad", Pad(padding), entering)
        entering = f"{node.output}:pad"
    layers.add(node.output, AveragePool(sides, stride), entering)


@operator("GlobalAveragePool")
def _global_average_pool(node: Node, layers: Layers) -> None:
    _mean_of_images(node, layers, keep=True)


@operator("ReduceMean")
def _reduce_mean(node: Node, layers: Layers) -> None:
    axes = axes_of(node)
    rank = 1 + len(layers.tensor(node.inputs[0]).shape)
    if axes is None or sorted(int(axis) % rank for axis in axes) != [2, 3] or rank != 4:
        raise OctetError(f"axes: got {axes}; allowed are those of height and width")
    _mean_of_images(node, layers, keep=bool(node.attributes.get("keepdims", 1)))


def axes_of(node: Node) -> npt.NDArray[Any] | None:
    """An attribute, or since opset 13 (of ReduceMean: 18) a second input."""
    attribute = node.attributes.get("axes")
    return node.option(1) if attribute is None else np.asarray(attribute)


def _mean_of_images(node: Node, layers: Layers, *, keep: bool) -> None:
    pooled = f"{node.output}:pooled" if keep else node.output
    layers.add(pooled, GlobalAveragePool(), node.inputs[0])
    if keep:
        layers.add(node.output, Reshape((*layers.tensor(pooled).shape, 1, 1)), pooled)


@operator("Pad")
def _pad(node: Node, layers: Layers) -> None:
    pads, value, axes = (node.option(i) for i in (1, 2, 3))
    listed = [int(n) for n in (node.attributes.get("pads", []) if pads is None else pads)]
    node.refuse_other(mode=b"constant")
    chosen = range(4) if axes is None else [int(axis) % 4 for axis in axes]
    around = dict(zip([*chosen, *(4 + axis for axis in chosen)], listed, strict=False))
    if (
        len(listed) != 2 * len(chosen)
        or any(around.get(i, 0) for i in (0, 1, 4, 5))
        or (value is not None and np.any(value != 0))
    ):
        raise OctetError(f"pads: got {listed}; allowed are zeros around images")
    top, left, bottom, right = (around.get(i, 0) for i in (2, 3, 6, 7))
    layers.add(node.output, Pad((top, left, bottom, right)), node.inputs[0])


def window_of(node: Node, layers: Layers) -> tuple[Sides, Sides, Padding]:
    """Sides, stride and padding of a pooling; an OctetError where one would leave the image."""
    node.refuse_other(dilations=[1, 1], storage_order=0)
    sides = sides_of(node.attributes["kernel_shape"])
    stride = sides_of(node.attributes.get("strides", [1, 1]))
    padding = padding_of(node, layers, sides, stride)
    if node.attributes.get("ceil_mode", 0):
        window(sides, stride, padding).positions(layers.tensor(node.inputs[0]).shape)
        height, width = layers.tensor(node.inputs[0]).shape[1:]
        lengths = height + padding[0] + padding[2], width + padding[1] + padding[3]
        rest = [(n - s) % d for n, s, d in zip(lengths, sides, stride, strict=True)]
        if any(rest):
            raise OctetError("ceil_mode: got 1, and windows that leave the image; allowed is 0")
    return sides, stride, padding


def sides_of(value: Any) -> Sides:
    """Height and width; an OctetError for another number of axes."""
    if len(value) != 2:
        raise OctetError(f"got {len(value)} axes of a window; allowed are 2")
    return int(value[0]), int(value[1])


def padding_of(node: Node, layers: Layers, sides: Sides, stride: Sides) -> Padding:
    """What ``pads`` says, or ``auto_pad``: as many positions as strides fit into the image."""
    automatic = node.attributes.get("auto_pad", b"NOTSET").decode()
    if automatic == "NOTSET":
        pads = [int(pad) for pad in node.attributes.get("pads", [0, 0, 0, 0])]
        if len(pads) != 4 or min(pads) < 0:
            raise OctetError(f"pads: got {pads}; allowed are four from 0")
        return pads[0], pads[1], pads[2], pads[3]
    node.refuse_other(pads=[0, 0, 0, 0])
    if automatic == "VALID":
        return 0, 0, 0, 0
    if automatic not in ("SAME_UPPER", "SAME_LOWER"):
        raise OctetError(f"auto_pad: got {automatic}; allowed are what the standard names")
    refuse_no_image(layers.tensor(node.inputs[0]).shape)
    before, after = [], []
    lengths = layers.tensor(node.inputs[0]).shape[1:]
    for length, side, step in zip(lengths, sides, stride, strict=True):
        total = max((-(-length // step) - 1) * step + side - length, 0)
        less, more = total // 2, total - total // 2
        before.append(less if automatic == "SAME_UPPER" else more)
        after.append(more if automatic == "SAME_UPPER" else less)
    return before[0], before[1], after[0], after[1]
