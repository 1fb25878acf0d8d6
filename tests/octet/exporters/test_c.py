"""C files give the codes of Octet's runtime: every kind of layer, and networks of any of them."""

import numpy as np
import pytest

from octet.layers import KINDS
from tests.octet.exporters.compiled import Compiled, codes_of, compiled
from tests.octet.layers.cases import CASES, integers, rows

SEEDS = range(4)
CODED = [case for case in CASES if case.coded]
LAYERS = [integers(case, np.random.default_rng(seed)) for case in CODED for seed in SEEDS]
# What has no form in codes stands in front of them or behind, and is not in the C file.
NOT_IN_CODES = {"softmax", "standardize"}


def test_every_kind_is_compiled_or_said_to_be_left_out() -> None:
    assert {case.layer.kind for case in CODED} | NOT_IN_CODES == KINDS.keys()


@pytest.fixture(scope="module", params=[(), ("-DINTEGERS",)], ids=["float32", "integers"])
def layers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    flags = [f"-DN{i}_INTEGERS=1" for i in range(len(LAYERS)) if request.param]
    return compiled(LAYERS, True, tmp_path_factory.mktemp("c"), "-O1", *flags)


def test_every_kind_of_layer_gives_the_same_codes(layers: Compiled) -> None:
    for i, network in enumerate(LAYERS):
        x = rows(network.signature.shape, 20, np.random.default_rng(i))
        case = f"{CODED[i // len(SEEDS)]}, seed {i % len(SEEDS)}"
        assert np.array_equal(layers.codes(i, x), codes_of(network, x)), case
