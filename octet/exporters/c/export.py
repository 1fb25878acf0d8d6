"""From a network to the text of a C file, and of its header if it has one."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.exporters.c import floats, lowering, small, text, x86
from octet.exporters.c.lowering import Program
from octet.exporters.c.plan import Sum, Sums
from octet.layers import Weighted
from octet.network import Network, signals
from octet.parameters import shape_of
from octet.runtime import integer
from octet.signature import Classes, Columns, Images

# Who writes integers for what: memory first, or speed.
TARGETS = {"small": small.write, "x86": x86.write}
_COMPILE = "Compile it with any C99 compiler: cc -std=c99 -O2 -c."
_INCLUDES = "#include <float.h>\n#include <stdint.h>\n#include <string.h>\n\n"


@dataclass(frozen=True)
class Options:
    """What a C file is to be like.

    Attributes:
        name: what all its names begin with.
        target: which of `TARGETS` it is for; a network in float is the same for all.
        header: the name of the header that it includes; None: declarations are in the file.
        origin: what the comment at its top says of the model, a paragraph each.
    """

    name: str = "octet"
    target: str = "small"
    header: str | None = None
    origin: Sequence[str] = ()


@dataclass(frozen=True)
class Selftest:
    """Rows, and what must come out.

    Attributes:
        rows: ``(rows, numbers)``, in C order.
        expected: ``(rows, outputs)``: codes; of a network in float, float64.
    """

    rows: npt.NDArray[np.number]
    expected: npt.NDArray[np.number]


@dataclass(frozen=True)
class Source:
    """What is to be written.

    Attributes:
        c: the file.
        header: its header, empty if it has none.
        number: the type of C of what goes in.
        constant_bytes, state_bytes: of constants, and of the caller's struct.
        multiply_adds: for one row: products of a weight and a number.
    """

    c: str
    header: str
    number: str
    constant_bytes: int
    state_bytes: int
    multiply_adds: int


@dataclass(frozen=True)
class _Parts:
    """Of a file: paragraphs of its comment, declarations, and what stands behind them.

    Attributes:
        test: the template of its self-test.
        number: the type of what goes in.
        constant_bytes, state_bytes, multiply_adds: as of `Source`.
    """

    about: Sequence[str]
    interface: str
    body: str
    test: str
    number: str
    constant_bytes: int
    state_bytes: int
    multiply_adds: int


def export(network: Network, options: Options, selftest: Selftest | None = None) -> Source:
    """The C file of a network: in integers, or that of a table in float64.

    Args:
        network: see there.
        options: see there.
        selftest: rows to check the compiled file by.

    Raises:
        OctetError: a layer cannot be in C, what it computes cannot be proven, or a name is none.
    """
    text.refuse_name(options.name)
    if options.header is not None:
        text.refuse_header(options.header)
    parts = (_integers if integer.is_integer(network) else _floats)(network, options)
    about = _comment([parts.about[0], *options.origin, *parts.about[1:]])
    if options.header is None:
        start, header = parts.interface, ""
    else:
        start, header = f"#include {text.string(options.header)}\n\n", about + parts.interface
    tail = "" if selftest is None else _selftest(selftest, options.name, parts)
    body = f"{about}{_INCLUDES}{start}{parts.body}{_labels(network, options.name)}{tail}"
    counts = parts.constant_bytes, parts.state_bytes, parts.multiply_adds
    return Source(body, header, parts.number, *counts)


def _integers(network: Network, options: Options) -> _Parts:
    program = lowering.lower(network)
    number = "double" if program.entering.pixels is None else "uint8_t"
    parts = TARGETS[options.target](program, options.name)
    outputs = int(np.prod(program.output.shape))
    about = [
        "A network in integers, written by Octet. It gives the codes of `octet predict`.",
        f"In: {_what_enters(network)}. Out: {outputs} codes of {network.signature.outputs.column}, "
        "each of which stands for (code - ZERO_POINT) * SCALE.",
        f"Constants: {parts.constant_bytes} bytes of flash, beside the code. The struct: "
        f"{parts.state_bytes} bytes of RAM, the caller's. Nothing is allocated, nothing is kept "
        "between calls but in the struct, and no function calls itself.",
        f"{_COMPILE} -D{options.name.upper()}_INTEGERS=1 multiplies in integers, not in float32: "
        "the same codes, for processors without a unit for it, which do so unasked.",
    ]
    if program.entering.pixels is None or any(isinstance(step, Sum) for step in program.steps):
        about[-1] += " It divides, in IEEE order: -ffast-math is refused by an #error."
    if program.left_out:
        kinds = ", ".join(program.left_out)
        about.append(f"Behind the codes, and not in here: {kinds}. It leaves their order.")
    interface = _interface(program, options.name, number, outputs, parts.state)
    products = sum(step.multiply_adds for step in program.steps if isinstance(step, Sums))
    counts = parts.constant_bytes, parts.state_bytes, products
    return _Parts(about, interface, parts.body, "selftest.c", number, *counts)


def _floats(network: Network, options: Options) -> _Parts:
    parts = floats.write(network, options.name)
    numbers = signals(network)[-1].shape[0]
    about = [
        "A network in float64, written by Octet. It gives the outputs of `octet predict`, to the "
        "last bit.",
        f"In: {_what_enters(network)}. Out: {numbers} numbers of "
        f"{network.signature.outputs.column}.",
        f"Constants: {parts.constant_bytes} bytes of flash, beside the code.",
        f"{_COMPILE} Not with -ffast-math, for x87, or where double has 32 bits: an #error says "
        "so.",
    ]
    weights = [layer.weight for layer in network.layers if isinstance(layer, Weighted)]
    counts = parts.constant_bytes, 0, sum(math.prod(shape_of(weight)) for weight in weights)
    return _Parts(about, parts.interface, parts.body, "floats_test.c", "double", *counts)


def _what_enters(network: Network) -> str:
    inputs = network.signature.inputs
    if isinstance(inputs, Columns):
        return f"{len(inputs.features)} features"
    numbers = "pixels of an image" if isinstance(inputs, Images) else "numbers"
    return f"{' x '.join(map(str, inputs.shape))} {numbers}"


def _comment(paragraphs: Sequence[str]) -> str:
    """A comment of these."""
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += [*textwrap.wrap(text.comment(paragraph), 94), ""]
    body = "\n".join(f" * {line}".rstrip() for line in lines[:-1])
    return f"/*\n{body}\n */\n"


def _interface(program: Program, name: str, number: str, outputs: int, state: Sequence[str]) -> str:
    """The declarations."""
    channels, height, width = program.entering.image
    grid = program.output.grid
    words = {
        "GRID_SCALE": float(grid.scale).hex(),
        "GRID_ZERO": str(int(grid.zero_point)),
        "COUNT_OUT": str(outputs),
        "IN_CHANNELS": str(channels),
        "IN_HEIGHT": str(height),
        "IN_WIDTH": str(width),
        "FIELDS": "\n".join(f"    {line}" for line in state).lstrip(),
        "NUMBER": number,
    }
    return text.template("interface.h", name, words)


def _labels(network: Network, name: str) -> str:
    """Names of classes and features, for whoever asks for them."""
    tables, signature = [], network.signature
    if isinstance(signature.outputs, Classes):
        tables.append(("classes", signature.outputs.classes))
    if isinstance(signature.inputs, Columns):
        tables.append(("features", signature.inputs.features))
    lines = ""
    for table, names in tables:
        body = "\n".join(f"    {text.string(each)}," for each in names)
        declaration = f"const char *const {name}_{table}[{len(names)}]"
        lines += f"extern {declaration};\n{declaration} = {{\n{body}\n}};\n\n"
    return f"#ifdef {name.upper()}_LABELS\n{lines}#endif\n" if lines else ""


def _selftest(selftest: Selftest, name: str, parts: _Parts) -> str:
    """A main that counts the rows of which something else comes out."""
    expected = "double" if parts.test == "floats_test.c" else "uint8_t"
    arrays = _numbers(parts.number, f"{name}_rows", selftest.rows)
    arrays += _numbers(expected, f"{name}_expected", selftest.expected)
    count, length = selftest.rows.shape
    main = text.template(parts.test, name, {"ROWS": str(count), "LENGTH": str(length)})
    return f"\n#ifdef {name.upper()}_SELFTEST\n{arrays}{main}#endif\n"


def _numbers(kind: str, name: str, numbers: npt.NDArray[np.number]) -> str:
    flat = numbers.reshape(-1).astype(np.float64).tolist()
    literals = [x.hex() if kind == "double" else str(int(x)) for x in flat]
    return text.array(f"{kind} {name}[{len(flat)}]", literals)
