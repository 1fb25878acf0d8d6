"""What changes the shape of a row, and none of its numbers."""

import math

from octet.errors import OctetError
from octet.importers.operators.node import Node, operator
from octet.importers.operators.windows import axes_of
from octet.importers.wiring import Layers
from octet.layers import Flatten, Reshape
from octet.signature import Shape


@operator("Flatten")
def _flatten(node: Node, layers: Layers) -> None:
    node.refuse_other(axis=1)
    layers.add(node.output, Flatten(), node.inputs[0])


@operator("Reshape")
def _reshape(node: Node, layers: Layers) -> None:
    wanted = node.option(1)
    if wanted is None or wanted.shape in ((), (0,)):
        raise OctetError("shape: missing; allowed is (rows, …)")
    if 0 in wanted:
        node.refuse_other(allowzero=0)
    before = layers.tensor(node.inputs[0]).shape
    first, *rest = (int(side) for side in wanted)
    sides = [before[i] if side == 0 and i < len(before) else side for i, side in enumerate(rest)]
    if sides.count(-1) == 1:
        sides[sides.index(-1)] = math.prod(before) // max(1, -math.prod(sides))
    if first not in (-1, 0, 1) or math.prod(sides) != math.prod(before):
        raise OctetError(f"shape: got {wanted.tolist()}; allowed is what keeps rows apart")
    _to(node, layers, tuple(sides))


@operator("Squeeze")
def _squeeze(node: Node, layers: Layers) -> None:
    axes = axes_of(node)
    before = layers.tensor(node.inputs[0]).shape
    if axes is None:
        raise OctetError("axes: missing; allowed are those of length 1, but the first")
    dropped = {int(axis) % (1 + len(before)) - 1 for axis in axes}
    if any(axis < 0 or before[axis] != 1 for axis in dropped):
        raise OctetError(f"axes: got {axes}; allowed are those of length 1, but the first")
    _to(node, layers, tuple(side for i, side in enumerate(before) if i not in dropped))


@operator("Transpose")
def _transpose(node: Node, layers: Layers) -> None:
    before = layers.tensor(node.inputs[0]).shape
    order = [int(axis) - 1 for axis in node.attributes.get("perm", [])]
    moved = [axis for axis in order[1:] if before[axis] != 1]
    if not order or order[0] != -1 or moved != sorted(moved):
        raise OctetError("perm: allowed is what leaves the numbers of a row in their order")
    _to(node, layers, tuple(before[axis] for axis in order[1:]))


def _to(node: Node, layers: Layers, shape: Shape) -> None:
    layers.add(node.output, Reshape(shape), node.inputs[0])
