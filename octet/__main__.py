"""python -m octet predict | info | export: what a model file is for."""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from octet import files, predict, rows, storage
from octet.errors import OctetError
from octet.info import as_json, as_text, describe


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OctetError(f"{message}; `{self.prog} --help` says what is allowed")


def main() -> None:
    """Exit 0, or 1 with one line on standard error."""
    try:
        arguments = _arguments()
        arguments.run(arguments)
    except BrokenPipeError:
        # Whoever read this has seen enough; Python would complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OctetError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _arguments() -> argparse.Namespace:
    parser = _Parser(prog="python -m octet", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="predict | info | export")

    one = commands.add_parser("predict", help="predictions for rows, as CSV on standard output")
    one.add_argument("model", type=Path, help="a .safetensors file that Octet made")
    one.add_argument("rows", type=Path, nargs="?", help="CSV, .npy or .safetensors; else a pipe")
    one.add_argument("--on-error", choices=["stop", "skip"], default="stop", help="at a bad row")
    one.add_argument("--summary", action="store_true", help="sums up, on standard error")
    one.set_defaults(run=_predict)

    two = commands.add_parser("info", help="layers, bits, ranges, bytes, and what is proven")
    two.add_argument("model", type=Path)
    two.add_argument("--json", action="store_true", help="for programs")
    two.set_defaults(run=_info)

    three = commands.add_parser("export", help="the same network for ONNX Runtime")
    three.add_argument("model", type=Path)
    three.add_argument("--onnx", type=Path, required=True, metavar="OUT", help="the file to write")
    three.set_defaults(run=_export)
    return parser.parse_args()


def _predict(arguments: argparse.Namespace) -> None:
    network = storage.load_network(arguments.model)
    skip = arguments.on_error == "skip"
    if arguments.rows is None:
        parts = rows.of_csv(sys.stdin.buffer, network.signature, "standard input", skip)
    else:
        parts = rows.of_file(arguments.rows, network.signature, skip)
    summary = predict.predict(network, parts, sys.stdout, sys.stderr)
    if arguments.summary:
        sys.stderr.write(summary.text(network))


def _info(arguments: argparse.Namespace) -> None:
    found = describe(arguments.model)
    sys.stdout.write(as_json(found) if arguments.json else as_text(found))


def _export(arguments: argparse.Namespace) -> None:
    network = storage.load_network(arguments.model)
    try:
        # The product runs without it; whoever exports has it.
        from octet import export
    except ImportError:
        raise OctetError("export needs the package onnx: pip install onnx") from None
    files.write(arguments.onnx, export.to_onnx(network).SerializeToString())


if __name__ == "__main__":
    main()
