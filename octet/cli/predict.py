"""python -m octet predict: rows in, a line of CSV out for each."""

import argparse
import sys
from pathlib import Path

from octet.cli import dialect
from octet.cli.answers import answers_of, write_header
from octet.cli.command import Parser
from octet.cli.progress import Progress
from octet.errors import OctetError, printable
from octet.modelfile import storage
from octet.network import Network
from octet.runtime import integer
from octet.runtime.predict import STANDARD_INPUT, Engine, opened, predict

_SUMMARY = (
    "say on standard error what the predictions come to; and how good they are, where the rows "
    "have the truth: CSV in a column with the name of the target, or one with names of classes "
    "(`class`, or as the data called it); .safetensors in an array y or y_test"
)


def arguments(prog: str) -> Parser:
    """What the command is given."""
    parser = Parser(prog, description="Predict rows, as CSV on standard output.")
    parser.add_argument("model", type=Path, help="a model file of Octet")
    parser.add_argument(
        "rows",
        type=Path,
        nargs="?",
        default=STANDARD_INPUT,
        help="CSV (also in gzip), .npy or .safetensors; without it, or for -, CSV from standard "
        "input",
    )
    parser.add_argument(
        "--on-error", choices=["stop", "skip"], default="stop", help="what to do about a bad row"
    )
    parser.add_argument(
        "--rows",
        action="store_true",
        dest="numbered",
        help="begin each line with the place of its row, as errors count: the line of CSV from 1, "
        "the row of an array from 0",
    )
    parser.add_argument(
        "--engine",
        choices=["numpy", "native"],
        default="numpy",
        help="what runs it: NumPy, or machine code that a C compiler makes of it once, with the "
        "same codes: docs/device.md",
    )
    parser.add_argument("--summary", action="store_true", help=_SUMMARY)
    dialect.add_arguments(parser)
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Write the predictions as the rows come."""
    network = storage.load_network(arguments.model)
    answers = answers_of(network)
    summary = answers.summary() if arguments.summary else None
    engine = _native(arguments.model, network) if arguments.engine == "native" else None
    source = opened(
        arguments.rows, network.signature, arguments.summary, dialect.dialect(arguments)
    )
    with source as rows, Progress() as progress:
        write_header(network, sys.stdout, rows.unit if arguments.numbered else "")
        for predicted in predict(network, rows, arguments.on_error == "skip", engine):
            answers.write(predicted, sys.stdout, arguments.numbered)
            sys.stdout.flush()
            progress.add(predicted)
            if summary:
                summary.add(predicted)
    if progress.skipped:
        if not progress.rows:
            raise OctetError(f"every row was bad, {progress.skipped} in all; {progress.first}")
        numbers = "" if arguments.numbered else "; --rows numbers those that were predicted"
        first = printable(progress.first)
        sys.stderr.write(f"skipped {progress.skipped}, the first: {first}{numbers}\n")
    if summary:
        sys.stderr.write(summary.text())


def _native(model: Path, network: Network) -> Engine | None:
    """Machine code that gives the same codes; None where there can be none, with a word on it.

    Raises:
        OctetError: the network computes in float.
    """
    from octet.runtime import native

    if not integer.is_integer(network):
        raise OctetError(
            f"{model}: it computes in float, and --engine native takes integers: quantize it with "
            "activations uint8, as `octet quantize` does unasked"
        )
    try:
        in_machine_code = native.load(network)
    except OctetError as error:
        sys.stderr.write(f"--engine native: {error}; NumPy runs it, with the same codes\n")
        return None
    if why := printable(in_machine_code.machine_code.not_kept):
        sys.stderr.write(f"--engine native: compiled, but not kept: {why}\n")
    return in_machine_code.run
