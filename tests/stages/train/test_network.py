"""A training of images is the same every time; what comes out computes what torch would."""

import io
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn import functional

from octet.errors import OctetError
from octet.layers import Conv2d, Flatten, GlobalAveragePool, Linear, MaxPool, Relu, Standardize
from octet.modelfile.storage import dump_network
from octet.network import Network
from octet.parameters import values
from octet.runtime import inference
from stages.dataset import Dataset
from stages.params.layers import Add, Layer, Sigmoid, Softmax
from stages.params.train import Train
from stages.train import network as training
from stages.train.architecture import Step
from stages.train.module import Module
from stages.train.network import standardize
from stages.train.objective import CrossEntropy
from stages.train.plots import History
from stages.train.recipe import learning_rate
from tests.stages.train.small import (
    COMMITTED,
    average,
    committed,
    conv,
    dense,
    digits,
    fit,
    flat,
    pictures,
    planned,
    pool,
    recipe,
)

FLAT = flat(), dense()
SMALL = conv(4), pool(), conv(6, 3, 0), average(), dense()
NOISE = {"share": 0.25, "std": 0.5}
VIEWS = {**COMMITTED.train.augment.model_dump(), "share": 0.5}


def trained(data: Dataset, how: Train) -> bytes:
    return dump_network(fit(data, SMALL, how)[0])


def accuracy(network: Network, x: npt.NDArray[np.uint8], y: npt.NDArray[np.uint8]) -> float:
    return float(np.mean(inference.run(network, x).argmax(axis=1) == y))


@pytest.fixture(scope="module")
def learnt() -> tuple[Dataset, Network, History]:
    """The digits as params.yaml trains them."""
    data = digits()
    return data, *fit(data, committed("digits").layers, COMMITTED.train_of("digits"))


def test_the_committed_recipe_learns_the_digits(
    learnt: tuple[Dataset, Network, History],
) -> None:
    data, network, history = learnt
    assert accuracy(network, data.x_test, data.y_test) > 0.95
    assert history.accuracy[-1] > 0.95
    assert history.loss[-1] < history.loss[0]


def test_a_network_is_what_a_model_file_holds(learnt: tuple[Dataset, Network, History]) -> None:
    data, network, _ = learnt
    kinds = [type(layer) for layer in network.layers]
    convolution = [Conv2d, Relu]
    assert kinds == [
        *(Standardize, *convolution, *convolution, MaxPool, *convolution),
        *(GlobalAveragePool, Linear),
    ]
    assert network.signature == data.signature
    assert dict(network.rounding) == {}
    for layer in network.layers:
        if isinstance(layer, Conv2d | Linear):
            assert layer.weight.dtype == layer.bias.dtype == np.float32
            assert layer.output is None


def test_a_training_gives_the_same_bytes_every_time() -> None:
    how = recipe(epochs=3, noise=NOISE, augment=VIEWS)
    first = trained(pictures(), how)
    torch.rand(7)
    assert trained(pictures(), how) == first


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"epochs": 4},
        {"batch": 15},
        {"learning_rate": 0.02},
        {"warm_up": 0.5},
        {"label_smoothing": 0.2},
        {"noise": {**NOISE, "std": 0.6}},
        {"noise": {**NOISE, "share": 0.5}},
        {"augment": {**VIEWS, "share": 0.25}},
        {"augment": {**VIEWS, "crop": 0.4}},
    ],
    ids=str,
)
def test_every_key_of_the_recipe_makes_a_difference(change: dict[str, object]) -> None:
    how = {"epochs": 3, "noise": NOISE, "augment": VIEWS}
    assert trained(pictures(), recipe(**how)) != trained(pictures(), recipe(**how | change))


def test_test_images_have_no_say_and_the_data_are_not_changed() -> None:
    data, before, how = pictures(), pictures(), recipe(epochs=2, noise=NOISE, augment=VIEWS)
    other = replace(data, x_test=16 - data.x_test, y_test=9 - data.y_test)
    assert trained(other, how) == trained(data, how)
    np.testing.assert_array_equal(data.x_train, before.x_train)
    np.testing.assert_array_equal(data.y_train, before.y_train)


