"""Predictions as CSV: of a table the target, of images the class and the output of every class."""

import csv
from typing import TextIO

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.network import Network
from octet.runtime import inference
from octet.signature import Numbers, Signature


def write_header(network: Network, file: TextIO) -> None:
    """The first line: the target's name, or ``class`` and the name of each.

    Raises:
        OctetError: the network is for a table and has not one output.
    """
    signature = network.signature
    if isinstance(signature.outputs, Numbers):
        outputs = inference.run(network, np.zeros((0, *signature.shape))).shape[1]
        if outputs != 1:
            raise OctetError(f"the model has {outputs} outputs; a table with one target takes 1")
        names = [signature.outputs.target]
    else:
        names = ["class", *signature.outputs.classes]
    csv.writer(file, lineterminator="\n").writerow(names)


def write(outputs: Array, signature: Signature, file: TextIO) -> None:
    """A line for each row of ``(rows, outputs)``, with every digit that a float64 has."""
    if isinstance(signature.outputs, Numbers):
        # A number needs no quotes, and csv would write line by line.
        file.write("".join([f"{value!r}\n" for value in outputs[:, 0].tolist()]))
    else:
        top = np.argmax(outputs, axis=1).tolist()
        lines = zip(top, outputs.tolist(), strict=True)
        classes = signature.outputs.classes
        answers = ([classes[i], *each] for i, each in lines)
        csv.writer(file, lineterminator="\n").writerows(answers)
    file.flush()
