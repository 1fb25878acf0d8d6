"""What is in a model file: layers, bits, ranges, bytes, and what is proven of its codes."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from octet import storage
from octet.network import (
    Columns,
    Int32,
    Layer,
    Network,
    Parameter,
    Quantized,
    Signature,
    Weighted,
    label,
    shape_of,
    values,
)

Facts = Mapping[str, Any]


def describe(path: Path) -> Facts:
    """All that `python -m octet info` shows; errors as `storage.load_network`."""
    network, sizes = storage.load_network(path), storage.sizes(path)
    takes, gives = _signature(network.signature)
    return {
        "bytes": {
            "codes": sizes.codes,
            "file": sizes.file,
            "floats": sizes.floats,
            "scaler": sizes.scaler,
            "scales": sizes.scales,
        },
        "file": str(path),
        "gives": gives,
        "layers": [_layer(network, i) for i in range(len(network.layers))],
        # The file holds no clock and no revision, so that the same network has the same bytes. Its
        # digest stands in dvc.lock, beside the digests of the data and the code, and the params.
        "md5": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(),
        "takes": takes,
    }


def as_json(facts: Facts) -> str:
    """For programs."""
    return json.dumps(facts, indent=2, sort_keys=True) + "\n"


def as_text(facts: Facts) -> str:
    """A table for a person."""
    size, gives = facts["bytes"], facts["gives"]
    head = [
        f"{facts['file']}: {size['file']:,} bytes, of them codes {size['codes']:,}, "
        f"scales {size['scales']:,}, floats {size['floats']:,}, scaler {size['scaler']:,}",
        f"MD5 {facts['md5']}: dvc.lock says from which data, code and params",
        "takes " + "; ".join(f"{key}: {_listed(value)}" for key, value in facts["takes"].items()),
        "gives " + "; ".join(f"{key}: {_listed(value)}" for key, value in gives.items()),
        "",
    ]
    columns = ("layer", "shape", "weight", "bias", "range", "output", "proven")
    cells = [list(columns)]
    cells += [[str(layer.get(column, "")) for column in columns] for layer in facts["layers"]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    return "\n".join([*head, *table]) + "\n"


def _signature(signature: Signature) -> tuple[Facts, Facts]:
    """What a network takes and gives."""
    if isinstance(signature, Columns):
        gives = {"target": signature.target, "unit": signature.unit}
        return {"features": list(signature.features)}, gives
    takes = {"shape": list(signature.shape), "white": signature.white}
    return takes, {"classes": list(signature.classes)}


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _layer(network: Network, i: int) -> dict[str, object]:
    layer = network.layers[i]
    facts: dict[str, object] = {"layer": label(network.layers, i)}
    if not isinstance(layer, Weighted):
        return facts | _output(layer)
    weight = values(layer.weight)
    shape = shape_of(layer.weight)
    facts |= {
        "shape": " × ".join(map(str, shape)),
        "weight": _bits(layer.weight),
        "bias": _bits(layer.bias),
        "range": f"{np.min(weight):.4g} … {np.max(weight):.4g}",
        "parameters": math.prod(shape) + shape[0],
    }
    figures = network.rounding.get(str(facts["layer"]))
    if figures:
        facts["proven"] = f"{figures.get('rows_proven', 0):g} of {figures.get('rows', 0):g} rows"
        facts["rounding"] = dict(figures)
    return facts | _output(layer)


def _bits(parameter: Parameter) -> str:
    if isinstance(parameter, Int32):
        return "int32"
    return f"{parameter.grid.bits} bits" if isinstance(parameter, Quantized) else "float"


def _output(layer: Layer) -> dict[str, object]:
    """The range of what a layer gives, where it is on a grid."""
    grid = getattr(layer, "output", None) or getattr(layer, "grid", None)
    if grid is None:
        return {}
    scale, zero = float(grid.scale), int(grid.zero_point)
    return {"output": f"{-zero * scale:.4g} … {(grid.top - zero) * scale:.4g}"}
