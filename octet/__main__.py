"""python -m octet predict | info | export: what the product does with a model file."""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from octet import files
from octet.cli import info
from octet.cli.answers import answers_of, write_header
from octet.cli.command import Parser, one_line
from octet.cli.progress import Progress
from octet.errors import OctetError, printable
from octet.modelfile import storage
from octet.runtime.predict import STANDARD_INPUT, opened, predict

_SUMMARY = (
    "say on standard error what the predictions come to; and how good they are, where the rows "
    "have the truth: CSV in a column with the name of the target, or a column `class` with names "
    "of classes; .safetensors in an array y or y_test"
)


def main() -> None:
    """Run one command; what a user can mend is one line on standard error, and exit status 1."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # it has nothing to clear away
    with one_line():
        command, arguments = _arguments()
        command(arguments)


def _arguments() -> tuple[Callable[[argparse.Namespace], None], argparse.Namespace]:
    parser = Parser(prog="python -m octet", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS, help="each has a --help of its own")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the command")
    split = parser.parse_args()
    work, own = _COMMANDS[split.command]
    # Subparsers would not take ROWS behind an option.
    return work, own(f"{parser.prog} {split.command}").parse_intermixed_args(split.arguments)


def _for_predict(prog: str) -> argparse.ArgumentParser:
    parser = Parser(prog, description="Predict rows, as CSV on standard output.")
    parser.add_argument("model", type=Path, help="a model file of Octet")
    parser.add_argument(
        "rows",
        type=Path,
        nargs="?",
        default=STANDARD_INPUT,
        help="CSV, .npy or .safetensors; without it, or for -, CSV from standard input",
    )
    parser.add_argument(
        "--on-error", choices=["stop", "skip"], default="stop", help="what to do about a bad row"
    )
    parser.add_argument("--summary", action="store_true", help=_SUMMARY)
    return parser


def _for_info(prog: str) -> argparse.ArgumentParser:
    parser = Parser(prog, description="Say what is in a model file.")
    parser.add_argument("model", type=Path, help="a model file of Octet")
    parser.add_argument("--json", action="store_true", help="as JSON, with everything")
    return parser


def _for_export(prog: str) -> argparse.ArgumentParser:
    parser = Parser(prog, description="Write a model in another format.")
    parser.add_argument("model", type=Path, help="a model file of Octet")
    parser.add_argument("--onnx", type=Path, required=True, metavar="OUT", help="the file to write")
    return parser


def _predict(arguments: argparse.Namespace) -> None:
    network = storage.load_network(arguments.model)
    answers = answers_of(network.signature)
    summary = answers.summary() if arguments.summary else None
    source = opened(arguments.rows, network.signature, with_truth=arguments.summary)
    with source as rows, Progress() as progress:
        write_header(network, sys.stdout)
        for predicted in predict(network, rows, arguments.on_error == "skip"):
            answers.write(predicted.outputs, sys.stdout)
            sys.stdout.flush()
            progress.add(predicted)
            if summary:
                summary.add(predicted)
    if progress.skipped:
        if not progress.rows:
            raise OctetError(f"every row was bad, {progress.skipped} in all; {progress.first}")
        sys.stderr.write(f"skipped {progress.skipped}, the first: {printable(progress.first)}\n")
    if summary:
        sys.stderr.write(summary.text())


def _info(arguments: argparse.Namespace) -> None:
    facts = info.describe(arguments.model)
    text = (
        json.dumps(facts, indent=2, sort_keys=True) + "\n" if arguments.json else info.table(facts)
    )
    sys.stdout.write(text)


def _export(arguments: argparse.Namespace) -> None:
    try:
        from octet.exporters import onnx as export
    except ImportError as error:
        raise OctetError(f"export: {error}; `pip install onnx` is what it takes") from None
    _refuse_target(arguments.onnx, arguments.model)
    model = export.to_onnx(storage.load_network(arguments.model))
    files.write(arguments.onnx, model.SerializeToString())


def _refuse_target(path: Path, model: Path) -> None:
    """Raise an OctetError if this is no place for a new file: what is written takes its place."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OctetError(f"{path}: got a link, folder or device; name a file, old or new")
    if path.exists() and path.samefile(model):
        raise OctetError(f"{path}: this is the model itself; name another")


_COMMANDS = {
    "predict": (_predict, _for_predict),
    "info": (_info, _for_info),
    "export": (_export, _for_export),
}

if __name__ == "__main__":
    main()
