"""Live models of scikit-learn: the network predicts from raw rows what they do."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import SVC

from octet import elementary
from octet.errors import OctetError
from octet.importers.sklearn import convert
from octet.layers import Linear, Standardize
from octet.modelfile import storage
from octet.rows.encoding import encode
from octet.runtime import floating
from octet.signature import Classes, Columns
from tests.conftest import ROOT

RNG = np.random.default_rng(0)
ROWS = 60
NUMBERS = RNG.normal(size=(ROWS, 4)) * [1, 10, 0.1, 5] + [0, 100, 1, -3]
CITY, SIZE = (RNG.choice(words, ROWS) for words in (["Oslo", "Rome", "York"], ["L", "S"]))
# As a table of pandas is: an array of objects.
MIXED = np.column_stack([NUMBERS[:, 0].astype(object), CITY, NUMBERS[:, 1].astype(object), SIZE])
Y = NUMBERS @ [1.0, 0.1, 2.0, -0.3] + RNG.normal(size=ROWS)
TWO, THREE = np.where(np.median(Y) < Y, "yes", "no"), np.digitize(Y, np.quantile(Y, [0.3, 0.6]))


def columns(**encoder: Any) -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("words", OneHotEncoder(**encoder), [1, 3]),
            ("numbers", make_pipeline(StandardScaler(), MinMaxScaler()), slice(0, 1)),
        ],
        remainder="passthrough",
    )


def perceptron(**others: Any) -> dict[str, Any]:
    return {"hidden_layer_sizes": (7, 5), "random_state": 0, "max_iter": 30, **others}


REGRESSIONS = {
    "LinearRegression": LinearRegression(),
    "without an intercept": LinearRegression(fit_intercept=False),
    "Ridge": make_pipeline(StandardScaler(), Ridge(2.0)),
    "Lasso": make_pipeline(MinMaxScaler(), Lasso(0.01)),
    "ElasticNet": make_pipeline(StandardScaler(with_std=False), ElasticNet(0.01)),
    "SGDRegressor": make_pipeline(StandardScaler(), MinMaxScaler((-1, 1)), SGDRegressor()),
    "MLPRegressor": make_pipeline(StandardScaler(), MLPRegressor(**perceptron())),
    "tanh": make_pipeline(StandardScaler(), MLPRegressor(**perceptron(activation="tanh"))),
    "a pipeline in one": Pipeline(
        [("scale", make_pipeline(StandardScaler(), "passthrough")), ("model", Ridge())]
    ),
}
OF_WORDS = {
    "all categories": make_pipeline(columns(), Ridge()),
    "the first dropped": make_pipeline(columns(drop="first"), LinearRegression()),
    "one dropped of two": make_pipeline(columns(drop="if_binary"), LinearRegression()),
    "scaled afterwards": make_pipeline(
        columns(sparse_output=False), StandardScaler(), MLPRegressor(**perceptron())
    ),
}
CLASSIFIERS = {
    "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression()),
    "MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(**perceptron())),
    "logistic": make_pipeline(StandardScaler(), MLPClassifier(**perceptron(activation="logistic"))),
    "identity": make_pipeline(StandardScaler(), MLPClassifier(**perceptron(activation="identity"))),
}


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_regression_gives_the_same_numbers(name: str) -> None:
    model = REGRESSIONS[name].fit(NUMBERS, Y)
    network = convert(model, target="price", unit="EUR")
    expected = model.predict(NUMBERS)
    got = floating.run(network, NUMBERS)[:, 0]
    np.testing.assert_allclose(got, expected, atol=1e-6 * np.ptp(expected))
    assert network.signature.outputs.column == "price"
    assert network.signature.inputs == Columns(("x0", "x1", "x2", "x3"))


@pytest.mark.parametrize("chosen", [[-1], [1], slice(1, 9), slice(-1, None), [False, True]])
def test_places_are_counted_among_what_enters(chosen: Any) -> None:
    first = ColumnTransformer([("kept", "passthrough", [2, 0])])
    second = ColumnTransformer([("kept", "passthrough", chosen)])
    model = make_pipeline(first, second, Ridge()).fit(NUMBERS, Y)
    network = convert(model)
    assert network.signature.inputs == Columns(("x0",))
    np.testing.assert_allclose(
        floating.run(network, NUMBERS[:, :1])[:, 0], model.predict(NUMBERS), rtol=1e-6
    )


def test_more_columns_may_enter_than_the_table_has() -> None:
    encoder = ColumnTransformer([("words", OneHotEncoder(), [0])])
    last = ColumnTransformer([("kept", "passthrough", [2])])
    x = CITY.reshape(-1, 1)
    model = make_pipeline(encoder, last, Ridge()).fit(x, Y)
    rows, _ = encode(convert(model).signature.inputs, [CITY])
    np.testing.assert_allclose(
        floating.run(convert(model), rows)[:, 0], model.predict(x), rtol=1e-6
    )


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("name", OF_WORDS)
def test_categories_go_in_as_words(name: str) -> None:
    model = OF_WORDS[name].fit(MIXED, Y)
    network = convert(model, features=("age", "city", "height", "size"))
    inputs = network.signature.inputs
    assert [column.name for column in inputs.columns] == ["age", "city", "height", "size"]
    raw = [MIXED[:, 0].astype(float), CITY, MIXED[:, 2].astype(float), SIZE]
    rows, bad = encode(inputs, raw)
    assert not bad
    expected = model.predict(MIXED)
    np.testing.assert_allclose(
        floating.run(network, rows)[:, 0], expected, atol=1e-6 * np.ptp(expected)
    )


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_gives_the_same_probabilities(name: str, y: np.ndarray) -> None:
    model = CLASSIFIERS[name].fit(NUMBERS, y)
    network = convert(model)
    assert network.signature.outputs == Classes(tuple(map(str, np.unique(y))))
    shares = elementary.softmax(floating.run(network, NUMBERS))
    np.testing.assert_allclose(shares, model.predict_proba(NUMBERS), atol=1e-5)


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("loss", ["hinge", "log_loss"])
def test_one_class_against_the_rest_gives_the_same_class(loss: str, y: np.ndarray) -> None:
    model = make_pipeline(StandardScaler(), SGDClassifier(loss=loss, random_state=0))
    network = convert(model.fit(NUMBERS, y))
    classes = np.array(network.signature.outputs.classes)
    got = classes[floating.run(network, NUMBERS).argmax(axis=1)]
    assert got.tolist() == model.predict(NUMBERS).astype(str).tolist()


def test_a_scaler_is_the_first_layer_and_the_weights_stay_as_they_were() -> None:
    model = make_pipeline(StandardScaler(), Ridge()).fit(NUMBERS, Y)
    scaler, last = convert(model).layers
    assert isinstance(scaler, Standardize)
    assert isinstance(last, Linear)
    np.testing.assert_allclose(scaler.mean, model[0].mean_, rtol=1e-14)
    np.testing.assert_allclose(scaler.std, model[0].scale_, rtol=1e-14)
    np.testing.assert_array_equal(last.weight[0], model[1].coef_.astype(np.float32))


def test_what_comes_in_can_be_written_and_read(tmp_path: Any) -> None:
    model = make_pipeline(columns(), Ridge()).fit(MIXED, Y)
    network = convert(model)
    (tmp_path / "model").write_bytes(storage.dump_network(network))
    back = storage.load_network(tmp_path / "model")
    assert back.signature == network.signature


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (SVC().fit(NUMBERS, TWO), "got SVC for a model; allowed are LinearRegression, "),
        (
            make_pipeline(PolynomialFeatures(), Ridge()).fit(NUMBERS, Y),
            "got PolynomialFeatures before the model; allowed are StandardScaler, ",
        ),
        (Ridge(), "Ridge: got no n_features_in_; allowed is a fitted model"),
        (HashingVectorizer(), "got no n_features_in_"),
        (LinearRegression().fit(NUMBERS, NUMBERS[:, :2]), r"gives shape \(2,\); a number takes"),
        (
            make_pipeline(MinMaxScaler(clip=True), Ridge()).fit(NUMBERS, Y),
            "MinMaxScaler: got clip=True",
        ),
        (
            make_pipeline(OneHotEncoder(), Ridge()).fit(np.array([[" a"], ["b"]]), [1, 2]),
            "got ' a'; names must be",
        ),
        (
            LogisticRegression().fit(NUMBERS, np.char.add(" ", TWO)),
            "got ' no'; names must be",
        ),
        (
            make_pipeline(columns(max_categories=2), Ridge()).fit(MIXED, Y),
            "OneHotEncoder: got min_frequency or max_categories",
        ),
    ],
)
def test_what_octet_has_not_is_named(model: Any, problem: str) -> None:
    with pytest.raises(OctetError, match=problem):
        convert(model)


def test_scikit_learn_is_not_imported() -> None:
    code = "import sys, octet.importers.sklearn; print('sklearn' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
