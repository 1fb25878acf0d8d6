"""From a network to the text of a C file, and of its header if it has one."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from octet.affine import Codes
from octet.exporters.c import lowering, small, text
from octet.exporters.c.lowering import Program
from octet.network import Network
from octet.signature import Classes, Columns, Images


@dataclass(frozen=True)
class Options:
    """What a C file is to be like.

    Attributes:
        name: what all its names begin with.
        header: the name of the header that it includes; None: declarations are in the file.
        origin: what the comment at its top says of the model, a line each.
    """

    name: str = "octet"
    header: str | None = None
    origin: Sequence[str] = ()


@dataclass(frozen=True)
class Selftest:
    """Rows, and the codes that must come out.

    Attributes:
        rows: ``(rows, numbers)``, in C order.
        codes: ``(rows, outputs)``.
    """

    rows: npt.NDArray[np.number]
    codes: Codes


@dataclass(frozen=True)
class Source:
    """What is to be written.

    Attributes:
        c: the file.
        header: its header, empty if it has none.
        constant_bytes, state_bytes: of constants and of the caller's struct.
    """

    c: str
    header: str
    constant_bytes: int
    state_bytes: int


def export(network: Network, options: Options, selftest: Selftest | None = None) -> Source:
    """The C file of a network in integers.

    Args:
        network: quantized, activations in codes.
        options: see there.
        selftest: rows to check the compiled file by.

    Raises:
        OctetError: a layer cannot be in C, what it computes cannot be proven, or the name is none.
    """
    text.refuse_name(options.name)
    program = lowering.lower(network)
    reals = program.entering.pixels is None
    parts = small.write(program, options.name)
    interface = _interface(program, options, parts.state)
    about = _about(network, program, options, parts)
    if options.header is None:
        start, header = interface, ""
    else:
        start, header = f"#include {text.string(options.header)}\n\n", about + interface
    tail = "" if selftest is None else _selftest(selftest, options.name, reals)
    includes = "#include <float.h>\n#include <stdint.h>\n#include <string.h>\n\n"
    body = f"{about}{includes}{start}{parts.body}{_labels(network, options.name)}{tail}"
    return Source(body, header, parts.constant_bytes, parts.state_bytes)


def _about(network: Network, program: Program, options: Options, parts: small.Parts) -> str:
    """The comment at the top."""
    inputs, outputs = network.signature.inputs, network.signature.outputs
    if isinstance(inputs, Columns):
        what = f"{len(inputs.features)} features"
    else:
        numbers = "pixels of an image" if isinstance(inputs, Images) else "numbers"
        what = f"{' x '.join(map(str, inputs.shape))} {numbers}"
    paragraphs = [
        "A network in integers, written by Octet. It gives the codes of `octet predict`.",
        *options.origin,
        f"In: {what}. Out: {int(np.prod(program.output.shape))} codes of {outputs.column}, each of "
        "which stands for (code - ZERO_POINT) * SCALE.",
        f"Constants: {parts.constant_bytes} bytes of flash, beside the code. The struct: "
        f"{parts.state_bytes} bytes of RAM, the caller's. Nothing is allocated, nothing is kept "
        "between calls but in the struct, and no function calls itself.",
        "Compile it with any C99 compiler: cc -std=c99 -O2 -c. "
        f"-D{options.name.upper()}_INTEGERS=1 multiplies in integers, not in float32: the same "
        "codes, for processors without a unit for it, which do so unasked.",
    ]
    if program.left_out:
        kinds = ", ".join(program.left_out)
        paragraphs.append(f"Behind the codes, and not in here: {kinds}. It leaves their order.")
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += [*textwrap.wrap(text.comment(paragraph), 94), ""]
    body = "\n".join(f" * {line}".rstrip() for line in lines[:-1])
    return f"/*\n{body}\n */\n"


def _interface(program: Program, options: Options, state: Sequence[str]) -> str:
    """The declarations."""
    channels, height, width = program.entering.image
    grid = program.output.grid
    return text.template(
        "interface.h",
        options.name,
        {
            "GRID_SCALE": float(grid.scale).hex(),
            "GRID_ZERO": str(int(grid.zero_point)),
            "COUNT_OUT": str(int(np.prod(program.output.shape))),
            "IN_CHANNELS": str(channels),
            "IN_HEIGHT": str(height),
            "IN_WIDTH": str(width),
            "FIELDS": "\n".join(f"    {line}" for line in state).lstrip(),
            "NUMBER": "double" if program.entering.pixels is None else "uint8_t",
        },
    )


def _labels(network: Network, name: str) -> str:
    """Names of classes and features, for whoever asks for them."""
    tables, signature = [], network.signature
    if isinstance(signature.outputs, Classes):
        tables.append(("classes", signature.outputs.classes))
    if isinstance(signature.inputs, Columns):
        tables.append(("features", signature.inputs.features))
    if not tables:
        return ""
    upper, lines = name.upper(), ""
    for table, names in tables:
        body = "\n".join(f"    {text.string(each)}," for each in names)
        declaration = f"const char *const {name}_{table}[{len(names)}]"
        lines += f"extern {declaration};\n{declaration} = {{\n{body}\n}};\n\n"
    return f"#ifdef {upper}_LABELS\n{lines}#endif\n"


def _selftest(selftest: Selftest, name: str, reals: bool) -> str:
    """A main that counts the rows whose codes are others."""
    if reals:
        numbers = [float(x).hex() for x in selftest.rows.reshape(-1)]
    else:
        numbers = [str(int(x)) for x in selftest.rows.reshape(-1)]
    number = "double" if reals else "uint8_t"
    count, size = selftest.rows.shape
    codes = selftest.codes.reshape(-1)
    rows_of = text.array(f"{number} {name}_rows[{count * size}]", numbers)
    codes_of = text.array(f"uint8_t {name}_codes[{codes.size}]", map(str, codes.tolist()))
    words = {"ROWS": str(count), "LENGTH": str(size)}
    main = text.template("selftest.c", name, words)
    return f"\n#ifdef {name.upper()}_SELFTEST\n{rows_of}{codes_of}{main}#endif\n"
