"""The float runtime: what NumPy and scikit-learn compute, with the same bits for every batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from octet import affine
from octet.errors import OctetError
from octet.floating import run
from octet.network import Array, Columns, Layer, Linear, Network, Quantized, Standardize, values

fixed = settings(deadline=None, derandomize=True)

WIDTHS = (5, 4, 2)


def network(*layers: Layer, features: int = WIDTHS[0]) -> Network:
    return Network(layers, Columns(tuple(f"x{i}" for i in range(features)), "y", ""))


def random_network(rng: np.random.Generator) -> Network:
    first, second = (
        Linear(rng.normal(size=(after, before)), rng.normal(size=after))
        for before, after in ((5, 4), (4, 2))
    )
    return network(Standardize(rng.normal(size=5), rng.uniform(0.1, 9, 5)), first, second)


def plainly(model: Network, x: Array) -> tuple[Array, Array]:
    """Outputs by matrix products, and how much of them a relative error of 1 could move."""
    magnitude = np.abs(x)
    for layer in model.layers:
        if isinstance(layer, Standardize):
            x = (x - layer.mean) / layer.std
            magnitude = (magnitude + np.abs(layer.mean)) / layer.std
        else:
            weight, bias = values(layer.weight), values(layer.bias)
            x = x @ weight.T + bias
            magnitude = magnitude @ np.abs(weight).T + np.abs(bias)
    return x, magnitude


@fixed
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(0, 40))
def test_outputs_are_those_of_plain_matrix_products(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_network(rng)
    x = rng.normal(size=(rows, 5)) * 10.0 ** rng.integers(-6, 7, 5)
    expected, magnitude = plainly(model, x)
    outputs = run(model, x)
    assert outputs.dtype == np.float64
    assert outputs.shape == (rows, 2)
    # Both sides make at most 2 + 6 + 5 roundings of 2⁻⁵³ on the way to an output.
    assert np.all(np.abs(outputs - expected) <= 2 * 13 * 2.0**-53 * magnitude)


def test_outputs_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)) * [1, 10, 100, 0.1, 1] + [0, 3, -50, 1, 0]
    y = x @ rng.normal(size=(5, 2)) + rng.normal(size=(200, 2))
    pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(x, y)
    scaler, regression = pipeline[0], pipeline[1]
    model = network(
        Standardize(scaler.mean_, scaler.scale_), Linear(regression.coef_, regression.intercept_)
    )
    expected = pipeline.predict(x)
    assert np.max(np.abs(run(model, x) - expected)) <= 1e-12 * np.max(np.abs(expected))


@fixed
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(0, 20), min_size=1, max_size=6))
def test_a_row_has_the_same_bits_in_every_batch(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    model = random_network(rng)
    x = rng.normal(size=(sum(sizes), 5))
    whole = run(model, x)
    batches = [run(model, part) for part in np.split(x, np.cumsum(sizes)[:-1])]
    assert np.concatenate(batches).tobytes() == whole.tobytes()
    backwards = run(model, np.asfortranarray(x[::-1]))
    assert backwards[::-1].tobytes() == whole.tobytes()


def test_inputs_are_added_in_order() -> None:
    model = network(Linear(np.ones((1, 4)), np.array([1.0])), features=4)
    assert run(model, np.array([[1e16, 1.0, -1e16, 1.0]])).tolist() == [[2.0]]
    assert run(model, np.array([[1e16, -1e16, 1.0, 1.0]])).tolist() == [[3.0]]


@pytest.mark.parametrize("bits", range(2, 17))
def test_codes_count_as_what_they_stand_for(bits: int) -> None:
    rng = np.random.default_rng(bits)
    weight, bias = rng.normal(size=(2, 5)), rng.normal(size=2)
    grid = affine.asymmetric(weight.min(axis=1)[:, None], weight.max(axis=1)[:, None], bits)
    bias_grid = affine.asymmetric(bias.min(), bias.max(), bits)
    codes = Linear(
        Quantized(affine.quantize(weight, grid), grid),
        Quantized(affine.quantize(bias, bias_grid), bias_grid),
    )
    reals = Linear(values(codes.weight), values(codes.bias))
    x = rng.normal(size=(7, 5))
    assert run(network(codes), x).tobytes() == run(network(reals), x).tobytes()
    assert run(network(codes), x).tobytes() != run(network(Linear(weight, bias)), x).tobytes()


@pytest.mark.parametrize("shape", [(5,), (7, 4), (7, 6), (0, 4), (7, 5, 1), ()])
def test_an_input_of_another_width_is_refused(shape: tuple[int, ...]) -> None:
    model = random_network(np.random.default_rng(0))
    with pytest.raises(OctetError) as caught:
        run(model, np.zeros(shape))
    assert str(caught.value) == f"input: got shape {shape}; allowed is (rows, 5)"
