"""C of a table's network that computes in float64: the bits of `octet predict`.

The weights of a linear layer stay codes, which C multiplies by their scale: that is exact.
Sums have the order of `octet.runtime.floating`, and nothing is contracted to a multiply-add.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Grid
from octet.errors import OctetError
from octet.exporters.c.text import array, single, template
from octet.layers import Layer, Linear, Standardize
from octet.layers.pointwise import Clipping
from octet.network import Network, label, signals, sources
from octet.parameters import Parameter, Quantized, values


@dataclass(frozen=True)
class Floats:
    """Parts of a file.

    Attributes:
        interface: the declarations.
        body: what stands behind them.
        constant_bytes: of the arrays.
    """

    interface: str
    body: str
    constant_bytes: int


def write(network: Network, name: str) -> Floats:
    """The parts of the file of a network in float.

    Args:
        network: of a table, without branches.
        name: what its names begin with.

    Raises:
        OctetError: a layer has no form in C in float; it is named.
    """
    shapes = [network.signature.shape, *(signal.shape for signal in signals(network))]
    _refuse(network)
    widths = [shape[0] for shape in shapes]
    file = _File(name)
    for i, layer in enumerate(network.layers):
        file.layer(i, layer, *widths[i : i + 2])
    words = {"COUNT_IN": str(widths[0]), "COUNT_OUT": str(widths[-1])}
    body = template("floats.c", name, {}) + "".join(file.parts) + _all(name, widths)
    return Floats(template("floats.h", name, words), body, file.bytes)


def _refuse(network: Network) -> None:
    taken = sources(network.layers)
    for i, layer in enumerate(network.layers):
        if not isinstance(layer, Standardize | Linear | Clipping):
            raise OctetError(
                f"layer {label(network.layers, i)}: a {layer.kind} in float has no form in C; "
                "quantize the network with activations: uint8"
            )
        if taken[i] != (i - 1,):
            raise OctetError(
                f"layer {label(network.layers, i)}: branches in float have no form in C; "
                "quantize the network with activations: uint8"
            )
    if len(network.signature.shape) != 1:
        raise OctetError(
            "images in float have no form in C; quantize the network with activations: uint8"
        )


class _File:
    def __init__(self, name: str) -> None:
        self._name = name
        self.parts: list[str] = []
        self.bytes = 0

    def layer(self, i: int, layer: Layer, entering: int, leaving: int) -> None:
        """Its arrays and its function."""
        words = {"_LAYER": f"_{i}"}
        match layer:
            case Standardize():
                self._doubles(f"mean_{i}", layer.mean)
                self._doubles(f"deviation_{i}", layer.std)
                self._add("standardize.c", words | {"COUNT": str(leaving)})
            case Linear():
                words["WEIGHT"] = self._weight(i, layer.weight, entering)
                self._doubles(f"bias_{i}", values(layer.bias))
                words |= {"INPUTS": str(entering), "OUTPUTS": str(leaving)}
                self._add("linear.c", words)
            case Clipping():
                self._add("clip.c", words | {"COUNT": str(leaving), "ENDS": _ends(layer)})

    def _weight(self, i: int, weight: Parameter, inputs: int) -> str:
        """The weight of output i and input j, in C."""
        if not isinstance(weight, Quantized):
            self._doubles(f"weights_{i}", values(weight))
            return f"{self._name}_weights_{i}[i * {inputs} + j]"
        grid = weight.grid
        number, width = ("uint8_t", 1) if grid.bits <= 8 else ("uint16_t", 2)
        self._array(number, f"codes_{i}", map(str, weight.codes.reshape(-1).tolist()), width)
        self._array(number, f"zeros_{i}", map(str, grid.zero_point.reshape(-1).tolist()), width)
        self._array("float", f"scales_{i}", map(single, grid.scale.reshape(-1).tolist()), 4)
        place = _place(grid, inputs)
        # Where int has 16 bits, two uint16_t would wrap.
        code = f"(int32_t){self._name}_codes_{i}[i * {inputs} + j]"
        zero = f"(int32_t){self._name}_zeros_{i}[{place}]"
        return f"(double)({code} - {zero}) * (double){self._name}_scales_{i}[{place}]"

    def _doubles(self, name: str, numbers: npt.NDArray[np.floating]) -> None:
        exact = numbers.astype(np.float64).reshape(-1).tolist()
        self._array("double", name, map(float.hex, exact), 8)

    def _array(self, kind: str, name: str, literals: Iterable[str], width: int) -> None:
        words = list(literals)
        self.bytes += width * len(words)
        self.parts.append(array(f"{kind} {self._name}_{name}[{len(words)}]", words))

    def _add(self, path: str, words: dict[str, str]) -> None:
        self.parts.append(template(path, self._name, words))


def _place(grid: Grid, inputs: int) -> str:
    """Where the scale of the weight of output i and input j is, in C."""
    rows, columns = grid.scale.shape or (1, 1)
    row = f"i * {columns}" if rows > 1 else ""
    column = "j" if columns > 1 and inputs > 1 else ""
    return " + ".join(filter(None, (row, column))) or "0"


def _ends(layer: Clipping) -> str:
    """The number x[i], clipped, in C."""
    low, high = layer.ends()
    above = f"(x[i] < {low.hex()} ? {low.hex()} : x[i])" if math.isfinite(low) else "x[i]"
    return f"{above} > {high.hex()} ? {high.hex()} : {above}" if math.isfinite(high) else above


def _all(name: str, widths: list[int]) -> str:
    """The function that runs all layers, from one array to another and back."""
    lines = [f"void {name}(const double *x, double *y)", "{"]
    last = len(widths) - 2
    if last > 0:
        widest = max(widths[1:-1])
        arrays = "first[{0}], second[{0}]" if last > 1 else "first[{0}]"
        lines.append(f"    double {arrays.format(widest)};")
    for i in range(last + 1):
        entering = "x" if i == 0 else ("second", "first")[i % 2]
        leaving = "y" if i == last else ("first", "second")[i % 2]
        lines.append(f"    {name}_layer_{i}({entering}, {leaving});")
    return "\n".join([*lines, "}", "", ""])
