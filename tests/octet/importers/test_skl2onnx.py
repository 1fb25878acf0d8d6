"""What skl2onnx writes of scalers, linear and logistic models."""

from typing import Any

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from octet.importers.onnx import layers_of
from octet.layers import Standardize
from octet.network import Network
from octet.runtime import floating
from octet.signature import Arrays, Numbers, Signature

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(60, 4)) * [1, 10, 0.1, 5] + [0, 100, 1, -3]).astype(np.float32)
Y = X @ np.array([1.0, 0.1, 2.0, -0.3]) + RNG.normal(size=60)
TWO, THREE = (np.median(Y) < Y).astype(int), np.digitize(Y, np.quantile(Y, [0.3, 0.6]))

MODELS = {
    "linear": (LinearRegression(), Y),
    "ridge": (make_pipeline(StandardScaler(), Ridge()), Y),
    "lasso": (make_pipeline(MinMaxScaler(), Lasso(0.01)), Y),
    "two classes": (make_pipeline(StandardScaler(), LogisticRegression()), TWO),
    "three classes": (make_pipeline(StandardScaler(), LogisticRegression()), THREE),
    "words": (make_pipeline(StandardScaler(), LogisticRegression()), np.array(["no", "yes"])[TWO]),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_it_gives_what_scikit_learn_does(name: str, zipped: bool) -> None:
    model, y = MODELS[name]
    model.fit(X, y)
    of_classes = hasattr(model, "predict_proba")
    options: dict[Any, Any] = {"zipmap": zipped} if of_classes else {}
    proto = to_onnx(model, X[:1], options={id(model): options}, target_opset=17)
    layers, shape = layers_of(proto)
    network = Network(layers, Signature(Arrays(shape), Numbers("y", "")))
    expected = model.predict_proba(X) if of_classes else model.predict(X)[:, None]
    got = floating.run(network, X.astype(np.float64))
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.ptp(expected))
    assert isinstance(layers[0], Standardize) == (name != "linear")
