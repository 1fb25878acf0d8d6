"""Quantizing a whole network of a table, and the networks that are refused."""

from dataclasses import replace

import numpy as np
import pytest

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Linear, Quantize, Standardize
from octet.network import Network
from octet.parameters import Int32, Quantized, values
from octet.quantizer import Calibration, Config, quantize, quantize_apart
from octet.quantizer.hessian import second_moments
from octet.quantizer.layer import weights_only
from octet.runtime import floating, inference, integer
from octet.signature import Columns, Numbers, Signature
from tests.octet.quantizer.cases import ROUNDINGS, config, random_inputs, random_layer

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, size=(50, 3))
NETWORK = Network(
    (
        Standardize(X.mean(axis=0), X.std(axis=0)),
        Linear(np.array([[0.5, -1.0, 0.25]]), np.array([2.0])),
    ),
    Signature(Columns(("a", "b", "c")), Numbers("y", "m")),
)


def with_weights(*weights: float) -> Network:
    layer = Linear(np.array([weights]), np.array([2.0]))
    return replace(NETWORK, layers=(NETWORK.layers[0], layer))


def network(rng: np.random.Generator) -> Network:
    """Two linear layers behind a scaler that makes inputs 1,000 times smaller."""
    scaler = Standardize(np.full(4, 5.0), np.full(4, 1000.0))
    layers = scaler, random_layer(rng), random_layer(rng, 2, 3)
    return Network(layers, Signature(Columns(tuple("abcd")), Numbers("price", "$")))


def seen(model: Network, x: Array) -> list[Array]:
    """What enters each layer."""
    return [floating.through(model.layers[:i], x) for i in range(len(model.layers))]


def test_weights_become_codes_and_the_scaler_stays() -> None:
    quantized = quantize(NETWORK, X, Config())
    scaler, layer = quantized.layers
    assert scaler is NETWORK.layers[0]
    assert isinstance(layer, Linear)
    assert isinstance(layer.weight, Quantized)
    assert isinstance(layer.bias, Quantized)
    assert layer.output is None
    (figures,) = quantized.rounding.values()
    assert figures["rows_proven"] == figures["rows"] == 1


def test_each_layer_is_quantized_on_what_it_sees() -> None:
    rng = np.random.default_rng(11)
    model, x = network(rng), random_inputs(rng) * 1000
    how = config(rounding="exact", bits=3)
    found = quantize(model, x, how)
    assert found.signature == model.signature
    assert found.layers[0] is model.layers[0]
    figures = {}
    for i in (1, 2):
        name = f"{i}_linear"
        hessian = second_moments(seen(model, x)[i])
        layer, figures[name] = weights_only(model.layers[i], [hessian], how, name)
        assert found.layers[i].weight.codes.tolist() == layer.weight.codes.tolist()
        assert found.layers[i].bias.codes.tolist() == layer.bias.codes.tolist()
    assert found.rounding == figures


def test_apart_there_is_a_network_for_each_width_and_none_knows_of_the_others() -> None:
    rng = np.random.default_rng(12)
    model, x = network(rng), random_inputs(rng) * 1000
    how = config(rounding="gptq", range="mse", bits=5)
    found = quantize_apart(model, x, how, (3, 6))
    assert list(found) == [3, 6]
    for bits, apart in found.items():
        alone = quantize(model, x, replace(how, bits=bits))
        assert apart.rounding == alone.rounding
        for layer, expected in zip(apart.layers[1:], alone.layers[1:], strict=True):
            assert layer.weight.grid.bits == bits
            assert layer.weight.codes.tolist() == expected.weight.codes.tolist()


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel"])
def test_a_table_runs_in_integers_near_to_its_float_network(
    rounding: str, granularity: str
) -> None:
    rng = np.random.default_rng(13)
    model, x = network(rng), random_inputs(rng) * 1000
    how = config(
        activations="uint8",
        rounding=rounding,
        granularity=granularity,
        calibration=Calibration(len(x), 0, "minmax"),
    )
    found = quantize(model, x, how)
    assert [type(layer) for layer in found.layers] == [Standardize, Quantize, Linear, Linear]
    assert all(isinstance(layer.bias, Int32) for layer in found.layers[2:])
    assert sorted(found.rounding) == ["1_linear", "2_linear"]
    outputs, reference = inference.run(found, x), inference.run(model, x)
    step = float(integer.output_grid(found).scale)
    assert np.max(np.abs(outputs - reference)) < 6 * step
    assert np.all(np.abs(np.mean(outputs - reference, axis=0)) < step / 2)


def test_a_network_is_not_quantized_twice() -> None:
    quantized = quantize(NETWORK, X, Config())
    for again in (quantize, lambda *given: quantize_apart(*given, (8,))):
        with pytest.raises(OctetError, match="quantized already"):
            again(quantized, X, config())


@pytest.mark.parametrize("weights", [(0.0, 0.0, 0.0), (0.7, 0.7, 0.7)])
@pytest.mark.parametrize("activations", ["none", "uint8"])
def test_a_layer_that_was_not_trained_is_named(
    weights: tuple[float, ...], activations: str
) -> None:
    with pytest.raises(OctetError, match=r"^layer 1_linear: weight: got 0(\.7)? for every one"):
        quantize(with_weights(*weights), X, config(activations=activations))


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_the_layer_that_was_never_trained_is_the_one_that_is_named(value: float) -> None:
    rng = np.random.default_rng(16)
    model = network(rng)
    model.layers[2].weight[:] = value
    with pytest.raises(OctetError, match=rf"^layer 2_linear: weight: got {value:g} for every"):
        quantize(model, random_inputs(rng), config())


@pytest.mark.parametrize("weights", [(np.nan, 1.0, 2.0), (1.0, np.inf, 2.0)])
@pytest.mark.parametrize("activations", ["none", "uint8"])
def test_weights_that_are_not_finite_are_named(
    weights: tuple[float, ...], activations: str
) -> None:
    with pytest.raises(OctetError, match=r"^layer 1_linear: weight: got (nan|inf) at index"):
        quantize(with_weights(*weights), X, config(activations=activations))


def test_an_error_in_a_network_names_the_layer() -> None:
    rng = np.random.default_rng(13)
    model = network(rng)
    model.layers[2].bias[1] = np.nan
    with pytest.raises(OctetError, match=r"^layer 2_linear: bias: got nan at index \[1\]"):
        quantize(model, random_inputs(rng), config())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_are_refused(bad: float) -> None:
    x = X.copy()
    x[-1, -1] = bad
    with pytest.raises(OctetError, match=rf"^input: got {bad} at index"):
        quantize(NETWORK, x, config())


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_inputs_whose_squares_overflow_are_refused_by_name(rounding: str) -> None:
    x = X * [1.0, 1e200, 1.0]
    with pytest.raises(OctetError, match=r"^layer 1_linear: inputs: "):
        quantize(NETWORK, x, config(rounding=rounding))


def test_quantizing_leaves_the_float_network_and_the_rows_as_they_were() -> None:
    rng = np.random.default_rng(10)
    model, x = network(rng), random_inputs(rng) * 1000
    before = [x.copy()]
    for layer in model.layers[1:]:
        before += [values(layer.weight).copy(), values(layer.bias).copy()]
    for activations in ("none", "uint8"):
        quantize(model, x, config(rounding="exact", activations=activations))
    after = [x] + [part for layer in model.layers[1:] for part in (layer.weight, layer.bias)]
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old, new)
