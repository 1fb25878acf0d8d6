"""python -m stages.commands.run: reproduce the systems whose data is in reach; print a table."""

import argparse
import os
import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # What follows takes a second or two, in which there is nothing to clear away.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import joblib

from octet.cli.command import Parser, one_line
from stages import dvc
from stages.commands.run import guard, reach, table
from stages.commands.run.reproduce import reproduce
from stages.params.file import load_params

_EVALUATE, _REPORT = "evaluate", "report"  # the stages that end with a verdict, and with all


def main() -> None:
    """Exit 0 with the systems in reach done; 1, with one line, if one of those failed."""
    if sys.getfilesystemencoding() != "utf-8":
        # In this process, DVC could not say where it is.
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | dvc.UTF8)
    with one_line():
        try:
            if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            _run(_arguments())
        except KeyboardInterrupt:
            sys.exit("stopped before anything ran")


def _run(arguments: argparse.Namespace) -> None:
    """Reproduce, and say what came of it."""
    checked = load_params()
    chosen = list(dict.fromkeys(arguments.systems)) or [*checked.systems]
    for name in chosen:
        checked.system(name)
    with guard.alone() as lock:
        left_out = reach.out_of_reach(chosen, checked)
        ends = {f"{_EVALUATE}@{name}": name for name in chosen if name not in left_out}
        if ends:
            reproduce(
                lock,
                ends,
                arguments.jobs,
                lambda done: (
                    f"\n{table.table([ends[end] for end in ends if end in done], checked)}"
                ),
                # By itself, a report asks for no stage of a system that is not wanted.
                None if len(ends) == len(checked.systems) else [_REPORT],
            )
    for name, reason in left_out.items():
        sys.stdout.write(f"left out: {name}: {reason}\n")
    sys.stdout.write("report/index.html has what is there, with pictures\n")


def _arguments() -> argparse.Namespace:
    parser = Parser(description="Reproduce all systems whose data is in reach.")
    parser.add_argument("systems", nargs="*", help="only these, and no sweep, for a first look")
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=joblib.cpu_count(),
        help="stages at once; as many as cores",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"got {text}; allowed is a number from 1")
    return int(text)


if __name__ == "__main__":
    main()
