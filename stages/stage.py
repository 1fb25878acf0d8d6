"""What every stage's command does: check params.yaml, work, and write all of its files or none."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import stages
from octet import files
from octet.cli.command import Parser, keep_memory, one_line
from octet.errors import OctetError
from octet.files import Content
from stages import orphans

if TYPE_CHECKING:
    from stages.params.file import Params

Files = Mapping[Path, Content]
Stage = Callable[[str, "Params"], Files]


def run(stage: Stage, description: str) -> None:
    """Be ``python -m stages.NAME SYSTEM``: one stage for one system of params.yaml.

    Args:
        stage: takes the system's name and the checked parameters, returns every file that it
            makes. Files are written only when all are there, so an error leaves the old ones.
        description: the first line of ``--help``.

    What a user can mend, and what the operating system refuses, is one line on standard error and
    exit status 1.
    """
    parser = Parser(description=description)
    parser.add_argument("system", help="a name under systems: in params.yaml")

    def work(arguments: argparse.Namespace, checked: "Params") -> Files:
        checked.system(arguments.system)
        return stage(arguments.system, checked)

    _run(parser, work)


def run_for_all(stage: Callable[["Params"], Files], description: str) -> None:
    """Be ``python -m stages.NAME``: one stage for all systems together; else as `run`."""
    _run(Parser(description=description), lambda _, checked: stage(checked))


def _run(
    parser: argparse.ArgumentParser, work: Callable[[argparse.Namespace, "Params"], Files]
) -> None:
    keep_memory()
    with one_line():
        # Not imported above, and no dependency in dvc.yaml: it decides whether a stage runs, not
        # what it makes. So a new gate, or a better word for a bad one, trains nothing again.
        from stages.params.file import load_params

        arguments = parser.parse_args()
        checked = load_params()
        try:
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                contents = work(arguments, checked)
        except ArithmeticError as error:
            of = f"{arguments.system}: " if "system" in arguments else ""
            raise OctetError(
                f"{of}numbers too large or too small to work with ({error}); rescale"
            ) from None
        orphans.refuse_to_outlive(stages.PARENT)
        files.write_all(contents)
