"""python -m octet export: a model file in another format."""

import argparse
from pathlib import Path

from octet import files
from octet.cli.command import Parser
from octet.errors import OctetError
from octet.modelfile import storage


def arguments(prog: str) -> Parser:
    """What the command is given."""
    parser = Parser(prog, description="Write a model in another format.")
    parser.add_argument("model", type=Path, help="a model file of Octet")
    parser.add_argument("--onnx", type=Path, required=True, metavar="OUT", help="the file to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Write the file."""
    try:
        from octet.exporters import onnx as export
    except ImportError as error:
        raise OctetError(f"export: {error}; `pip install onnx` is what it takes") from None
    files.refuse_target(arguments.onnx, arguments.model)
    model = export.to_onnx(storage.load_network(arguments.model))
    files.write(arguments.onnx, model.SerializeToString())
