"""A network learns a table: classes, or numbers in their own units."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from octet.errors import OctetError
from octet.layers import Linear, Standardize
from octet.runtime import inference
from octet.signature import Classes, Numbers
from stages.load import readers
from stages.params.layers import Layer, Sigmoid
from stages.train.objective import objective
from tests.stages.train.small import COMMITTED, dense, fit, recipe, relu, table

NUMBERS, CLASSES = Numbers("y", "m"), Classes(("less", "more"))
MLP = dense(8), relu()


def test_numbers_are_learnt_in_their_own_units() -> None:
    data = table(NUMBERS, rows=400)
    how = recipe(epochs=30)
    for scale, shift in ((1, 0), (1e6, -3e9), (1e-6, 5)):
        y = data.y_train * scale + shift
        of_unit = type(data)(data.x_train, y, data.x_test, y[:5], data.signature)
        network, history = fit(of_unit, (*MLP, dense(1)), how)
        residual = inference.run(network, of_unit.x_train)[:, 0] - y
        assert np.mean(residual**2) < 0.02 * np.var(y)
        # In units of the variance, and of rows as they were a step before.
        assert history.loss[-1] < 0.05
        assert history.accuracy == ()


def test_classes_are_learnt() -> None:
    data = table(CLASSES, rows=400)
    network, history = fit(data, (*MLP, dense(2)), recipe(epochs=20))
    hits = inference.run(network, data.x_train).argmax(axis=1) == data.y_train
    assert np.mean(hits) > 0.95
    assert history.accuracy[-1] > 0.9


@pytest.mark.parametrize("last", [(dense(1),), (dense(2),), (dense(2), Sigmoid(kind="sigmoid"))])
def test_a_row_counts_by_its_weight(last: tuple[Layer, ...]) -> None:
    """Its loss and gradient are those of rows which are there so many times."""
    data = table(NUMBERS if last == (dense(1),) else CLASSES)
    whole = np.random.default_rng(0).integers(1, 5, len(data.y_train))
    again = replace(
        data, x_train=data.x_train.repeat(whole, axis=0), y_train=data.y_train.repeat(whole)
    )
    weighted = replace(data, weights_train=whole * 0.25)
    scalers, losses = [], []
    for each in (weighted, again, data):
        # One step, of all rows: noise in the last bits of a gradient is more behind each.
        how = recipe(epochs=1, batch=len(each.y_train))
        network, history = fit(each, (*MLP, *last), how)
        scalers.append(network.layers[0])
        losses.append(history.loss[-1])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[2] != pytest.approx(losses[1], rel=1e-3)
    np.testing.assert_allclose(scalers[0].std, scalers[1].std, rtol=1e-12)

    rng = np.random.default_rng(1)
    outputs = rng.normal(size=(len(whole), last[0].outputs)).astype(np.float32)
    gradients = []
    for each, counts in ((weighted, torch.from_numpy(whole / whole.mean())), (again, None)):
        goal = objective(each, last[-1].kind, recipe())
        leaf = torch.tensor(outputs, requires_grad=True)
        rows = leaf if counts is not None else leaf[np.arange(len(whole)).repeat(whole)]
        goal.loss(rows, goal.truth, counts).backward()
        gradients.append(leaf.grad.numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-5, atol=1e-8)


def test_the_scaler_is_that_of_the_features_and_noise_and_views_are_for_images() -> None:
    data = table(CLASSES)
    network, history = fit(data, (*MLP, dense(2)), recipe(epochs=2))
    scaler = network.layers[0]
    assert isinstance(scaler, Standardize)
    np.testing.assert_allclose(scaler.mean, data.x_train.mean(axis=0))
    np.testing.assert_allclose(scaler.std, data.x_train.std(axis=0))
    loud = recipe(epochs=2, noise={"share": 1, "std": 10})
    assert fit(data, (*MLP, dense(2)), loud)[1] == history


def test_all_weights_are_float32() -> None:
    for outputs, count in ((NUMBERS, 1), (CLASSES, 2)):
        network, _ = fit(table(outputs), (*MLP, dense(count)), recipe(epochs=1))
        for layer in network.layers:
            if isinstance(layer, Linear):
                assert layer.weight.dtype == layer.bias.dtype == np.float32


def test_targets_that_are_all_the_same_are_refused() -> None:
    data = table(NUMBERS)
    same = type(data)(data.x_train, 0 * data.y_train + 7, data.x_test, data.y_test, data.signature)
    with pytest.raises(OctetError, match="every one is 7; there is nothing to learn"):
        fit(same, (dense(1),), recipe())


def test_the_committed_system_learns_the_wines() -> None:
    data = readers.read("wine", COMMITTED.split)
    system = COMMITTED.system("wine-mlp")
    network, _ = fit(data, system.model.layers, COMMITTED.train_of("wine-mlp"))
    assert np.mean(inference.run(network, data.x_test).argmax(axis=1) == data.y_test) > 0.9
