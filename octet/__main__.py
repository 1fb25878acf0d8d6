"""python -m octet COMMAND: what the product does with a model file."""

import argparse
import signal
from importlib import import_module
from types import ModuleType

from octet.cli.command import Parser, keep_memory, one_line

# A command is a file of octet/cli with `arguments`, what it is given, and `run`, what it does. It
# is imported when it is asked for: predict would else take half as long again to start.
COMMANDS = {
    "predict": "predict",
    "info": "info",
    "export": "export",
    "import": "importing",
    "quantize": "quantize",
    "monitor": "monitor",
}


def main() -> None:
    """Run one command; what a user can mend is one line on standard error, and exit status 1."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # it has nothing to clear away
    keep_memory()
    with one_line():
        command, arguments = _parse()
        command.run(arguments)


def _parse() -> tuple[ModuleType, argparse.Namespace]:
    parser = Parser(prog="python -m octet", description=__doc__)
    parser.add_argument("command", choices=COMMANDS, help="each has a --help of its own")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the command")
    split = parser.parse_args()
    command = import_module(f"octet.cli.{COMMANDS[split.command]}")
    # Subparsers would not take ROWS behind an option.
    own: Parser = command.arguments(f"{parser.prog} {split.command}")
    return command, own.parse_intermixed_args(split.arguments)


if __name__ == "__main__":
    main()
