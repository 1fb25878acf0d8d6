"""H of more rows than go through a network at once is that of all of them, to the bit."""

import numpy as np
import pytest

from octet.layers import Linear, Relu
from octet.network import Network
from octet.quantizer import hessian
from octet.quantizer.walk import hessians
from octet.signature import Columns, Numbers, Signature


@pytest.mark.parametrize("rows", [128, 129, 1000, 4097])
def test_parts_add_up_to_the_bits_of_all_rows(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, 3)) * 10.0 ** rng.integers(-5, 6, (rows, 1))
    layers = (
        Linear(rng.normal(size=(4, 3)), rng.normal(size=4)),
        Relu(),
        Linear(rng.normal(size=(1, 4)), rng.normal(size=1)),
    )
    network = Network(layers, Signature(Columns(("a", "b", "c")), Numbers("y", "")))
    whole = hessians(network, x)
    np.testing.assert_array_equal(whole[0].each[0], hessian.second_moments(x))
    monkeypatch.setattr(hessian, "TOGETHER", 128)
    parts = hessians(network, x)
    for i in whole:
        np.testing.assert_array_equal(parts[i].each, whole[i].each)
