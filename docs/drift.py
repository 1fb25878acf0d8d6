"""python -m docs.drift SYSTEM OUT: rows of a system, to play production in monitor.md.

In random order, or in that of a column; images as they are, noisy, brighter or inverted. Seeded.
"""

import argparse
from pathlib import Path

import numpy as np

from octet import files
from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray, dump_arrays
from octet.modelfile.signatures import dump_signature
from octet.signature import Columns, Images, Inputs
from stages.dataset import load_dataset


def main() -> None:
    """Write them, with their targets or labels."""
    parser = Parser(description=__doc__)
    parser.add_argument("system", help="a name under systems: in params.yaml")
    parser.add_argument("out", type=Path, help="NAME.safetensors")
    parser.add_argument("--part", choices=["train", "test"], default="train", help="which rows")
    parser.add_argument(
        "--by", metavar="COLUMN", help="in the order of this column, smallest first"
    )
    parser.add_argument("--noise", type=float, default=0.0, help="on pixels, its deviation")
    parser.add_argument("--scale", type=float, default=1.0, help="pixels are so much brighter")
    parser.add_argument("--invert", action="store_true", help="white on black is black on white")
    with one_line():
        _write(parser.parse_args())


def _write(arguments: argparse.Namespace) -> None:
    data = load_dataset(arguments.system)
    x, y = (getattr(data, f"{name}_{arguments.part}") for name in "xy")
    rng, inputs = np.random.default_rng(0), data.signature.inputs
    order = rng.permutation(len(x))
    if arguments.by:
        order = np.argsort(_column(x, inputs, arguments.by), kind="stable")
    rows = {"x": _images(x[order], inputs, arguments, rng), "y": y[order]}
    files.write(arguments.out, dump_arrays(dump_signature(data.signature), rows))


def _column(x: AnyArray, inputs: Inputs, name: str) -> AnyArray:
    if not isinstance(inputs, Columns) or name not in inputs.features:
        raise OctetError(f"--by: got {name!r}; allowed is a column of numbers of the system")
    column: AnyArray = x[:, inputs.features.index(name)]
    return column


def _images(
    x: AnyArray, inputs: Inputs, arguments: argparse.Namespace, rng: np.random.Generator
) -> AnyArray:
    if not arguments.noise and arguments.scale == 1 and not arguments.invert:
        return x
    if not isinstance(inputs, Images):
        raise OctetError("--noise, --scale and --invert: allowed for images")
    pixels = (inputs.white - x if arguments.invert else x) * arguments.scale
    noisy = pixels + rng.normal(0, arguments.noise, x.shape) if arguments.noise else pixels
    changed: AnyArray = np.clip(np.rint(noisy), 0, inputs.white).astype(np.uint8)
    return changed


if __name__ == "__main__":
    main()
