"""Small networks to quantize, each with rows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from octet.affine import Array
from octet.layers import Flatten, Standardize
from octet.network import Network
from octet.quantizer import Calibration, Config
from octet.signature import Columns, Input, Numbers, Signature
from tests.octet.quantizer.cases import (
    branched,
    config,
    random_cnn,
    random_images,
    random_inputs,
    random_layer,
)

ROWS = 60


def integers(**changes: Any) -> Config:
    whole = {"activations": "uint8", "calibration": Calibration(ROWS, 0, "minmax")}
    return config(**(whole | changes))


def table(seed: int = 0, rows: int = ROWS) -> tuple[Network, Array]:
    """Two linear layers behind a scaler that makes inputs 1,000 times smaller."""
    rng = np.random.default_rng(seed)
    scaler = Standardize(np.full(4, 5.0), np.full(4, 1000.0))
    layers = scaler, random_layer(rng), random_layer(rng, 2, 3)
    x = np.concatenate([random_inputs(rng) for _ in range(rows // 80 + 1)])[:rows] * 1000
    return Network(layers, Signature(Columns(tuple("abcd")), Numbers("price", "$"))), x


def images(seed: int = 0, rows: int = ROWS) -> tuple[Network, Input]:
    rng = np.random.default_rng(seed)
    return random_cnn(rng), random_images(rng, rows)


def flattened(seed: int = 0, rows: int = ROWS) -> tuple[Network, Input]:
    network, x = images(seed, rows)
    head = random_layer(np.random.default_rng(seed), 3, 20)
    return replace(network, layers=(*network.layers[:-2], Flatten(), head)), x


def branches(seed: int = 0, rows: int = ROWS) -> tuple[Network, Input]:
    rng = np.random.default_rng(seed)
    return branched(rng), random_images(rng, rows)


NETWORKS: dict[str, Callable[..., tuple[Network, Any]]] = {
    "table": table,
    "images": images,
    "flattened": flattened,
    "branches": branches,
}
