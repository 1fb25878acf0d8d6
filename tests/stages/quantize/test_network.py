"""Quantizing a whole network, and the networks that are refused."""

from dataclasses import replace

import numpy as np
import pytest

from octet.errors import OctetError
from octet.network import Linear, Network, Quantized, Signature, Standardize
from stages import params
from stages.quantize.network import quantize_network

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, size=(50, 3))
NETWORK = Network(
    (
        Standardize(X.mean(axis=0), X.std(axis=0)),
        Linear(np.array([[0.5, -1.0, 0.25]]), np.array([2.0])),
    ),
    Signature(("a", "b", "c"), "y", "m"),
)


def with_weights(*weights: float) -> Network:
    layer = Linear(np.array([weights]), np.array([2.0]))
    return replace(NETWORK, layers=(NETWORK.layers[0], layer))


def test_weights_become_codes_and_the_scaler_stays() -> None:
    quantized = quantize_network(NETWORK, X, params.load().quant)
    scaler, layer = quantized.layers
    assert scaler is NETWORK.layers[0]
    assert isinstance(layer, Linear)
    assert isinstance(layer.weight, Quantized)
    assert isinstance(layer.bias, Quantized)
    assert quantized.rounding["rows_proven"] == quantized.rounding["rows"] == 1


@pytest.mark.parametrize("weights", [(0.0, 0.0, 0.0), (0.7, 0.7, 0.7)])
def test_a_layer_that_was_not_trained_is_named(weights: tuple[float, ...]) -> None:
    with pytest.raises(OctetError, match=r"^layer 1 \(linear\): weight: got 0(\.7)? for every one"):
        quantize_network(with_weights(*weights), X, params.load().quant)


@pytest.mark.parametrize("weights", [(np.nan, 1.0, 2.0), (1.0, np.inf, 2.0)])
def test_weights_that_are_not_finite_are_named(weights: tuple[float, ...]) -> None:
    with pytest.raises(OctetError, match=r"^layer 1 \(linear\): weight: got (nan|inf) at index"):
        quantize_network(with_weights(*weights), X, params.load().quant)


def test_a_quantized_network_is_not_quantized_again() -> None:
    quantized = quantize_network(NETWORK, X, params.load().quant)
    with pytest.raises(OctetError, match="quantized already"):
        quantize_network(quantized, X, params.load().quant)
