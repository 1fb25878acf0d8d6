"""What is said of predictions, by what comes out: a file for each kind, `numbers` and `classes`."""

import csv
from typing import TextIO

from octet.cli.classes import ClassAnswers
from octet.cli.numbers import NumberAnswers
from octet.errors import OctetError
from octet.network import Network, signals
from octet.signature import Classes, Numbers

Answers = NumberAnswers | ClassAnswers


def answers_of(network: Network) -> Answers:
    """For the outputs of this network."""
    match network.signature.outputs:
        case Numbers() as outputs:
            return NumberAnswers(outputs)
        case Classes() as outputs:
            return ClassAnswers(outputs, network)


def write_header(network: Network, file: TextIO, unit: str = "") -> None:
    """The first line of CSV; ``unit`` is what the first column counts, if it has places of rows.

    Raises:
        OctetError: the network has another number of outputs than this line names.
    """
    names = [*([unit] if unit else []), *answers_of(network).header()]
    shape = signals(network)[-1].shape
    if isinstance(network.signature.outputs, Numbers) and shape != (1,):
        raise OctetError(f"the model gives shape {shape}; a number takes one output, (1,)")
    csv.writer(file, lineterminator="\n").writerow(names)
