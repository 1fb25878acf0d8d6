"""A network from a live model of scikit-learn: `convert(pipeline)`. No pickle is ever read.

scikit-learn is not imported: models are known by the names of their classes and by the attributes
that `fit` gives them. What scales and encodes comes before one model:

    LinearRegression, Ridge, Lasso, ElasticNet, SGDRegressor, MLPRegressor,
    LogisticRegression, SGDClassifier, MLPClassifier

Scalers become the first layer. The rows that the network takes are those of the table, raw: it has
the categories of a OneHotEncoder among what it says of its columns. A classifier's outputs are a
logit for each class, so that the largest is the class that scikit-learn predicts; softmax makes of
them what `predict_proba` gives, unless the model was fitted one class against the rest.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.importers.meaning import network_for, two_logits
from octet.importers.preparation import Expression, first_layers, prepared, raw_columns
from octet.layers import Layer, Linear, Relu, Sigmoid, Tanh
from octet.network import Network
from octet.signature import Classes, Numbers, Outputs, Signature

_REGRESSIONS = ("LinearRegression", "Ridge", "Lasso", "ElasticNet", "SGDRegressor")
_CLASSIFIERS = ("LogisticRegression", "SGDClassifier")
_PERCEPTRONS = ("MLPRegressor", "MLPClassifier")
_ACTIVATIONS: dict[str, type[Layer] | None] = {
    "identity": None,
    "relu": Relu,
    "logistic": Sigmoid,
    "tanh": Tanh,
}


def convert(
    model: Any, features: Sequence[str] | None = None, target: str = "y", unit: str = ""
) -> Network:
    """The network that computes what a fitted model of scikit-learn does.

    Args:
        model: an estimator, or a Pipeline that ends in one.
        features: the names of the columns; None: those that `fit` saw, or x0, x1, …
        target: the name of the number that a regression predicts.
        unit: of that number.

    Raises:
        OctetError: the model is not fitted, or something in it is none of those above.
    """
    *before, last = _steps(model)
    kind, first = type(last).__name__, before[0] if before else last
    names = _names(first, features)
    expressions: list[Expression] = raw_columns(len(names))
    for step in before:
        expressions = prepared(step, expressions, names)
    columns, scaler, through = first_layers(expressions, names)
    sums = _sums(last, kind)
    weight, bias = through(*sums[0])
    layers = (*scaler, _linear(weight, bias), *_behind(last, sums[1:]))
    outputs = _outputs(last, kind, target, unit)
    if isinstance(outputs, Classes) and len(sums[-1][1]) == 1 and isinstance(layers[-1], Linear):
        layers = (*layers[:-1], two_logits(layers[-1]))
    return network_for(layers, columns.shape, Signature(columns, outputs))


def _steps(model: Any) -> list[Any]:
    """The steps of a Pipeline, of those in it too, but for those that do nothing."""
    if type(model).__name__ != "Pipeline":
        return [model]
    steps = [step for _, step in model.steps if step is not None and step != "passthrough"]
    if not steps:
        raise OctetError("Pipeline: got no steps; allowed is a model at the end")
    return [inner for step in steps for inner in _steps(step)]


def _names(first: Any, features: Sequence[str] | None) -> tuple[str, ...]:
    count = fitted(first, "n_features_in_")
    known = getattr(first, "feature_names_in_", ()) if features is None else features
    names = tuple(map(str, known))
    if features is not None and len(names) != count:
        raise OctetError(f"features: got {len(names)} names; allowed are {count}")
    return names or tuple(f"x{i}" for i in range(count))


def _sums(last: Any, kind: str) -> list[tuple[Array, Array]]:
    """Weights ``(outputs, inputs)`` and biases of each layer, the first one first."""
    if kind in _PERCEPTRONS:
        pairs = zip(fitted(last, "coefs_"), fitted(last, "intercepts_"), strict=True)
        return [(np.asarray(weight).T, np.asarray(bias)) for weight, bias in pairs]
    if kind not in (*_REGRESSIONS, *_CLASSIFIERS):
        allowed = ", ".join((*_REGRESSIONS, *_CLASSIFIERS, *_PERCEPTRONS))
        raise OctetError(f"got {kind} for a model; allowed are {allowed}")
    weight = np.atleast_2d(np.asarray(fitted(last, "coef_"), np.float64))
    bias = np.asarray(fitted(last, "intercept_"), np.float64).reshape(-1)
    return [(weight, np.broadcast_to(bias, len(weight)))]


def _behind(last: Any, sums: Sequence[tuple[Array, Array]]) -> list[Layer]:
    """The layers of a perceptron behind its first sum."""
    layers: list[Layer] = []
    for weight, bias in sums:
        if (activation := _ACTIVATIONS[last.activation]) is not None:
            layers.append(activation())
        layers.append(_linear(weight, bias))
    return layers


def _outputs(last: Any, kind: str, target: str, unit: str) -> Outputs:
    if kind in _REGRESSIONS or kind == "MLPRegressor":
        return Numbers(target, unit)
    classes = fitted(last, "classes_")
    # Of more than one label a row there is a sigmoid for each.
    if getattr(last, "out_activation_", "") == "logistic" and last.n_outputs_ > 1:
        raise OctetError(f"{kind}: got several labels a row; allowed is one")
    return Classes(tuple(map(str, classes.tolist())))


def _linear(weight: Array, bias: Array) -> Linear:
    with np.errstate(over="ignore"):
        singles = [each.astype(np.float32) for each in (weight, bias)]
    if not all(np.all(np.isfinite(each)) for each in singles):
        raise OctetError("got weights that are not finite, or more than float32 holds")
    return Linear(*singles)


def fitted(model: Any, attribute: str) -> Any:
    """An attribute that `fit` gives.

    Raises:
        OctetError: it is not there.
    """
    if not hasattr(model, attribute):
        raise OctetError(f"{type(model).__name__}: got no {attribute}; allowed is a fitted model")
    return getattr(model, attribute)
