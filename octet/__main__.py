"""python -m octet predict | info | export: what the product does with a model file."""

import argparse
import io
import json
import signal
import sys
from pathlib import Path
from typing import NoReturn

from octet import answers, files, info, storage
from octet.errors import OctetError, printable
from octet.predict import opened, predict
from octet.progress import Progress
from octet.summary import summary_of


def main() -> None:
    """Run one command; what a user can mend is one line on standard error, and exit status 1."""
    # Where the reader of our output has gone, or the user has had enough, end as other tools do.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    try:
        arguments = _parser().parse_args()
        match arguments.command:
            case "predict":
                _predict(arguments)
            case "info":
                _info(arguments)
            case "export":
                _export(arguments)
    except (OctetError, OSError) as error:
        sys.stdout.flush()
        sys.exit(f"error: {error}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OctetError(f"{message}; `{self.prog} --help` says what is allowed")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m octet", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("predict", help="predict rows, as CSV on standard output")
    command.add_argument("model", type=Path, help="a model file of Octet")
    command.add_argument(
        "rows",
        type=Path,
        nargs="?",
        help="CSV, .npy or .safetensors; CSV from standard input if none",
    )
    command.add_argument(
        "--on-error", choices=["stop", "skip"], default="stop", help="what to do about a bad row"
    )
    command.add_argument(
        "--summary", action="store_true", help="say on standard error what the predictions come to"
    )

    command = commands.add_parser("info", help="say what is in a model file")
    command.add_argument("model", type=Path, help="a model file of Octet")
    command.add_argument("--json", action="store_true", help="as JSON, with everything")

    command = commands.add_parser("export", help="write a model in another format")
    command.add_argument("model", type=Path, help="a model file of Octet")
    command.add_argument(
        "--onnx", type=Path, required=True, metavar="OUT", help="the file to write"
    )
    return parser


def _predict(arguments: argparse.Namespace) -> None:
    network = storage.load_network(arguments.model)
    signature = network.signature
    summary = summary_of(signature) if arguments.summary else None
    skipped, first = 0, ""
    with opened(arguments.rows, signature, arguments.summary) as rows, Progress() as progress:
        answers.write_header(network, sys.stdout)
        for predicted in predict(network, rows, arguments.on_error == "skip"):
            answers.write(predicted.outputs, signature, sys.stdout)
            progress.add(len(predicted.outputs), predicted.share)
            first = first or next(iter(predicted.skipped), "")
            skipped += len(predicted.skipped)
            if summary:
                summary.add(predicted)
    sys.stdout.flush()
    if skipped:
        sys.stderr.write(f"skipped {skipped}, the first: {printable(first)}\n")
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
        from octet import export
    except ImportError as error:
        raise OctetError(f"export: {error}; `pip install onnx` is what it takes") from None
    model = export.to_onnx(storage.load_network(arguments.model))
    files.write(arguments.onnx, model.SerializeToString())


if __name__ == "__main__":
    main()
