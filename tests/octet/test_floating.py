"""The float runtime: what NumPy, scikit-learn and torch compute, with the same bits every time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from octet import affine
from octet.affine import Array
from octet.errors import OctetError
from octet.layers import (
    Conv2d,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
    Quantize,
    Relu,
    Standardize,
)
from octet.network import Network
from octet.parameters import Quantized, values
from octet.runtime.floating import run
from octet.signature import Classes, Columns, Images, Input, Numbers, Signature
from tests.octet.networks import KINDS, absolute, anything, in_float, rows, unit

fixed = settings(deadline=None, derandomize=True)

WIDTHS = (5, 4, 2)


def network(*layers: Layer, features: int = WIDTHS[0]) -> Network:
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


def torchs(model: Network, x: Input) -> Array:
    """Outputs by torch, in float64."""
    y = torch.from_numpy(x.astype(np.float64))
    for layer in model.layers:
        match layer:
            case Standardize():
                each = (-1, *[1] * (y.ndim - 2))
                mean, std = (torch.from_numpy(v.reshape(each)) for v in (layer.mean, layer.std))
                y = (y - mean) / std
            case Linear():
                y = torch.nn.functional.linear(y, *tensors(layer))
            case Conv2d():
                y = torch.nn.functional.conv2d(y, *tensors(layer), padding=layer.padding)
            case Relu():
                y = torch.relu(y)
            case MaxPool():
                y = torch.nn.functional.max_pool2d(y, layer.side)
            case GlobalAveragePool():
                y = y.mean(dim=(2, 3))
            case Flatten():
                y = y.flatten(1)
    return y.numpy()


def tensors(layer: Linear | Conv2d) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(values(layer.weight)), torch.from_numpy(values(layer.bias))


def image_network(*layers: Layer, shape: tuple[int, int, int] = (2, 6, 8)) -> Network:
    return Network(layers, Signature(Images(shape, 255), Classes(("a", "b", "c"))))


def convolutional(seed: int) -> Network:
    """Every kind of layer that has no grid."""
    rng = np.random.default_rng(seed)
    layers = (
        Standardize(rng.uniform(90, 160, 2), rng.uniform(30, 80, 2)),
        Conv2d(rng.normal(size=(5, 2, 3, 3)) / 3, rng.normal(size=5), 1),
        Relu(),
        MaxPool(2),
        Conv2d(rng.normal(size=(4, 5, 2, 2)) / 3, rng.normal(size=4), 0),
        Relu(),
        Conv2d(rng.normal(size=(6, 4, 1, 1)), rng.normal(size=6), 0),
    )
    last = rng.normal(size=(3, 6)), rng.normal(size=3)
    if seed % 2:
        return image_network(*layers, GlobalAveragePool(), Linear(*last))
    wide = rng.normal(size=(3, 6 * 2 * 3)) / 3
    return image_network(*layers, Flatten(), Linear(wide, last[1]))


@pytest.mark.parametrize("seed", range(8))
def test_outputs_of_a_convolutional_network_are_those_of_torch(seed: int) -> None:
    model = convolutional(seed)
    x = rows(model, 40, seed)
    ours, theirs = run(model, x), torchs(model, x)
    assert (ours.dtype, ours.shape) == (np.float64, (40, 3))
    # Convolutions keep 22 bits or more of each factor.
    assert np.max(np.abs(ours - theirs)) <= 2.0**-21 * np.max(np.abs(theirs))


@fixed
@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(2, 8), count=st.integers(1, 40))
def test_whatever_the_layers_outputs_are_those_of_torch(seed: int, bits: int, count: int) -> None:
    model = in_float(anything(seed, bits, per_channel=False))
    x = rows(model, count, seed)
    theirs = torchs(model, x)
    magnitude = torchs(absolute(model), np.abs(x.astype(np.float64)))
    # At most three convolutions of 54 inputs, which keep 23 bits of each factor.
    assert np.all(np.abs(run(model, x) - theirs) <= 3 * 54 * 2.0**-22 * np.max(magnitude))


@pytest.mark.parametrize("seed", [0, 1])
def test_an_image_alone_gets_the_bits_that_it_gets_among_others(seed: int) -> None:
    model = convolutional(seed)
    x = rows(model, 70)
    together = run(model, x)
    alone = [run(model, x[i : i + 1]) for i in range(len(x))]
    assert np.concatenate(alone).tobytes() == together.tobytes()
    for size in (2, 31, 32, 33):
        parts = [run(model, x[i : i + size]) for i in range(0, len(x), size)]
        assert np.concatenate(parts).tobytes() == together.tobytes()
    assert run(model, x[::-1])[::-1].tobytes() == together.tobytes()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 4), (1, 5, 1), (1, 3, 4)])
def test_an_image_of_one_channel_gets_the_same_bits_alone(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    model = image_network(
        Conv2d(rng.normal(size=(3, 1, 3, 3)), rng.normal(size=3), 2),
        Relu(),
        Conv2d(rng.normal(size=(2, 3, 1, 1)), rng.normal(size=2), 0),
        GlobalAveragePool(),
        shape=shape,
    )
    x = rng.normal(size=(9, *shape))
    alone = [run(model, x[i : i + 1]) for i in range(9)]
    assert np.concatenate(alone).tobytes() == run(model, x).tobytes()


def test_pixels_count_as_the_numbers_that_they_are() -> None:
    model = convolutional(0)
    x = rows(model, 40)
    assert x.dtype == np.uint8
    assert run(model, x).tobytes() == run(model, x.astype(np.float64)).tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_of_a_convolution_in_codes_count_as_what_they_stand_for(dtype: type) -> None:
    coded = KINDS["images"](0, 4)
    conv = coded.layers[2]
    x = rows(coded, 10)
    codes = Network((Conv2d(conv.weight, conv.bias, 1), GlobalAveragePool()), coded.signature)
    weight, bias = values(conv.weight), values(conv.bias)
    assert weight.shape == conv.weight.codes.shape
    reals = Network((Conv2d(weight, bias, 1), GlobalAveragePool()), coded.signature)
    assert run(codes, x).tobytes() == run(reals, x).tobytes()
    rounded = Conv2d(weight.astype(dtype), bias.astype(dtype), 1)
    difference = run(Network((rounded, GlobalAveragePool()), coded.signature), x) - run(reals, x)
    assert np.max(np.abs(difference)) <= np.finfo(dtype).eps * 1000


def test_where_a_layer_has_a_grid_its_output_is_rounded_to_that_grid() -> None:
    grid = unit(100, 0.25)
    model = image_network(GlobalAveragePool(grid), shape=(1, 2, 2))
    x = np.array([[0, 0, 0, 0.5], [1, 1, 1, 1.5], [1, 1, 2, 1.5], [99] * 4, [-99] * 4])
    # An eighth is half-way between two codes: to the even one.
    expected = [[0.0], [1.0], [1.5], [155 * 0.25], [-25.0]]
    assert run(model, x.reshape(-1, 1, 2, 2)).tolist() == expected
    linear = network(Linear(np.array([[1.0]]), np.array([0.1]), grid), features=1)
    assert run(linear, np.array([[0.0], [0.1], [0.5]])).tolist() == [[0.0], [0.25], [0.5]]
    quantize = network(Quantize(grid), features=1)
    assert run(quantize, np.array([[0.1], [0.13], [1e3]])).tolist() == [[0.0], [0.25], [38.75]]


@pytest.mark.parametrize("seed", [0, 1])
def test_no_images_give_no_rows(seed: int) -> None:
    assert run(convolutional(seed), np.zeros((0, 2, 6, 8))).shape == (0, 3)
    assert run(convolutional(seed), np.zeros((0, 2, 6, 8), np.uint8)).shape == (0, 3)


@pytest.mark.parametrize(
    "shape",
    [(2, 6, 8), (7, 1, 6, 8), (7, 2, 8, 6), (7, 6, 8, 2), (7, 96), (7, 2, 6, 8, 1), (2, 2, 6), ()],
)
def test_images_of_another_shape_are_refused_in_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(OctetError) as caught:
        run(convolutional(0), np.zeros(shape))
    assert str(caught.value) == f"input: got shape {shape}; allowed is (rows, 2, 6, 8)"


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "i1", "i8", "u2", "?", "c16", "U1", "O"])
def test_an_input_of_another_type_is_refused_in_one_line(dtype: str) -> None:
    for model in (convolutional(0), random_network(np.random.default_rng(0))):
        with pytest.raises(OctetError) as caught:
            run(model, np.zeros((1, *model.signature.shape)).astype(dtype))
        message = str(caught.value)
        assert message == f"input: got {np.dtype(dtype)}; allowed is float64 or uint8"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_input_that_is_not_finite_is_refused_by_its_place(bad: float) -> None:
    x = np.zeros((2, 2, 6, 8))
    x[1, 0, 5, 7] = bad
    with pytest.raises(OctetError) as caught:
        run(convolutional(0), x)
    expected = f"input: got {bad} at index [1, 0, 5, 7]; every value must be finite"
    assert str(caught.value) == expected


def test_a_pixel_above_white_is_refused() -> None:
    model = Network((Flatten(),), Signature(Images((1, 2, 2), 16), Classes(tuple("abcd"))))
    x = np.array([[[[0, 16], [3, 4]]]], np.uint8)
    assert run(model, x).tolist() == [[0, 16, 3, 4]]
    with pytest.raises(OctetError) as caught:
        run(model, x + np.uint8(1))
    assert str(caught.value) == "input: got a pixel of 17; allowed are 0 to 16"
