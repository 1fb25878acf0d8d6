"""python -m octet export: a model file in another format."""

import argparse
from pathlib import Path

import numpy as np

from octet import files, provenance
from octet.cli.command import Parser
from octet.cli.rows import read_rows
from octet.errors import OctetError
from octet.exporters import c
from octet.modelfile import storage
from octet.network import Network
from octet.rows.csv import CSV
from octet.runtime import floating, integer

# Rows that a file checks itself by: enough to see every code path, few enough for a device.
_SELFTEST_ROWS = 10


def arguments(prog: str) -> Parser:
    """What the command is given."""
    parser = Parser(prog, description="Write a model in another format.")
    parser.add_argument("model", type=Path, help="a model file of Octet")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--onnx", type=Path, metavar="OUT", help="an ONNX model to write")
    target.add_argument("--c", type=Path, metavar="OUT", help="a C99 file to write: docs/device.md")
    parser.add_argument(
        "--target", choices=c.TARGETS, help="with --c: devices, or PCs; without it, small"
    )
    parser.add_argument("--header", type=Path, metavar="OUT", help="with --c: its header, apart")
    parser.add_argument("--name", help="with --c: what its names begin with; without it, octet")
    for limit, of in (("flash", "constants"), ("ram", "the struct")):
        parser.add_argument(
            f"--{limit}", type=int, metavar="BYTES", help=f"with --c: refuse if {of} take more"
        )
    parser.add_argument(
        "--selftest",
        type=Path,
        metavar="ROWS",
        help=f"with --c: rows as for quantize; the first {_SELFTEST_ROWS}, and a main for them",
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Write the file."""
    if arguments.c is not None:
        _write_c(arguments)
        return
    for option in ("flash", "header", "name", "ram", "selftest", "target"):
        if getattr(arguments, option) is not None:
            raise OctetError(f"--{option}: only with --c")
    _write_onnx(arguments)


def _write_onnx(arguments: argparse.Namespace) -> None:
    try:
        from octet.exporters import onnx as export
    except ImportError as error:
        raise OctetError(f"export: {error}; `pip install onnx` is what it takes") from None
    files.refuse_target(arguments.onnx, model=arguments.model)
    model = export.to_onnx(storage.load_network(arguments.model))
    files.write(arguments.onnx, model.SerializeToString())


def _write_c(arguments: argparse.Namespace) -> None:
    targets = [path for path in (arguments.c, arguments.header) if path is not None]
    for target in targets:
        files.refuse_target(target, model=arguments.model, rows=arguments.selftest)
    if len(targets) == 2 and targets[0].resolve() == targets[1].resolve():
        raise OctetError(f"{arguments.header}: the header is the C file itself; name another")
    network = storage.load_network(arguments.model)
    header = None if arguments.header is None else arguments.header.name
    origin = _origin(arguments.model, network)
    options = c.Options(arguments.name or "octet", arguments.target or "small", header, origin)
    selftest = None
    if arguments.selftest is not None:
        selftest = _selftest(network, arguments.selftest)
    source = c.export(network, options, selftest)
    _refuse_large("flash", arguments.flash, source.constant_bytes, "constants, beside the code,")
    _refuse_large("ram", arguments.ram, source.state_bytes, "the struct")
    contents = (source.c, source.header)
    files.write_all(dict(zip(targets, (text.encode() for text in contents), strict=False)))


def _refuse_large(option: str, limit: int | None, taken: int, what: str) -> None:
    if limit is not None and taken > limit:
        cure = {"flash": "weights of fewer bits", "ram": "smaller rows or fewer channels"}[option]
        raise OctetError(
            f"--{option}: {what} would take {taken} bytes; allowed are {limit}: {cure} take less"
        )


def _origin(model: Path, network: Network) -> list[str]:
    """Where a model comes from, as its file says."""
    lines = [f"Model file: MD5 {provenance.md5(model)}."]
    if "data" in network.provenance:
        lines.append(f"Its data: MD5 {network.provenance['data']}.")
    return lines


def _selftest(network: Network, path: Path) -> c.Selftest:
    """The first rows of a file, and what comes out for them."""
    x = read_rows(path, network.signature, CSV, _SELFTEST_ROWS)
    if not integer.is_integer(network):
        with np.errstate(all="ignore"):
            expected = floating.run(network, x)
        if not np.all(np.isfinite(expected)):
            raise OctetError(f"{path}: its first rows are too large or too small for this model")
        return c.Selftest(x, expected)
    *_, (_, _, codes) = integer.trace(network, x)
    return c.Selftest(x.reshape(len(x), -1), codes.reshape(len(x), -1))
