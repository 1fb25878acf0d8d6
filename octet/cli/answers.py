"""What is said of predictions, by what comes out: a file for each kind, `numbers` and `classes`."""

import csv
from typing import TextIO

from octet.cli.classes import ClassAnswers
from octet.cli.numbers import NumberAnswers
from octet.errors import OctetError
from octet.network import Network, signals
from octet.signature import Numbers, Signature

Answers = NumberAnswers | ClassAnswers


def answers_of(signature: Signature) -> Answers:
    """For the outputs of this signature."""
    outputs = signature.outputs
    return NumberAnswers(outputs) if isinstance(outputs, Numbers) else ClassAnswers(outputs)


def write_header(network: Network, file: TextIO) -> None:
    """The first line of CSV.

    Raises:
        OctetError: the network has another number of outputs than this line names.
    """
    names = answers_of(network.signature).header()
    shape = signals(network)[-1].shape
    if isinstance(network.signature.outputs, Numbers) and shape != (1,):
        raise OctetError(f"the model gives shape {shape}; a number takes one output, (1,)")
    csv.writer(file, lineterminator="\n").writerow(names)
