"""C files give the codes of Octet's runtime: every kind of layer, and networks of any of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octet.layers import KINDS
from octet.network import Network
from octet.signature import Arrays, Signature
from tests.octet.exporters.compiled import Compiled, codes_of, compiled
from tests.octet.layers.cases import CASES, integers, rows
from tests.octet.networks import anything
from tests.octet.networks import rows as any_rows

SEEDS = range(2)
CODED = [case for case in CASES if case.coded]


def of_reals(network: Network) -> Network:
    """The network, of arrays in the place of images: pixels would be few of the numbers."""
    signature = Signature(Arrays(network.signature.shape), network.signature.outputs)
    return replace(network, signature=signature)


LAYERS = [of_reals(integers(case, np.random.default_rng(s))) for case in CODED for s in SEEDS]
# What has no form in codes stands in front of them or behind, and is not in the C file.
NOT_IN_CODES = {"softmax", "standardize"}


def test_every_kind_is_compiled_or_said_to_be_left_out() -> None:
    assert {case.layer.kind for case in CODED} | NOT_IN_CODES == KINDS.keys()


@pytest.fixture(scope="module", params=[(), ("-DINTEGERS",)], ids=["float32", "integers"])
def layers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    flags = [f"-DN{i}_INTEGERS=1" for i in range(len(LAYERS)) if request.param]
    return compiled(LAYERS, tmp_path_factory.mktemp("c"), "-O1", *flags)


def test_every_kind_of_layer_gives_the_same_codes(layers: Compiled) -> None:
    for i, network in enumerate(LAYERS):
        x = rows(network.signature.shape, 20, np.random.default_rng(i))
        case = f"{CODED[i // len(SEEDS)]}, seed {i % len(SEEDS)}"
        assert np.array_equal(layers.codes(i, x), codes_of(network, x)), case


@pytest.mark.parametrize("bits", [2, 3, 5, 8])
def test_networks_of_any_layers_give_the_same_codes(bits: int, tmp_path: Path) -> None:
    networks = [anything(seed, bits, seed % 2 == 0) for seed in range(20)]
    together = compiled(networks, tmp_path, "-O1")
    for i, network in enumerate(networks):
        x = any_rows(network, 20, i)
        assert np.array_equal(together.codes(i, x), codes_of(network, x)), i
