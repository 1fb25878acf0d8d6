"""Classification: scores are scikit-learn's; the verdict is of the rows that flip."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss

from octet.affine import Array
from stages.tasks import classification, proportions
from stages.tasks.classification import CLASSIFICATION
from stages.tasks.level import ALPHA
from tests.stages.tasks.test_tasks import GATES

fixed = settings(deadline=None, derandomize=True)

MARGIN = 0.005

Bools = npt.NDArray[np.bool_]


def models(both: int, gained: int, lost: int, neither: int) -> tuple[Bools, Bools]:
    """What the float and the quantized model have right, in the four cells of the table."""
    counts = [both, gained, lost, neither]
    return np.repeat([True, False, True, False], counts), np.repeat(
        [True, True, False, False], counts
    )


def judge(
    both: int, gained: int, lost: int, neither: int, margin: float = MARGIN
) -> dict[str, float]:
    return judge_right(*models(both, gained, lost, neither), margin)


def judge_right(reference: Bools, quantized: Bools, margin: float = MARGIN) -> dict[str, float]:
    """The verdict on models of two classes that have these rows right; every label is 0."""
    outputs = (np.column_stack([right, ~right]) + 0.0 for right in (reference, quantized))
    gates = GATES.model_copy(update={"accuracy_decrease": margin})
    return CLASSIFICATION.decide(np.zeros(len(reference), np.uint8), *outputs, gates)


@pytest.mark.parametrize("table", [(10, 0, 0, 0), (70, 12, 9, 9), (0, 3, 0, 1), (900, 0, 40, 60)])
def test_the_verdict_is_that_of_the_rows_that_flip(table: tuple[int, int, int, int]) -> None:
    found, (_, gained, lost, _) = judge(*table), table
    rows = sum(table)
    assert (found["rows"], found["gained"], found["lost"]) == (rows, gained, lost)
    assert (found["low"], found["high"]) == proportions.interval(rows, gained, lost)
    assert found["p_no_change"] == proportions.p_no_change(rows, gained, lost)
    assert found["non_inferior"] == (found["low"] >= -MARGIN) == (found["p_inferior"] <= ALPHA)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_rows_makes_no_difference(seed: int) -> None:
    reference, quantized = models(70, 12, 9, 9)
    order = np.random.default_rng(seed).permutation(len(reference))
    assert judge_right(reference[order], quantized[order]) == judge(70, 12, 9, 9)


@pytest.mark.parametrize("wrong", [0, 50, 1000])
def test_identical_models_do_not_differ_but_a_doubt_is_left(wrong: int) -> None:
    found = judge(1000 - wrong, 0, 0, wrong)
    assert (found["gained"], found["lost"], found["p_no_change"]) == (0, 0, 1)
    assert found["high"] == -found["low"] > 3 / 1000
    assert found["non_inferior"] == 1


def test_on_too_few_rows_not_even_identical_models_are_approved() -> None:
    """(1 - 0.005)ⁿ is 2.5 % at 736 rows; a ten-thousandth goes to the rate of flips."""
    assert judge(730, 0, 0, 0)["non_inferior"] == 0
    assert judge(740, 0, 0, 0)["non_inferior"] == 1


def test_opposite_models_are_told_apart() -> None:
    worst, best = judge(0, 0, 1000, 0), judge(0, 1000, 0, 0)
    assert worst["high"] < -0.99
    assert best["low"] > 0.99
    assert (worst["non_inferior"], best["non_inferior"]) == (0, 1)
    assert worst["p_no_change"] == best["p_no_change"] < 1e-3


def test_as_many_gains_as_losses_are_no_change_but_leave_more_doubt() -> None:
    calm, restless = judge(1000, 0, 0, 0), judge(800, 100, 100, 0)
    assert restless["p_no_change"] > 0.9
    assert restless["high"] == -restless["low"] > 5 * calm["high"]
    assert restless["non_inferior"] == 0


def test_the_margin_has_no_say_in_the_interval_and_may_be_reached() -> None:
    low = judge(950, 3, 8, 39)["low"]
    strict = judge(950, 3, 8, 39, math.nextafter(-low, 0))
    lax = judge(950, 3, 8, 39, -low)
    assert strict["low"] == lax["low"] == low < 0
    assert (strict["non_inferior"], lax["non_inferior"]) == (0, 1)
    assert lax["margin"] == -low


def test_the_verdict_is_made_of_numbers_that_dvc_can_show() -> None:
    for table in ((10, 0, 0, 0), (7, 2, 1, 0)):
        found = judge(*table)
        whole = ("rows", "gained", "lost", "rows_needed", "non_inferior")
        assert {type(found[key]) for key in whole} == {int}
        assert {type(found[key]) for key in found.keys() - set(whole)} == {float}


def classes(seed: int, rows: int = 50) -> tuple[Array, Array]:
    """Labels of four classes, and outputs that are right more often than not."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, rows).astype(np.uint8)
    return truth, 2 * np.eye(4)[truth] + 1.5 * rng.normal(size=(rows, 4))


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_and_log_loss_are_those_of_scikit_learn(seed: int) -> None:
    truth, logits = classes(seed)
    found = classification.score(truth, logits, False)
    assert 0.3 < found["accuracy"] < 1
    assert found == pytest.approx(
        {
            "accuracy": accuracy_score(truth, logits.argmax(axis=1)),
            "log_loss": log_loss(truth, softmax(logits, axis=1), labels=range(4)),
        },
        rel=1e-12,
    )
    assert {type(value) for value in found.values()} == {float}