HOW = recipe(learning_rate=0.5, warm_up=0.2)


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(1e-12, 0.1), (0.1, 0.55), (0.2, 1), (0.6, 0.5), (0.8, 0.25), (1, 0)],
)
def test_the_learning_rate_goes_up_from_a_tenth_and_then_down_to_nothing(
    progress: float, factor: float
) -> None:
    assert learning_rate(HOW, progress) == pytest.approx(0.5 * factor, abs=1e-9)


@pytest.mark.parametrize("warm_up", [0.001, 0.2, 0.5, 0.999])
def test_the_learning_rate_is_never_above_its_peak_nor_below_0(warm_up: float) -> None:
    how = recipe(learning_rate=0.5, warm_up=warm_up)
    rates = [learning_rate(how, progress) for progress in np.linspace(1e-9, 1, 2001)]
    assert min(rates) >= 0
    assert max(rates) <= 0.5
    peak = int(np.argmax(rates))
    assert np.all(np.diff(rates[: peak + 1]) > 0)
    assert np.all(np.diff(rates[peak:]) < 0)


def test_the_last_step_of_a_training_moves_no_weight() -> None:
    """Its learning rate is 0: a training of one step gives the weights that it began with."""
    how = recipe(epochs=1, batch=16)
    network, _ = fit(pictures(16), FLAT, how)
    torch.manual_seed(how.seed)
    expected = centred(Module(planned(*FLAT)))
    head = network.layers[-1]
    assert isinstance(head, Linear)
    np.testing.assert_array_equal(head.weight, expected.weight)
    np.testing.assert_array_equal(head.bias, expected.bias)


def head_of(module: Module) -> Linear:
    """The last layer of a module as it is."""
    head = module.layers()[-1]
    assert isinstance(head, Linear)
    return head


def centred(module: Module) -> Linear:
    return CrossEntropy(torch.zeros(1), 0.0).finish(head_of(module))


@pytest.mark.parametrize("drift", [0.0, 12.0, -300.0])
def test_centring_leaves_softmax_as_it_is(drift: float) -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(10, 6)), rng.normal(size=10)
    head = Linear((weight + drift).astype(np.float32), (bias + drift).astype(np.float32))
    finished, x = CrossEntropy(torch.zeros(1), 0.0).finish(head), rng.normal(size=(50, 6))
    before, after = (x @ values(each.weight).T + values(each.bias) for each in (head, finished))
    np.testing.assert_allclose(softmax(after), softmax(before), atol=1e-5)
    np.testing.assert_allclose(after.sum(axis=1), 0, atol=1e-4)
    assert finished.weight.dtype == finished.bias.dtype == np.float32


