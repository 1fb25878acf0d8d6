"""One layer at a time: what the table says is what networks with that layer replaced score."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from octet.affine import Array
from octet.layers import Quantize, Standardize, Weighted
from octet.network import Network, label
from octet.quantizer import quantize_apart
from octet.runtime import floating
from octet.signature import Columns, Numbers, Signature
from stages import outputs
from stages.evaluate import sensitivity
from tests.octet.quantizer.cases import (
    config,
    random_cnn,
    random_images,
    random_inputs,
    random_layer,
)


def replaced(network: Network, name: str, source: Network) -> Network:
    """The network with one layer, by its label, from another."""
    donors = {label(source.layers, i): layer for i, layer in enumerate(source.layers)}
    layers = tuple(
        donors[name] if label(network.layers, i) == name and isinstance(layer, Weighted) else layer
        for i, layer in enumerate(network.layers)
    )
    assert any(a is not b for a, b in zip(layers, network.layers, strict=True))
    return replace(network, layers=layers)


def images(rows: int = 250) -> tuple[Network, Network, Array]:
    rng = np.random.default_rng(0)
    network, x = random_cnn(rng), random_images(rng, rows)
    how = config(activations="uint8", rounding="gptq")
    return network, quantize_apart(network, x, how, (3,))[3], x


def table(activations: str) -> tuple[Network, Network, Array]:
    rng = np.random.default_rng(1)
    scaler = Standardize(np.full(4, 0.5), np.full(4, 2.0))
    layers = scaler, random_layer(rng), random_layer(rng, 2, 3)
    network, x = (
        Network(layers, Signature(Columns(tuple("abcd")), Numbers("", ""))),
        random_inputs(rng),
    )
    return network, quantize_apart(network, x, config(activations=activations), (3,))[3], x


def nearness(reference: Network, x: Array) -> sensitivity.Score:
    """How near outputs are to those of the float network; more is better."""
    expected = floating.run(reference, x)
    return lambda outputs: -float(np.mean((outputs - expected) ** 2))


@pytest.mark.parametrize(
    "make",
    [images, lambda: table("none"), lambda: table("uint8")],
    ids=["images", "table", "table in integers"],
)
def test_the_table_is_that_of_networks_with_each_layer_replaced(
    make: Callable[[], tuple[Network, Network, Array]],
) -> None:
    reference, apart, x = make()
    score = nearness(reference, x)
    found = sensitivity.table(reference, apart, x, score)
    names = [
        label(reference.layers, i)
        for i, layer in enumerate(reference.layers)
        if isinstance(layer, Weighted)
    ]
    only = {name: score(floating.run(replaced(reference, name, apart), x)) for name in names}
    all_but = {name: score(floating.run(replaced(apart, name, reference), x)) for name in names}
    expected = floating.run(reference, x)
    moved = {
        name: np.mean((floating.run(replaced(reference, name, apart), x) - expected) ** 2)
        for name in names
    }
    blame = max(moved, key=moved.__getitem__)
    assert found == {"only": only, "all_but": all_but, "moved": moved, "blame": blame}
    assert list(found["only"]) == list(found["moved"]) == names
    assert min(moved.values()) > 0
    assert len(set(moved.values())) == len(set(all_but.values())) == len(names)


@pytest.mark.parametrize("together", [1, 7, 1000])
def test_the_size_of_a_batch_makes_no_difference(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, apart, x = images(60)
    score = nearness(reference, x)
    expected = sensitivity.table(reference, apart, x, score)
    for most in ("_IMAGES", "_NUMBERS"):
        monkeypatch.setattr(outputs, most, together)
    assert sensitivity.table(reference, apart, x, score) == expected


@pytest.mark.parametrize("spoilt", ["1_conv2d", "4_conv2d", "7_linear"])
def test_the_layer_that_was_spoilt_is_to_blame(spoilt: str) -> None:
    reference, apart, x = images(100)
    layers = list(apart.layers)
    for i, layer in enumerate(layers):
        if label(layers, i) == spoilt and isinstance(layer, Weighted):
            codes = layer.weight.codes[::-1].copy()
            layers[i] = replace(layer, weight=replace(layer.weight, codes=codes))
    spoilt_network = replace(apart, layers=tuple(layers))
    found = sensitivity.table(reference, spoilt_network, x, nearness(reference, x))
    assert found["blame"] == spoilt
    assert found["only"][spoilt] == min(found["only"].values())
    assert found["all_but"][spoilt] == max(found["all_but"].values())


def test_blame_goes_by_how_far_outputs_move_not_by_scores_that_few_rows_decide() -> None:
    reference, apart, x = table("none")
    found = sensitivity.table(reference, apart, x, nearness(reference, x))
    for score in (lambda _: 0.5, lambda outputs: float(np.sum(outputs)) % 1.0):
        judged = sensitivity.table(reference, apart, x, score)
        assert judged["blame"] == found["blame"]
        assert judged["moved"] == found["moved"]
    assert found["moved"][found["blame"]] == max(found["moved"].values())


def test_a_network_against_itself_costs_nothing() -> None:
    reference, _, x = images(40)
    found = sensitivity.table(reference, reference, x, nearness(reference, x))
    assert {value for key in ("only", "all_but", "moved") for value in found[key].values()} == {0}


def test_the_entry_of_an_integer_network_is_rounded_where_the_layers_behind_it_are() -> None:
    reference, apart, x = table("uint8")
    grids = [layer.grid for layer in apart.layers if isinstance(layer, Quantize)]
    assert len(grids) == 1
    found = sensitivity.table(reference, apart, x, nearness(reference, x))
    # With all but the first in codes the input still goes through its codes; with only one it is
    # as it was.
    rounded = replace(
        reference, layers=(reference.layers[0], Quantize(grids[0]), *reference.layers[1:])
    )
    last = replaced(rounded, "2_linear", apart)
    assert found["all_but"]["1_linear"] == nearness(reference, x)(floating.run(last, x))
