"""Run an integer network as machine code of this computer: its C file, compiled.

The codes are those of `octet.runtime.integer`, bit by bit, and so are errors: what C does not take
as it is, goes through NumPy.
"""

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Array, Codes, Grid
from octet.errors import OctetError
from octet.exporters import c
from octet.layers import Dequantize, Layer, Quantize, Value, in_reals
from octet.modelfile.arrays import AnyArray
from octet.network import Network, signals
from octet.parameters import Quantized
from octet.runtime import compiled, floating, integer
from octet.signature import Images, Input, Shape

_NAME = "octet"
# Vectors of any machine are at home at such an address.
_ALIGNED = 64
# The file's functions take one row, and a call from Python takes longer than some networks.
_MANY = """
#include <stddef.h>
size_t octet_state_bytes(void);
size_t octet_state_bytes(void)
{
    return sizeof(octet_state);
}

void octet_many(octet_state *state, const NUMBER *rows, uint8_t *codes, size_t count);
void octet_many(octet_state *state, const NUMBER *rows, uint8_t *codes, size_t count)
{
    for (; count > 0; count--) {
        octet(state, rows, codes);
        rows += LENGTH;
        codes += OCTET_OUTPUTS;
    }
}
"""


@dataclass(frozen=True)
class Native:
    """A network as machine code; any number of threads may use it at once.

    Attributes:
        network: that it is.
        machine_code: its functions.
        number: what it takes.
        shape: of the codes of a row.
        grid: of these.
        front: the layers up to the first codes.
        tail: the layers behind the last.
    """

    network: Network
    machine_code: compiled.Library
    number: npt.DTypeLike
    shape: Shape
    grid: Grid
    front: tuple[Layer, ...]
    tail: tuple[Layer, ...]

    def run(self, x: Input) -> Array:
        """As `octet.runtime.integer.run`: the same outputs, and the same errors."""
        floating.refuse_input(self.network, x)
        rows = self._taken(x)
        if rows is None:
            return integer.run(self.network, x)
        value = _through(self.tail, Quantized(self.codes(rows), self.grid))
        return in_reals(value)

    def codes(self, rows: AnyArray) -> Codes:
        """The last codes of a network, ``(rows, …)``.

        Args:
            rows: ``(rows, …)``, of the type that the library takes, in C order.
        """
        functions = self.machine_code.functions
        size = functions.octet_state_bytes()
        state = np.empty(size + _ALIGNED, np.uint8)
        start = state.ctypes.data + -state.ctypes.data % _ALIGNED
        codes = np.empty((len(rows), *self.shape), np.uint8)
        functions.octet_many(start, rows.ctypes.data, codes.ctypes.data, len(rows))
        return codes

    def _taken(self, x: Input) -> AnyArray | None:
        """The rows as the library takes them; None if some are pixels that no uint8 is."""
        if self.number == np.float64:
            rows = x.astype(np.float64, order="C", copy=False)
            # C rounds to the nearest code what NumPy refuses as too large.
            for part in floating.batches(self.network, rows):
                _through(self.front, part.astype(np.float64, copy=False))
            return rows
        with np.errstate(invalid="ignore"):
            pixels = x.astype(np.uint8, order="C", copy=False)
        inputs = self.network.signature.inputs
        white = inputs.white if isinstance(inputs, Images) else 0
        same = pixels is x or np.array_equal(pixels, x)
        return pixels if same and np.max(pixels, initial=0) <= white else None


def load(network: Network) -> Native:
    """The network as machine code; what is compiled once, is kept: see `octet.runtime.compiled`.

    Raises:
        OctetError: it computes in float, has no form in C, or there is no C compiler that works.
    """
    if not integer.is_integer(network):
        raise OctetError("the network computes in float, and machine code is of integers alone")
    source = c.export(network, c.Options(_NAME, "x86"))
    length = math.prod(network.signature.shape)
    many = _MANY.replace("NUMBER", source.number).replace("LENGTH", str(length))
    library = compiled.load(source.c + many)
    _declare(library.functions)
    layers = network.layers
    start = next(i for i, layer in enumerate(layers) if isinstance(layer, Quantize))
    end = next((i for i, layer in enumerate(layers) if isinstance(layer, Dequantize)), len(layers))
    leaving = signals(network)[end - 1]
    if leaving.grid is None:
        raise OctetError("the last codes of the network have no grid")
    return Native(
        network,
        library,
        np.uint8 if source.number == "uint8_t" else np.float64,
        leaving.shape,
        leaving.grid,
        layers[: start + 1],
        layers[end:],
    )


def _through(layers: Sequence[Layer], value: Value) -> Value:
    for layer in layers:
        value = layer.forward(value)
    return value


def _declare(functions: ctypes.CDLL) -> None:
    functions.octet_state_bytes.restype = ctypes.c_size_t
    functions.octet_state_bytes.argtypes = []
    functions.octet_many.restype = None
    functions.octet_many.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_size_t]
