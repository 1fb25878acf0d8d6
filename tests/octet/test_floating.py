"""The float runtime: what NumPy and scikit-learn compute, with the same bits every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from octet import affine
from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Conv2d, Flatten, GlobalAveragePool, Layer, Linear, Quantize, Standardize
from octet.network import Network
from octet.parameters import Quantized, values
from octet.runtime import integer
from octet.runtime.floating import run
from octet.signature import Classes, Columns, Images, Numbers, Signature
from tests.octet.networks import KINDS, anything, images, in_float, rows, table, unit

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def network(*layers: Layer, features: int = 5) -> Network:
    return Network(
        layers, Signature(Columns(tuple(f"x{i}" for i in range(features))), Numbers("y", ""))
    )


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
@given(seed=seeds, rows=st.integers(0, 40))
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


def test_inputs_are_added_in_order() -> None:
    model = network(Linear(np.ones((1, 4)), np.array([1.0])), features=4)
    assert run(model, np.array([[1e16, 1.0, -1e16, 1.0]])).tolist() == [[2.0]]
    assert run(model, np.array([[1e16, -1e16, 1.0, 1.0]])).tolist() == [[3.0]]


def one_channel() -> Network:
    """Where a batch of one image has memory of another order than a larger one."""
    rng = np.random.default_rng(0)
    layers = (
        Conv2d(rng.normal(size=(3, 1, 3, 3)), rng.normal(size=3), 2),
        Conv2d(rng.normal(size=(2, 3, 1, 1)), rng.normal(size=2)),
        GlobalAveragePool(),
    )
    return Network(layers, Signature(Images((1, 1, 4), 255), Classes(("a", "b"))))


@fixed
@given(
    model=st.one_of(
        st.builds(lambda seed: random_network(np.random.default_rng(seed)), seeds),
        st.builds(lambda seed: in_float(anything(seed, 8, per_channel=False)), seeds),
        st.builds(one_channel),
    ),
    sizes=st.lists(st.integers(0, 20), min_size=1, max_size=6),
)
def test_a_row_has_the_same_bits_in_every_batch(model: Network, sizes: list[int]) -> None:
    x = rows(model, sum(sizes))
    whole = run(model, x)
    batches = [run(model, part) for part in np.split(x, np.cumsum(sizes)[:-1])]
    assert np.concatenate(batches).tobytes() == whole.tobytes()
    backwards = run(model, np.asfortranarray(x[::-1]))
    assert backwards[::-1].tobytes() == whole.tobytes()
    # Pixels are the numbers that they are.
    assert run(model, x.astype(np.float64)).tobytes() == whole.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_more_images_than_go_through_together_get_the_same_bits(kind: str) -> None:
    model = in_float(KINDS[kind](0))
    x = rows(model, 70)
    for size in (1, 31, 32, 33):
        parts = [run(model, x[i : i + size]) for i in range(0, len(x), size)]
        assert np.concatenate(parts).tobytes() == run(model, x).tobytes()


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


def test_weights_of_a_convolution_in_codes_count_as_what_they_stand_for() -> None:
    coded = images(0, 4)
    conv = coded.layers[2]
    x = rows(coded, 10)
    weight, bias = values(conv.weight), values(conv.bias)
    ours, theirs = (
        run(Network((Conv2d(*parts, 1), GlobalAveragePool()), coded.signature), x)
        for parts in ((conv.weight, conv.bias), (weight, bias))
    )
    assert ours.tobytes() == theirs.tobytes()


def test_where_a_layer_has_a_grid_its_output_is_rounded_to_that_grid() -> None:
    grid = unit(100, 0.25)
    linear = network(Linear(np.array([[1.0]]), np.array([0.1]), output=grid), features=1)
    # An eighth is half-way between two codes: to the even one.
    x = np.array([[0.0], [0.025], [0.1], [0.275], [0.5], [99], [-99]])
    expected = [[0.0], [0.0], [0.25], [0.5], [0.5], [155 * 0.25], [-25.0]]
    assert run(linear, x).tolist() == expected
    quantize = network(Quantize(grid), features=1)
    assert run(quantize, np.array([[0.1], [0.13], [1e3]])).tolist() == [[0.0], [0.25], [38.75]]


TABLE, IMAGES = np.zeros((7, 5)), np.zeros((7, 2, 8, 8))


def with_last(x: Array, value: float) -> Array:
    x = x.copy()
    x[(-1,) * x.ndim] = value
    return x


@pytest.mark.parametrize(
    ("x", "message"),
    [
        *[
            (x.reshape(shape), f"got shape {shape}; allowed is (rows, {allowed})")
            for x, allowed in ((TABLE, "5"), (IMAGES, "2, 8, 8"))
            for shape in ((x.size,), (x.size // 4, 4), (*x.shape, 1), (x.size, 1, 1, 1))
            if x.size == np.prod(shape)
        ],
        (IMAGES.swapaxes(1, 3), "got shape (7, 8, 8, 2); allowed is (rows, 2, 8, 8)"),
        (np.zeros(()), "got shape (); allowed is (rows, 5)"),
        *[
            (x.astype(dtype), f"got {np.dtype(dtype)}; allowed is float64 or uint8")
            for x in (TABLE, IMAGES)
            for dtype in ("f2", "f4", ">f8", "i1", "i8", "u2", "?", "c16", "U1", "O")
        ],
        *[
            (
                with_last(IMAGES, bad),
                f"got {bad} at index [6, 1, 7, 7]; every value must be finite",
            )
            for bad in (np.nan, np.inf, -np.inf)
        ],
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_row_of_the_network_is_refused_in_one_line(x: Array, message: str) -> None:
    model = table(0) if "(rows, 5)" in message or x.shape == TABLE.shape else images(0)
    for each in (lambda: run(in_float(model), x), lambda: integer.run(model, x)):
        with pytest.raises(OctetError) as caught:
            each()
        assert str(caught.value) == f"input: {message}"


def test_a_pixel_above_white_is_refused() -> None:
    model = Network((Flatten(),), Signature(Images((1, 2, 2), 16), Classes(tuple("abcd"))))
    x = np.array([[[[0, 16], [3, 4]]]], np.uint8)
    assert run(model, x).tolist() == [[0, 16, 3, 4]]
    with pytest.raises(OctetError) as caught:
        run(model, x + np.uint8(1))
    assert str(caught.value) == "input: got a pixel of 17; allowed are 0 to 16"