def softmax(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(functional.softmax(torch.from_numpy(outputs), dim=1))


def test_only_the_last_layer_is_centred() -> None:
    network, _ = fit(pictures(), (flat(), dense(5), dense()), recipe(epochs=1))
    first, last = (layer for layer in network.layers if isinstance(layer, Linear))
    assert np.all(np.abs(values(first.weight).mean(axis=0)) > 1e-6)
    np.testing.assert_allclose(values(last.weight).mean(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(values(last.bias).mean(), 0, atol=1e-8)


def test_the_head_is_that_of_the_module_less_its_mean(built: list[Module]) -> None:
    network, _ = fit(pictures(), FLAT, recipe(epochs=1))
    expected, head = head_of(built[-1]), network.layers[-1]
    assert isinstance(head, Linear)
    weight, bias = values(expected.weight), values(expected.bias)
    np.testing.assert_allclose(values(head.weight), weight - weight.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(values(head.bias), bias - bias.mean(), atol=1e-6)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Module]:
    """The torch modules that the trainings of a test build, to look at when they are done."""
    modules: list[Module] = []

    class Kept(Module):
        def __init__(self, steps: tuple[Step, ...]) -> None:
            super().__init__(steps)
            modules.append(self)

    monkeypatch.setattr(training, "Module", Kept)
    return modules


@pytest.mark.parametrize(
    "layers",
    [
        (conv(4), conv(5, 5, 4), pool(), conv(6, 3, 0), average(), dense()),
        (conv(4, 3, 0), pool(3), flat(), dense(7), dense()),
        (pool(), conv(3, 1, 0), flat(), dense()),
        (conv(10, 3, 0), average()),
        (conv(10, 8, 0), flat()),
        (average(), dense()),
        (
            conv(4).model_copy(update={"name": "a"}),
            conv(4, relu=False).model_copy(update={"name": "b"}),
            Add(kind="add", inputs=("a", "b")),
            flat(),
            dense(),
        ),
    ],
    ids=lambda layers: "-".join(layer.kind for layer in layers),
)
def test_the_network_gives_what_the_trained_module_gives(
    layers: tuple[Layer, ...], built: list[Module]
) -> None:
    data = pictures(64)
    network, _ = fit(data, layers, recipe(epochs=3))
    (module,) = built
    scaler = network.layers[0]
    assert isinstance(scaler, Standardize)
    x = np.random.default_rng(1).integers(0, 17, (20, 1, 8, 8), np.uint8)
    with torch.no_grad():
        given = module.eval().double()(torch.from_numpy((x - scaler.mean[0]) / scaler.std[0]))
    expected = given.numpy()
    if isinstance(network.layers[-1], Linear):
        expected = expected - expected.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(inference.run(network, x), expected, rtol=1e-4, atol=1e-4)


def test_the_digits_network_classifies_as_its_module_does(built: list[Module]) -> None:
    data = digits()
    how = COMMITTED.train_of("digits").model_copy(update={"epochs": 3})
    network, _ = fit(data, committed("digits").layers, how)
    scaler = network.layers[0]
    assert isinstance(scaler, Standardize)
    x = torch.from_numpy((data.x_test - scaler.mean[0]) / scaler.std[0])
    with torch.no_grad():
        expected = built[-1].eval().double()(x).argmax(1).numpy()
    np.testing.assert_array_equal(inference.run(network, data.x_test).argmax(axis=1), expected)


def test_the_scaler_is_that_of_all_pixels_with_a_whole_mean() -> None:
    pixels = pictures().x_train
    scaler = standardize(pixels)
    mean = round(float(pixels.mean()))
    assert scaler.mean.tolist() == [mean]
    assert scaler.mean.dtype == scaler.std.dtype == np.float64
    expected = np.sqrt(np.mean((pixels.astype(np.float64) - mean) ** 2))
    np.testing.assert_allclose(scaler.std, [expected], rtol=1e-12)
    half = standardize(np.array([[[[0, 255]]]], np.uint8))
    assert half.mean.tolist() == [128]
    np.testing.assert_allclose(half.std, [np.sqrt((128**2 + 127**2) / 2)], rtol=1e-12)


@pytest.mark.parametrize("value", [0, 7, 255])
def test_pictures_of_one_grey_are_refused(value: int) -> None:
    with pytest.raises(OctetError, match=f"every pixel is {value}; ") as caught:
        standardize(np.full((3, 1, 2, 2), value, np.uint8))
    assert str(caught.value).splitlines() == [str(caught.value)]


def test_a_loss_that_is_no_number_names_the_step_and_says_what_to_lower() -> None:
    with pytest.raises(OctetError) as caught:
        fit(pictures(), SMALL, recipe(epochs=4, learning_rate=1e30))
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith("train: the loss is ")
    step = int(message.partition(" at step ")[2].partition(" of 12; ")[0])
    assert 1 < step <= 12
    assert message.endswith("lower train.learning_rate")


@pytest.mark.parametrize("rate", [1e5, 1e10, 1e15, 1e20, 1e30])
@pytest.mark.parametrize("rows", [32, 48])
def test_a_network_that_comes_out_is_finite_whatever_the_learning_rate(
    rate: float, rows: int
) -> None:
    steps = conv(4), conv(4), flat(), dense(7), dense()
    try:
        network, _ = fit(pictures(rows), steps, recipe(epochs=1, learning_rate=rate))
    except OctetError:
        return
    for layer in network.layers:
        if isinstance(layer, Conv2d | Linear):
            assert np.all(np.isfinite(values(layer.weight)))
            assert np.all(np.isfinite(values(layer.bias)))


def test_a_batch_of_all_images_is_allowed_and_one_more_is_refused() -> None:
    data = pictures(20)
    assert fit(data, SMALL, recipe(epochs=2, batch=20))[1].step == (2,)
    with pytest.raises(OctetError) as caught:
        fit(data, SMALL, recipe(epochs=2, batch=21))
    assert str(caught.value) == (
        "params.yaml: train.batch: got 21; allowed are up to the 20 training rows"
    )


@pytest.mark.parametrize(("rows", "steps"), [(48, 6), (63, 6), (64, 8), (17, 2)])
def test_what_is_left_of_the_last_batch_is_left_out(rows: int, steps: int) -> None:
    _, history = fit(pictures(rows), SMALL, recipe(epochs=2, batch=16))
    assert history.step[-1] == steps


@pytest.mark.parametrize(
    ("epochs", "rows"), [(50, (100,)), (51, (100, 102)), (100, (100, 200)), (49, (98,))]
)
def test_a_row_of_the_history_is_100_steps_and_the_last_the_rest(
    epochs: int, rows: tuple[int, ...]
) -> None:
    how = recipe(epochs=epochs, batch=4)
    _, history = fit(pictures(8), FLAT, how)
    assert history.step == rows
    assert len(history.loss) == len(history.accuracy) == len(rows)
    assert all(0 <= share <= 1 for share in history.accuracy)


def test_a_row_of_the_history_sums_up_its_own_steps_alone() -> None:
    """Eight pictures are soon known by heart, so only the first steps go wrong."""
    _, history = fit(pictures(8), FLAT, recipe(epochs=102, batch=4))
    assert history.step == (100, 200, 204)
    assert history.accuracy[0] < 1
    assert history.accuracy[1:] == (1, 1)


class Terminal(io.StringIO):
    """A stream that a progress bar takes for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "silent"), [(io.StringIO, True), (Terminal, False)])
def test_the_progress_bar_is_for_terminals_only(
    stream: Callable[[], io.StringIO],
    silent: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = stream()
    monkeypatch.setattr(sys, "stderr", printed)
    fit(pictures(), SMALL, recipe(epochs=2))
    assert capsys.readouterr().out == ""
    assert (printed.getvalue() == "") == silent
    assert ("6/6" in printed.getvalue()) == ("loss=" in printed.getvalue()) == (not silent)


def test_a_flattened_network_keeps_its_flatten_layer() -> None:
    network, _ = fit(pictures(), (conv(2), flat(), dense()), recipe(epochs=1))
    assert [type(layer) for layer in network.layers[1:]] == [Conv2d, Relu, Flatten, Linear]


def test_a_softmax_at_the_end_is_trained_without_and_added() -> None:
    how = recipe(epochs=2)
    logits, history = fit(pictures(), SMALL, how)
    shares, same_history = fit(pictures(), (*SMALL, Softmax(kind="softmax")), how)
    assert history == same_history
    x = pictures(20, seed=1).x_train
    np.testing.assert_allclose(
        inference.run(shares, x), softmax(inference.run(logits, x)), atol=1e-12
    )


def test_a_sigmoid_at_the_end_learns_each_class_for_itself() -> None:
    data = digits()
    how = COMMITTED.train_of("digits").model_copy(update={"epochs": 3})
    network, _ = fit(data, (*committed("digits").layers, Sigmoid(kind="sigmoid")), how)
    outputs = inference.run(network, data.x_test)
    assert np.all((outputs > 0) & (outputs < 1))
    assert accuracy(network, data.x_test, data.y_test) > 0.8
    # No sum of shares: most rows are sure of no class or of one.
    assert np.std(outputs.sum(axis=1)) > 0.01
