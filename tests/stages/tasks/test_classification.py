"""Classification: scores are scikit-learn's; the verdict has McNemar's test and an interval."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import binomtest, norm
from sklearn.metrics import accuracy_score, log_loss

from octet.affine import Array
from stages.tasks import classification

fixed = settings(deadline=None, derandomize=True)

MARGIN = 0.005
Z = 1.959963984540054  # norm.ppf(0.975)

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
    return classification.judge(np.zeros(len(reference), np.uint8), *outputs, margin)


def wald_with_half_a_row_more(
    both: int, gained: int, lost: int, neither: int
) -> tuple[float, float]:
    """Agresti & Min, 2005: the Wald interval of the table with 0.5 added to each cell."""
    cells = np.array([both, gained, lost, neither]) + 0.5
    share = cells / cells.sum()
    difference = share[1] - share[2]
    deviation = math.sqrt((share[1] + share[2] - difference**2) / cells.sum())
    return max(-1.0, difference - Z * deviation), min(1.0, difference + Z * deviation)


cells = st.tuples(*[st.integers(0, 300)] * 4).filter(any)


@fixed
@given(cells)
def test_the_interval_is_the_adjusted_wald_interval_of_the_four_cells(
    table: tuple[int, int, int, int],
) -> None:
    found = judge(*table)
    low, high = wald_with_half_a_row_more(*table)
    assert found["low"] == pytest.approx(low, rel=1e-9, abs=1e-12)
    assert found["high"] == pytest.approx(high, rel=1e-9, abs=1e-12)
    assert (found["gained"], found["lost"]) == table[1:3]
    assert found["non_inferior"] == (low >= -MARGIN)


@fixed
@given(cells)
def test_the_test_is_mcnemars_exact_one(table: tuple[int, int, int, int]) -> None:
    _, gained, lost, _ = table
    p = judge(*table)["mcnemar_p"]
    tries = gained + lost
    # Both tails, of as many as the rarer of the two outcomes.
    tail = sum(math.comb(tries, k) for k in range(min(gained, lost) + 1))
    assert p == pytest.approx(min(1.0, 2 * tail / 2**tries), rel=1e-9)
    if tries:
        assert p == binomtest(lost, tries, 0.5).pvalue


@fixed
@given(cells)
def test_gains_and_losses_are_mirror_images(table: tuple[int, int, int, int]) -> None:
    both, gained, lost, neither = table
    one, other = judge(*table), judge(both, lost, gained, neither)
    assert one["low"] == pytest.approx(-other["high"], rel=1e-12, abs=1e-15)
    assert one["high"] == pytest.approx(-other["low"], rel=1e-12, abs=1e-15)
    assert one["mcnemar_p"] == other["mcnemar_p"]


@fixed
@given(table=cells, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_makes_no_difference(
    table: tuple[int, int, int, int], seed: int
) -> None:
    reference, quantized = models(*table)
    order = np.random.default_rng(seed).permutation(len(reference))
    shuffled = judge_right(reference[order], quantized[order])
    assert shuffled == judge(*table)


@pytest.mark.parametrize("wrong", [0, 50, 1000])
def test_identical_models_do_not_differ_but_a_doubt_is_left(wrong: int) -> None:
    found = judge(1000 - wrong, 0, 0, wrong)
    assert (found["gained"], found["lost"], found["mcnemar_p"]) == (0, 0, 1)
    assert found["high"] == -found["low"] == pytest.approx(Z / 1002, rel=1e-12)
    assert found["non_inferior"] == 1


def test_on_too_few_rows_not_even_identical_models_are_approved() -> None:
    rows = math.ceil(Z / MARGIN)
    assert judge(rows - 3, 0, 0, 0)["non_inferior"] == 0
    assert judge(rows - 2, 0, 0, 0)["non_inferior"] == 1


@pytest.mark.parametrize(("gained", "lost"), [(1, 0), (0, 1)])
def test_one_row_that_differs_is_no_evidence(gained: int, lost: int) -> None:
    found = judge(900, gained, lost, 99)
    assert found["mcnemar_p"] == 1
    assert found["low"] < 0 < found["high"]
    assert found["low"] + found["high"] == pytest.approx(2 * (gained - lost) / 1002, rel=1e-12)
    assert found["high"] - found["low"] == pytest.approx(
        2 * Z * math.sqrt(2 - 1 / 1002) / 1002, rel=1e-12
    )


def test_opposite_models_are_told_apart() -> None:
    worst, best = judge(0, 0, 1000, 0), judge(0, 1000, 0, 0)
    assert worst["high"] < -0.99
    assert best["low"] > 0.99
    assert (worst["non_inferior"], best["non_inferior"]) == (0, 1)
    assert worst["mcnemar_p"] == best["mcnemar_p"] == pytest.approx(2.0**-999, rel=1e-9)


def test_as_many_gains_as_losses_are_no_change_but_leave_more_doubt() -> None:
    calm, restless = judge(1000, 0, 0, 0), judge(800, 100, 100, 0)
    assert restless["mcnemar_p"] == 1
    assert restless["high"] == -restless["low"] > 10 * calm["high"]
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
        assert {type(found[key]) for key in ("gained", "lost", "non_inferior")} == {int}
        assert {type(found[key]) for key in ("low", "high", "margin", "mcnemar_p")} == {float}


@pytest.mark.parametrize(
    ("gain", "loss"), [(0.02, 0.02), (0.01, 0.03), (0.002, 0.002), (0.0, 0.005), (0.1, 0.25)]
)
def test_the_interval_covers_the_true_change_about_as_often_as_it_says(
    gain: float, loss: float
) -> None:
    """Of 600 intervals of 95 % at 360 images: fewer than 552 (92 %) is 1 in 1,000 or less."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(600):
        table = rng.multinomial(360, [0.9 - gain - loss, gain, loss, 0.1])
        found = judge(*table.tolist())
        held += found["low"] <= gain - loss <= found["high"]
    assert held >= 552


def test_where_there_is_no_change_small_p_values_are_rare() -> None:
    """An exact test errs no oftener than it says: 5 % of 600 are 30, and 49 are 1 in 1,000."""
    rng = np.random.default_rng(1)
    small = sum(
        judge(*rng.multinomial(360, [0.8, 0.05, 0.05, 0.1]).tolist())["mcnemar_p"] <= 0.05
        for _ in range(600)
    )
    assert small <= 49


def test_the_deviation_is_that_of_two_sided_95_percent() -> None:
    assert norm.ppf(0.975) == pytest.approx(Z, rel=1e-12)


def test_a_change_of_the_smallest_effect_shows_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    rows, lost, gained = 4000, 0.02, 0.01
    effect = judge(rows - 120, round(gained * rows), round(lost * rows), 0)["smallest_effect"]
    # The same number of images on which the models differ, and a true change of that size.
    shown = 0
    for _ in range(1000):
        b, c = rng.multinomial(rows, [0.015 - effect / 2, 0.015 + effect / 2, 0.97])[:2]
        shown += judge(rows - b - c, b, c, 0)["high"] < 0
    assert 0.75 < shown / 1000 < 0.85


def test_more_rows_show_a_smaller_effect() -> None:
    few, many = judge(900, 5, 5, 90), judge(90_000, 500, 500, 9000)
    assert many["smallest_effect"] < few["smallest_effect"] / 9


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
