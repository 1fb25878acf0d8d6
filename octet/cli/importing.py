"""python -m octet import: a network from another format as a model file."""

import argparse
import sys
from pathlib import Path

from octet import files
from octet.cli.answers import answers_of
from octet.cli.command import Parser
from octet.cli.info import takes
from octet.errors import OctetError
from octet.modelfile import storage
from octet.network import Network, signals
from octet.signature import (
    Arrays,
    Classes,
    Columns,
    Images,
    Inputs,
    Numbers,
    Outputs,
    Shape,
    Signature,
)

_ABOUT = (
    "Read a network from an ONNX file and write it as a model file of Octet, in float. "
    "Example: `octet import net.onnx net.safetensors --classes cat,dog`. "
    "Then `octet quantize` makes it small, and `octet info` says what is in it."
)


def arguments(prog: str) -> Parser:
    """What the command is given."""
    parser = Parser(prog, description=_ABOUT)
    parser.add_argument("network", type=Path, help="an ONNX file, its weights inside")
    parser.add_argument("out", type=Path, help="the model file to write: NAME.safetensors")
    inputs = parser.add_mutually_exclusive_group()
    inputs.add_argument(
        "--columns",
        type=_names,
        metavar="A,B,…",
        help="the names of what goes in, if that is a row of a table; else x0, x1, …",
    )
    inputs.add_argument(
        "--pixels",
        type=int,
        metavar="WHITE",
        help="what goes in are images of pixels 0 … WHITE, as 255, and not any numbers",
    )
    outputs = parser.add_mutually_exclusive_group()
    outputs.add_argument(
        "--classes",
        type=_names,
        metavar="A,B,…",
        help="the names of the classes, in the order of the outputs; else 0, 1, …",
    )
    outputs.add_argument(
        "--target", help="the name of the number that comes out, if it is one; else y"
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Write the file, and say what the network was taken for."""
    try:
        from octet.importers import onnx
        from octet.importers.meaning import network_for
    except ImportError as error:
        raise OctetError(f"import: {error}; `pip install onnx` is what it takes") from None
    files.refuse_target(arguments.out, network=arguments.network)
    layers, shape = onnx.load(arguments.network)
    leaving = signals(Network(layers, Signature(Arrays(shape), Numbers("y", ""))))[-1].shape
    signature = Signature(_inputs(arguments, shape), _outputs(arguments, leaving))
    try:
        network = network_for(layers, shape, signature)
    except OctetError as error:
        raise OctetError(f"{arguments.network}: {error}") from None
    files.write(arguments.out, storage.dump_network(network))
    sys.stderr.write(f"takes {takes(signature.inputs)}\n")
    sys.stderr.write(f"gives {answers_of(network).described()}\n")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if "" in names:
        raise argparse.ArgumentTypeError(
            f"name {names.index('') + 1} of {len(names)} in {text!r} is empty; allowed are names"
        )
    return names


def _inputs(arguments: argparse.Namespace, shape: Shape) -> Inputs:
    if arguments.pixels is not None:
        if len(shape) != 3:
            raise OctetError(
                f"--pixels: the network takes rows of shape {shape}; images have "
                "(channels, height, width)"
            )
        return Images((shape[0], shape[1], shape[2]), arguments.pixels)
    if arguments.columns or len(shape) == 1:
        return Columns(arguments.columns or tuple(f"x{i}" for i in range(shape[0])))
    return Arrays(shape)


def _outputs(arguments: argparse.Namespace, shape: Shape) -> Outputs:
    if arguments.classes:
        return Classes(arguments.classes)
    if arguments.target or shape == (1,):
        return Numbers(arguments.target or "y", "")
    return Classes(tuple(map(str, range(shape[0]))))
