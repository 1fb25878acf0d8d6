"""Scores and distances are those of their formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss

from octet.affine import Array
from stages.tasks import scores

IDENTICAL_DB = 20 * math.log10(2**53)


def column(*numbers: float) -> Array:
    return np.array(numbers, np.float64)[:, None]


def outputs(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(40, 2)) * 100
    return reference, reference + rng.normal(size=(40, 2))


def test_scores_of_four_rows_are_those_of_a_calculation_by_hand() -> None:
    found = scores.regression(np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 6]))
    assert found == pytest.approx({"r2": 1 - 4 / 5, "mse": 1, "mae": 0.5}, rel=1e-12)


def test_a_perfect_prediction_has_no_error_and_an_r2_of_one() -> None:
    truth = np.array([1.0, 2, 4])
    assert scores.regression(truth, truth) == {"r2": 1, "mse": 0, "mae": 0}


def test_the_mean_has_an_r2_of_zero_and_worse_a_negative_one() -> None:
    truth = np.array([1.0, 2, 3])
    assert scores.regression(truth, np.full(3, 2.0))["r2"] == 0
    assert scores.regression(truth, truth[::-1])["r2"] == pytest.approx(-3, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_their_formulas(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.normal(size=30), rng.normal(size=30)
    residual = truth - predicted
    expected = {
        "r2": 1 - sum(residual**2) / sum((truth - truth.mean()) ** 2),
        "mse": sum(residual**2) / 30,
        "mae": sum(abs(residual)) / 30,
    }
    assert scores.regression(truth, predicted) == pytest.approx(expected, rel=1e-12)


def test_the_order_of_the_arguments_is_truth_then_prediction() -> None:
    truth, predicted = np.array([0.0, 10]), np.array([4.0, 6])
    assert scores.regression(truth, predicted)["r2"] == pytest.approx(1 - 32 / 50, rel=1e-12)


def test_the_distance_of_two_rows_is_that_of_a_calculation_by_hand() -> None:
    found = scores.fidelity(column(3, 4), column(3, 6))
    assert found == pytest.approx(
        {"mse": 2, "mean_abs": 1, "max_abs": 2, "sqnr_db": 10 * math.log10(25 / 4)}, rel=1e-12
    )


@pytest.mark.parametrize("seed", range(5))
def test_distances_are_those_of_their_formulas(seed: int) -> None:
    reference, other = outputs(seed)
    noise = other - reference
    expected = {
        "mse": np.sum(noise**2) / noise.size,
        "mean_abs": np.sum(abs(noise)) / noise.size,
        "max_abs": max(noise.max(), -noise.min()),
        "sqnr_db": 10 * math.log10(np.sum(reference**2) / np.sum(noise**2)),
        "agreement": sum(
            (a > b) == (c > d) for (a, b), (c, d) in zip(reference, other, strict=True)
        )
        / 40,
    }
    assert scores.fidelity(reference, other) == pytest.approx(expected, rel=1e-12)


def test_the_largest_distance_counts_in_both_directions() -> None:
    assert scores.fidelity(column(1, 1), column(1, -6))["max_abs"] == 7


@pytest.mark.parametrize("output", [column(1, -2, 3), column(0, 0), column(1e-300), column(1e150)])
def test_identical_outputs_have_the_ratio_of_a_float64_and_no_more(output: Array) -> None:
    assert scores.fidelity(output, output.copy()) == {
        "mse": 0,
        "mean_abs": 0,
        "max_abs": 0,
        "sqnr_db": pytest.approx(IDENTICAL_DB, rel=1e-12),
    }
    assert round(IDENTICAL_DB, 1) == 319.1


def test_outputs_that_differ_less_than_a_float64_shows_have_no_better_ratio() -> None:
    reference = column(1e8, 0)
    assert scores.fidelity(reference, column(1e8, 1e-12))["sqnr_db"] == pytest.approx(
        IDENTICAL_DB, rel=1e-12
    )


def test_outputs_that_differ_have_a_worse_ratio_than_identical_ones() -> None:
    reference = column(1, 2)
    assert scores.fidelity(reference, np.nextafter(reference, 9))["sqnr_db"] < IDENTICAL_DB


def test_noise_over_a_silent_reference_is_not_taken_for_identical() -> None:
    assert scores.fidelity(column(0, 0), column(1, -1))["sqnr_db"] < 0


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-40, 40))
def test_the_unit_of_the_target_makes_no_difference_to_the_ratio(seed: int, power: int) -> None:
    reference, other = outputs(seed)
    straight, scaled = (scores.fidelity(reference * f, other * f) for f in (1.0, 2.0**power))
    assert scaled["sqnr_db"] == straight["sqnr_db"]
    assert scaled["max_abs"] == straight["max_abs"] * 2.0**power
    assert scaled["mse"] == straight["mse"] * 4.0**power


def test_half_the_noise_is_six_decibels_more() -> None:
    reference, other = outputs(0)
    half = reference + (other - reference) / 2
    gain = (
        scores.fidelity(reference, half)["sqnr_db"] - scores.fidelity(reference, other)["sqnr_db"]
    )
    assert gain == pytest.approx(20 * math.log10(2), rel=1e-9)


def test_distances_of_parameters_are_taken_over_all_layers() -> None:
    reference = [
        (np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0])),
        (np.array([[5.0, 6.0]]), np.array([-1.0])),
    ]
    other = [
        (np.array([[1.0, 2.5], [3.0, 3.0]]), np.array([1.0, 1.25])),
        (np.array([[5.0, 9.0]]), np.array([-1.5])),
    ]
    found = scores.parameters(reference, other)
    assert found == {
        "count": 9,
        "weight_mean_abs": (0.5 + 1 + 3) / 6,
        "weight_max_abs": 3,
        "bias_max_abs": 0.5,
    }


def test_identical_parameters_have_no_distance() -> None:
    layers = [(np.array([[1.0, -2.0]]), np.array([0.5]))]
    distances = scores.parameters(layers, layers)
    assert distances.pop("count") == 3
    assert set(distances.values()) == {0}


def classes(seed: int, rows: int = 50) -> tuple[Array, Array]:
    """Labels of four classes, and outputs that are right more often than not."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, rows).astype(np.uint8)
    return truth, 2 * np.eye(4)[truth] + 1.5 * rng.normal(size=(rows, 4))


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_and_log_loss_are_those_of_scikit_learn(seed: int) -> None:
    truth, given_outputs = classes(seed)
    found = scores.classification(truth, given_outputs)
    assert 0.3 < found["accuracy"] < 1
    assert found == pytest.approx(
        {
            "accuracy": accuracy_score(truth, given_outputs.argmax(axis=1)),
            "log_loss": log_loss(truth, softmax(given_outputs, axis=1), labels=range(4)),
        },
        rel=1e-12,
    )
    assert {type(value) for value in found.values()} == {float}


