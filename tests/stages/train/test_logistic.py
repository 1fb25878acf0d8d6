"""Logistic regression: the minimum to the last bit, whatever the solver left there."""

import mpmath
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from octet.affine import Array, Integers
from octet.errors import OctetError
from octet.layers import Linear, Standardize
from octet.network import Network
from octet.parameters import values
from octet.runtime import floating
from octet.signature import Classes, Columns, Signature
from stages.load import readers
from stages.params.split import Split
from stages.train import logistic

Problem = tuple[Array, Integers]


def names(count: int) -> tuple[str, ...]:
    return tuple(f"n{i}" for i in range(count))


def problem(classes: int, seed: int = 0, rows: int = 60) -> Problem:
    """Three features of unlike units, of which one tells nothing."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % classes).astype(np.uint8)
    x = rng.normal(size=(rows, 3)) + np.column_stack([labels, labels % 2, 0 * labels])
    return x * [1, 100, 0.01], labels


def fit(
    x: Array, labels: Integers, classes: int, weights: Array | None = None
) -> tuple[Standardize, Linear]:
    counts = np.ones(len(x)) if weights is None else weights
    scaler, head = logistic.fit(x, labels, counts, names(x.shape[1]), names(classes))
    assert isinstance(scaler, Standardize)
    assert isinstance(head, Linear)
    return scaler, head


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_fit_is_scikit_learns_with_more_digits(classes: int) -> None:
    x, labels = problem(classes)
    scaler, head = fit(x, labels, classes)
    model = LogisticRegression(tol=1e-12, max_iter=10_000).fit(scaler.reals(x), labels)
    logits = floating.through((scaler, head), x)
    expected = model.predict_log_proba(scaler.reals(x))
    shares = logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))
    np.testing.assert_allclose(shares, expected, atol=1e-5)
    assert head.weight.dtype == head.bias.dtype == np.float32


@pytest.mark.parametrize("classes", [2, 3])
def test_a_row_counts_by_its_weight(classes: int) -> None:
    (x, labels), rng = problem(classes), np.random.default_rng(0)
    whole = rng.integers(1, 5, len(x))
    scaler, head = fit(x, labels, classes, whole + 0.0)
    again, repeated = fit(np.repeat(x, whole, axis=0), np.repeat(labels, whole), classes)
    np.testing.assert_allclose(scaler.mean, again.mean, rtol=1e-12)
    np.testing.assert_allclose(scaler.std, again.std, rtol=1e-12)
    np.testing.assert_allclose(head.weight, repeated.weight, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(head.bias, repeated.bias, rtol=1e-6, atol=1e-7)
    real = 10.0 ** rng.uniform(-2, 2, len(x))
    scaler, head = fit(x, labels, classes, real)
    model = LogisticRegression(tol=1e-12, max_iter=10_000).fit(scaler.reals(x), labels, real)
    logits = floating.through((scaler, head), x)
    shares = np.exp(logits) / np.sum(np.exp(logits), axis=1, keepdims=True)
    np.testing.assert_allclose(shares, model.predict_proba(scaler.reals(x)), atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_every_class_has_a_logit_and_they_are_centred(classes: int) -> None:
    _, head = fit(*problem(classes), classes)
    assert head.weight.shape == (classes, 3)
    np.testing.assert_allclose(head.weight.sum(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(head.bias.sum(), 0, atol=1e-6)


def test_two_classes_are_a_pair_of_opposites() -> None:
    _, head = fit(*problem(2), 2)
    np.testing.assert_array_equal(head.weight[0], -head.weight[1])
    assert head.bias[0] == -head.bias[1]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_noise_in_a_solution_makes_no_difference(classes: int, seed: int) -> None:
    x, labels = problem(classes)
    scaler, _ = fit(x, labels, classes)
    standardized, weights = scaler.reals(x), np.random.default_rng(seed).random(len(x)) + 0.1
    start = np.random.default_rng(seed).normal(scale=0.01, size=(classes, 4))
    polished = [
        logistic.polish(standardized, labels, weights, begin, penalty=1)
        for begin in (np.zeros((classes, 4)), start)
    ]
    for clean, noisy in zip(*polished, strict=True):
        np.testing.assert_array_equal(clean, noisy)


@pytest.mark.parametrize("penalty", [1, 2])
def test_the_gradient_is_zero_at_what_is_found(penalty: int) -> None:
    x, labels = problem(3)
    scaler, _ = fit(x, labels, 3)
    standardized = scaler.reals(x)
    weight, bias = logistic.polish(standardized, labels, np.ones(len(x)), np.zeros((3, 4)), penalty)
    with mpmath.workprec(200):
        gradient = mpmath.matrix((weight * penalty).tolist())
        for row, label in zip(standardized.tolist(), labels.tolist(), strict=True):
            powers = [
                mpmath.exp(mpmath.fdot(weight[k].tolist(), row) + float(bias[k])) for k in range(3)
            ]
            for k in range(3):
                residual = powers[k] / mpmath.fsum(powers) - (k == label)
                for i in range(3):
                    gradient[k, i] += residual * row[i]
        # Of weights rounded to float64: curvatures are below the number of rows.
        assert max(abs(entry) for entry in gradient) < len(x) * 2e-16 * np.abs(weight).max()


def test_a_feature_that_tells_exactly_nothing_has_a_weight_of_exactly_0() -> None:
    x = np.array([[1, 1], [1, -1], [2, 1], [2, -1], [4, 1], [4, -1], [7, 1], [7, -1]], np.float64)
    labels = np.array([0, 0, 0, 0, 1, 1, 0, 0], np.uint8)
    _, head = fit(x, labels, 2)
    assert head.weight[0, 0] != 0
    assert head.weight[:, 1].tobytes() == np.zeros(2, np.float32).tobytes()


def test_classes_that_a_line_separates_have_finite_coefficients() -> None:
    x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    _, head = fit(x, np.array([0, 0, 1, 1], np.uint8), 2)
    assert 0.3 < head.weight[1, 0] < 3


def test_a_row_far_from_all_others_is_no_trouble() -> None:
    x, labels = problem(3)
    x[0] = [1e9, -1e12, 1e5]
    assert np.all(np.isfinite(fit(x, labels, 3)[1].weight))


def test_rows_settle_though_the_penalty_and_a_few_of_them_are_lost_beside_the_others() -> None:
    x, labels = problem(3, rows=200)
    scaler, head = fit(x, labels, 3, np.where(np.arange(len(x)) < 5, 1e-15, 1e15))
    model = LogisticRegression(C=1e9, tol=1e-12, max_iter=10_000)
    model.fit(scaler.reals(x[5:]), labels[5:])
    np.testing.assert_allclose(head.weight, model.coef_ - model.coef_.mean(axis=0), atol=1e-4)


def test_weights_that_no_float_can_sum_up_are_refused() -> None:
    x, labels = problem(3)
    weights = np.where(np.arange(len(x)) < 5, 1e15, 1e-15)
    with pytest.raises(OctetError, match=r"far from all others, or whose weights are$"):
        fit(x, labels, 3, weights)


def test_a_class_without_a_row_is_named() -> None:
    x, labels = problem(2)
    with pytest.raises(OctetError) as caught:
        fit(x, labels, 3)
    assert str(caught.value) == "class n2: no row to train on; each class needs one"


def test_a_constant_feature_is_named_though_its_numbers_are_rounded() -> None:
    x, labels = problem(2)
    x[:, 1] = 0.3
    x[::2, 1] = 0.1 + 0.2
    with pytest.raises(OctetError, match=r"^feature n1: got 0.3 in every training row, or "):
        fit(x, labels, 2)


def test_a_feature_and_its_copy_share_their_weight() -> None:
    x, labels = problem(2)
    _, head = fit(np.column_stack([x, x[:, 0]]), labels, 2)
    weight = values(head.weight)
    np.testing.assert_array_equal(weight[:, 0], weight[:, -1])


@pytest.mark.parametrize(("name", "least"), [("wine", 0.95), ("breast_cancer", 0.95)])
def test_the_bundled_tables_are_learnt(name: str, least: float) -> None:
    data = readers.read(name, Split(test_size=0.2, random_state=42))
    inputs, outputs = data.signature.inputs, data.signature.outputs
    assert isinstance(inputs, Columns)
    assert isinstance(outputs, Classes)
    layers = logistic.fit(data.x_train, data.y_train, data.counts, inputs.features, outputs.classes)
    logits = floating.run(Network(layers, Signature(inputs, outputs)), data.x_test)
    assert np.mean(np.argmax(logits, axis=1) == data.y_test) > least
