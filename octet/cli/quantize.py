"""python -m octet quantize: a float model file in codes."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np

from octet import files
from octet.affine import MAX_BITS, MIN_BITS
from octet.cli import dialect
from octet.cli.command import Parser
from octet.cli.rows import read_rows
from octet.errors import OctetError
from octet.modelfile import storage
from octet.monitor.reference import FEWEST_ROWS, take_reference
from octet.quantizer import Config, quantize
from octet.quantizer.config import Activations, Rounding

_ABOUT = (
    "Write a float model with its weights in codes of few bits. "
    "Example: `octet quantize net.safetensors --rows calibration.npz --bits 8 q.safetensors`. "
    "The rows are some that the network was trained on, a few hundred: they show how large its "
    "numbers get. Whether the result may replace the float model is for the pipeline to say."
)
# What loses least where a network computes in integers; of weights alone, `Config` has it.
_INTEGERS = {"scheme": "symmetric", "granularity": "per_channel"}


def arguments(prog: str) -> Parser:
    """What the command is given."""
    parser = Parser(prog, description=_ABOUT)
    parser.add_argument("model", type=Path, help="a float model file of Octet; see `octet import`")
    parser.add_argument("out", type=Path, help="the model file to write: NAME.safetensors")
    parser.add_argument(
        "--rows",
        type=Path,
        required=True,
        help="training rows: .npz or .safetensors with an array x, .npy, or CSV",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        help="rows like those of --rows that the network was not trained on, some hundred or more: "
        "`octet monitor` compares later ones with them",
    )
    parser.add_argument(
        "--bits",
        type=int,
        default=8,
        help=f"of a weight, {MIN_BITS} to {MAX_BITS}, or to 8 with uint8; 8 if not said",
    )
    parser.add_argument(
        "--activations",
        choices=get_args(Activations),
        default="uint8",
        help="uint8: the network computes in integers, end to end. none: only weights become "
        "codes. uint8 if not said",
    )
    parser.add_argument(
        "--rounding",
        choices=get_args(Rounding),
        default="exact",
        help="nearest takes no time and loses most, exact the other way round; exact if not said",
    )
    dialect.add_arguments(parser)
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Write the file, and say how large it is."""
    read = {"model": arguments.model, "rows": arguments.rows, "reference": arguments.reference}
    files.refuse_target(arguments.out, **read)
    if arguments.reference and files.same(arguments.reference, arguments.rows):
        raise OctetError(
            f"{arguments.reference}: this is the file of --rows; --reference takes rows that the "
            "network was not trained on"
        )
    network, how = storage.load_network(arguments.model), dialect.dialect(arguments)
    rows = read_rows(arguments.rows, network.signature, how)
    others = arguments.reference and read_rows(arguments.reference, network.signature, how)
    if others is not None and len(others) < FEWEST_ROWS:
        raise OctetError(
            f"{arguments.reference}: got {len(others)} rows to compare later ones with; allowed "
            f"are {FEWEST_ROWS} or more, and some hundred tell more"
        )
    chosen: dict[str, Any] = _INTEGERS if arguments.activations == "uint8" else {}
    config = Config(
        bits=arguments.bits,
        activations=arguments.activations,
        rounding=arguments.rounding,
        **chosen,
    )
    with _said_of(arguments.model, arguments.rows):
        quantized = quantize(network, rows, config)
    reference = None
    if others is not None:
        with _said_of(arguments.model, arguments.reference):
            reference = take_reference(quantized, (rows, None), (others, None), network)
    content, alone = (storage.dump_network(quantized, each) for each in (reference, None))
    files.write(arguments.out, content)
    before = arguments.model.stat().st_size
    sys.stderr.write(f"{before:,} bytes in float, {len(alone):,} in codes\n")


@contextlib.contextmanager
def _said_of(model: Path, rows: Path) -> Iterator[None]:
    """What goes wrong inside is said of the files."""
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            yield
    except ArithmeticError as error:
        raise OctetError(
            f"{model} with {rows}: numbers too large or too small to work with ({error})"
        ) from None
    except OctetError as error:
        raise OctetError(f"{model} with {rows}: {error}") from None
