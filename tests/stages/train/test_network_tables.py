"""A network learns a table: classes, or numbers in their own units."""

import numpy as np
import pytest

from octet.errors import OctetError
from octet.layers import Linear, Standardize
from octet.runtime import inference
from octet.signature import Classes, Numbers
from stages.load import readers
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