def test_the_loss_of_two_rows_is_that_of_a_calculation_by_hand() -> None:
    logits = np.log([[1.0, 3.0], [4.0, 1.0]])
    found = classification.score(np.array([1, 1], np.uint8), logits, False)
    expected = {"accuracy": 0.5, "log_loss": -(math.log(3 / 4) + math.log(1 / 5)) / 2}
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_loss_of_outputs_that_are_far_apart_is_finite_and_not_cut_off() -> None:
    truth = np.array([0, 0], np.uint8)
    found = classification.score(truth, np.array([[-2000.0, 3000.0], [3000.0, -2000.0]]), False)
    assert found == {"accuracy": 0.5, "log_loss": 2500}


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-1e3, 1e3))
def test_what_is_added_to_all_classes_makes_no_difference(seed: int, shift: float) -> None:
    truth, logits = classes(seed)
    found = classification.score(truth, logits + shift, False)
    assert found == pytest.approx(classification.score(truth, logits, False), rel=1e-9)


def test_of_equal_outputs_the_first_counts() -> None:
    logits = np.array([[1.0, 1, 0], [1, 1, 0], [0, 2, 2], [0, 0, 0]])
    right = classification.correct(np.array([0, 1, 1, 0], np.uint8), logits)
    assert right.dtype == bool
    assert right.tolist() == [True, False, True, True]


def test_the_share_of_correct_rows_is_the_accuracy() -> None:
    truth, logits = classes(7)
    assert (
        np.mean(classification.correct(truth, logits))
        == classification.score(truth, logits, False)["accuracy"]
    )


@pytest.mark.parametrize("seed", range(3))
def test_agreement_is_the_share_of_rows_with_the_same_class_on_top(seed: int) -> None:
    _, reference = classes(seed)
    other = reference + np.random.default_rng(seed + 100).normal(size=reference.shape)
    same = accuracy_score(reference.argmax(axis=1), other.argmax(axis=1))
    assert 0 < same < 1
    assert classification.distance(reference, other)["agreement"] == same
    assert classification.distance(other, reference)["agreement"] == same
    assert classification.distance(reference, reference)["agreement"] == 1
    assert classification.distance(reference, -reference)["agreement"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_outputs_that_are_probabilities_are_taken_as_they_are(seed: int) -> None:
    labels, logits = classes(seed)
    probabilities = softmax(logits, axis=1)
    found = classification.score(labels, probabilities, True)
    assert found == pytest.approx(classification.score(labels, logits, False), rel=1e-12)
    assert found != classification.score(labels, probabilities, False)


def test_a_probability_of_nothing_has_a_loss_that_is_finite() -> None:
    found = classification.score(np.array([0], np.uint8), np.array([[0.0, 1.0]]), True)
    assert 700 < found["log_loss"] < 750
