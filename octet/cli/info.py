"""python -m octet info: a model file's layers, bytes, what is proven of them, and its origin."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from octet import provenance
from octet.affine import Grid
from octet.cli.answers import answers_of
from octet.cli.command import Parser
from octet.errors import printable
from octet.layers import Gridded, Quantize, Weighted
from octet.modelfile import signatures, storage
from octet.modelfile.arrays import AnyArray, load_arrays
from octet.modelfile.reference import Reference
from octet.network import Network, label, signals
from octet.parameters import Int32, Parameter, Quantized, shape_of, values
from octet.runtime import integer
from octet.signature import Arrays, Column, Columns, Images, Inputs, Shape

Facts = dict[str, Any]

_HEAD = ("layer", "holds", "bits", "range", "codes", "scales", "floats", "output", "proven")


def arguments(prog: str) -> Parser:
    """What the command is given."""
    parser = Parser(prog, description="Say what is in a model file.")
    parser.add_argument("model", type=Path, help="a model file of Octet")
    parser.add_argument("--json", action="store_true", help="as JSON, with everything")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Say it."""
    facts = describe(arguments.model)
    if arguments.json:
        sys.stdout.write(json.dumps(facts, indent=2, sort_keys=True) + "\n")
    else:
        sys.stdout.write(table(facts))


def describe(path: Path) -> Facts:
    """All there is to say of a model file, as JSON can hold it.

    Raises:
        OctetError: as `storage.load_network`.
    """
    network, reference = storage.load_model(path)
    _, arrays = load_arrays(path)
    digest = provenance.md5(path)
    return {
        "file": str(path),
        "md5": digest,
        "computes": "integers" if integer.is_integer(network) else "float",
        "signature": signatures.dump_signature(network.signature),
        "takes": takes(network.signature.inputs),
        "gives": answers_of(network).described(),
        "layers": [_layer(network, i, arrays) for i in range(len(network.layers))],
        "bytes": asdict(storage.sizes(path)),
        "reference": _reference(reference) if reference else None,
        "provenance": {**network.provenance, "git_revision": provenance.revision(digest)},
    }


def takes(inputs: Inputs) -> str:
    """What goes in, for people."""
    match inputs:
        case Columns():
            return ", ".join(map(_column, inputs.columns))
        case Images():
            return f"images of {_sides(inputs.shape)}, pixels 0 … {inputs.white}"
        case Arrays():
            return f"arrays of {_sides(inputs.shape)}"


def _column(column: Column) -> str:
    categories = f" ({' | '.join(column.categories)})" if column.categories else ""
    gap = "" if column.missing is None else f" [empty: {column.missing}]"
    return f"{column.name}{categories}{gap}"


def _sides(shape: Shape) -> str:
    return " × ".join(map(str, shape))


def _layer(network: Network, i: int, arrays: Mapping[str, AnyArray]) -> Facts:
    layer, name = network.layers[i], label(network.layers, i)
    own = {key: array for key, array in arrays.items() if key.split(".")[0] == str(i)}
    facts: Facts = {
        "layer": name,
        "codes": storage.total(own, "codes"),
        "scales": storage.total(own, "scale", "zero_point"),
        "floats": storage.total(own, "weight", "bias", "mean", "std"),
    }
    if isinstance(layer, Weighted):
        facts["weight"] = _parameter(layer.weight)
        facts["bias"] = _parameter(layer.bias)
    grid = signals(network)[i].grid if isinstance(layer, Quantize | Gridded) else None
    if grid is not None:
        facts["output"] = {"bits": grid.bits, "range": _span(grid)}
    if name in network.rounding:
        facts["certificate"] = dict(network.rounding[name])
    return facts


def _reference(reference: Reference) -> Facts:
    """Of how many rows `octet monitor` knows what, and what of it in each bin."""
    names = {one.group: dict[str, Facts]() for one in reference.summaries}
    for one in reference.summaries:
        names[one.group][one.name] = {
            "points": one.points.tolist(),
            "counts": one.counts.tolist(),
        }
    return {"rows": reference.rows, "groups": names}


def _parameter(parameter: Parameter) -> Facts:
    match parameter:
        case Quantized():
            bits = parameter.grid.bits
        case Int32():
            bits = 32
        case _:
            bits = 8 * parameter.dtype.itemsize
    reals = values(parameter)
    span = [float(np.min(reals)), float(np.max(reals))] if reals.size else []
    return {"shape": list(shape_of(parameter)), "bits": bits, "range": span}


def _span(grid: Grid) -> list[float]:
    ends = np.array([0, grid.top]) - grid.zero_point.astype(np.float64)
    return [float(end) for end in ends * grid.scale]


def table(facts: Facts) -> str:
    """The facts for people: what is true of the whole file, then a line for each layer."""
    size, origin = facts["bytes"], facts["provenance"]
    about = {
        "file": facts["file"],
        "md5": facts["md5"],
        "takes": facts["takes"],
        "gives": facts["gives"],
        "computes in": facts["computes"],
        "bytes": f"{size['file']}: {size['codes']} codes, {size['scales']} scales and zero points, "
        f"{size['floats']} float weights, {size['scaler']} scaler, and the header"
        + (f"; and {size['reference']} of the monitor's" if size["reference"] else ""),
        "monitor": _watched(facts["reference"]),
        "git revision": origin["git_revision"] or "unknown here: ask in the clone that made it",
        "data": origin.get("data", "unknown"),
        **{f"{group} params": _compact(used) for group, used in origin.get("params", {}).items()},
    }
    lines = [f"{printable(key):<14}{printable(value)}" for key, value in about.items()]
    return "\n".join([*lines, "", *_aligned([_HEAD, *map(_line, facts["layers"])]), ""])


def _watched(reference: Facts | None) -> str:
    if reference is None:
        return "knows of no rows: `octet monitor` cannot watch it"
    numbers = ", ".join(f"{group} ({len(names)})" for group, names in reference["groups"].items())
    return f"knows {reference['rows']} rows that it was not trained on: {numbers}"


def _line(layer: Facts) -> Sequence[str]:
    weight, bias = layer.get("weight"), layer.get("bias")
    output, certificate = layer.get("output"), layer.get("certificate")
    holds = f"{_extent(weight)} + {_extent(bias)}" if weight and bias else ""
    return (
        layer["layer"],
        holds,
        f"{weight['bits']} + {bias['bits']}" if weight and bias else "",
        _range(weight),
        *(str(layer[key]) for key in ("codes", "scales", "floats")),
        f"{output['bits']} bits, {_range(output)}" if output else "",
        f"{certificate.get('rows_proven', 0):g} of {certificate.get('rows', 0):g} rows"
        if certificate
        else "",
    )


def _extent(parameter: Facts) -> str:
    return "×".join(map(str, parameter["shape"]))


def _range(facts: Facts | None) -> str:
    return " … ".join(f"{end:.4g}" for end in facts["range"]) if facts else ""


def _compact(params: Facts) -> str:
    return ", ".join(
        f"{key} {value if isinstance(value, str) else json.dumps(value, sort_keys=True)}"
        for key, value in sorted(params.items())
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