def test_the_loss_of_two_rows_is_that_of_a_calculation_by_hand() -> None:
    given_outputs = np.log([[1.0, 3.0], [4.0, 1.0]])
    found = scores.classification(np.array([1, 1], np.uint8), given_outputs)
    expected = {"accuracy": 0.5, "log_loss": -(math.log(3 / 4) + math.log(1 / 5)) / 2}
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_loss_of_outputs_that_are_far_apart_is_finite_and_not_cut_off() -> None:
    truth = np.array([0, 0], np.uint8)
    found = scores.classification(truth, np.array([[-2000.0, 3000.0], [3000.0, -2000.0]]))
    assert found == {"accuracy": 0.5, "log_loss": 2500}


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-1e3, 1e3))
def test_what_is_added_to_all_classes_makes_no_difference(seed: int, shift: float) -> None:
    truth, given_outputs = classes(seed)
    found = scores.classification(truth, given_outputs + shift)
    assert found == pytest.approx(scores.classification(truth, given_outputs), rel=1e-9)


def test_of_equal_outputs_the_first_counts() -> None:
    given_outputs = np.array([[1.0, 1, 0], [1, 1, 0], [0, 2, 2], [0, 0, 0]])
    right = scores.correct(np.array([0, 1, 1, 0], np.uint8), given_outputs)
    assert right.dtype == bool
    assert right.tolist() == [True, False, True, True]


def test_the_share_of_correct_rows_is_the_accuracy() -> None:
    truth, given_outputs = classes(7)
    assert (
        np.mean(scores.correct(truth, given_outputs))
        == scores.classification(truth, given_outputs)["accuracy"]
    )


def test_outputs_move_by_the_mean_length_of_their_change() -> None:
    before = np.array([[0.0, 0], [1, 1], [5, 5]])
    after = np.array([[3.0, 4], [1, 1], [5, 6]])
    assert scores.moved(before, after) == scores.moved(after, before) == 2
    assert scores.moved(before, before) == 0


@pytest.mark.parametrize("seed", range(3))
def test_agreement_is_the_share_of_rows_with_the_same_class_on_top(seed: int) -> None:
    _, reference = classes(seed)
    other = reference + np.random.default_rng(seed + 100).normal(size=reference.shape)
    same = accuracy_score(reference.argmax(axis=1), other.argmax(axis=1))
    assert 0 < same < 1
    assert scores.fidelity(reference, other)["agreement"] == same
    assert scores.fidelity(other, reference)["agreement"] == same
    assert scores.fidelity(reference, reference)["agreement"] == 1
    assert scores.fidelity(reference, -reference)["agreement"] == 0


def test_a_single_output_has_no_agreement() -> None:
    assert "agreement" not in scores.fidelity(column(1, 2), column(1, 3))
