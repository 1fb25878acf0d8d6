"""Regression: scores are those of their formulas; a verdict's interval means what it says."""

import numpy as np
import pytest

from octet.affine import Array
from octet.errors import OctetError
from stages.tasks import regression

ROWS = 1000
MARGIN = 0.01


def errors(seed: int = 0, rows: int = ROWS) -> Array:
    """What the float model is wrong by; the truth is 0 in these tests."""
    return np.random.default_rng(seed).normal(size=rows)


def judge(float_errors: Array, quantized_errors: Array, margin: float = MARGIN) -> dict[str, float]:
    truth = np.zeros(len(float_errors))
    return regression.judge(truth, float_errors[:, None], quantized_errors[:, None], margin)


def scores(truth: Array, predicted: Array) -> dict[str, float]:
    return regression.score(truth, predicted[:, None])


def test_identical_models_do_not_differ_at_all() -> None:
    found = judge(errors(), errors())
    assert found == {
        "low": 0,
        "high": 0,
        "margin": MARGIN,
        "smallest_effect": 0,
        "non_inferior": 1,
    }


def test_predictions_are_compared_with_the_truth() -> None:
    truth = np.random.default_rng(1).normal(size=ROWS) * 100
    noise = errors(2) / 20
    predicted = [(truth + each)[:, None] for each in (errors(), errors() + noise)]
    found = regression.judge(truth, *predicted, MARGIN)
    expected = judge(errors(), errors() + noise)
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_clearly_worse_model_is_refused() -> None:
    found = judge(errors(), errors() * 1.1)
    assert found["low"] > MARGIN
    assert found["non_inferior"] == 0


def test_a_clearly_better_model_is_not_inferior() -> None:
    found = judge(errors(), errors() * 0.9)
    assert found["high"] < 0
    assert found["non_inferior"] == 1


def test_a_loss_that_is_surely_within_the_margin_is_not_inferior() -> None:
    found = judge(errors(), errors() * 1.001)
    assert 0 < found["low"] < found["high"] < MARGIN
    assert found["non_inferior"] == 1


def test_a_model_that_may_be_worse_than_the_margin_is_refused() -> None:
    quantized = errors() + errors(1) * 0.2
    quantized *= np.sqrt(np.sum(errors() ** 2) / np.sum(quantized**2))
    found = judge(errors(), quantized)
    assert found["low"] < 0 < MARGIN < found["high"]
    assert found["non_inferior"] == 0


@pytest.mark.parametrize("factor", [0.5, 0.99, 1.01, 3])
def test_the_same_change_in_every_row_leaves_no_doubt(factor: float) -> None:
    found = judge(errors(), errors() * factor)
    assert found["low"] == pytest.approx(factor**2 - 1, rel=1e-9)
    assert found["high"] == pytest.approx(factor**2 - 1, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_is_that_of_the_paired_normal_approximation(seed: int) -> None:
    """Independent noise of size s adds s² to the MSE; rows vary by the delta method.

    10,000 resamples know a 2.5 % quantile to 0.027 deviations; 0.1 is nearly four of these.
    """
    reference, quantized = errors(seed), errors(seed) + 0.1 * errors(seed + 100)
    before, after = reference**2, quantized**2
    change = after.mean() / before.mean() - 1
    deviation = np.std(after - (1 + change) * before) / before.mean() / np.sqrt(ROWS)
    found = judge(reference, quantized)
    assert found["low"] < change < found["high"]
    assert found["low"] < 0.1**2 < found["high"]
    assert found["low"] == pytest.approx(change - 1.96 * deviation, abs=0.1 * deviation)
    assert found["high"] == pytest.approx(change + 1.96 * deviation, abs=0.1 * deviation)


def test_the_interval_covers_the_true_change_about_as_often_as_it_says() -> None:
    """Of 40 intervals of 95 % all but a few hold the true change: fewer than 33 is 7 in 10,000."""
    rows, noise = 200, 0.3
    found = [
        judge(errors(2 * seed, rows), errors(2 * seed, rows) + noise * errors(2 * seed + 1, rows))
        for seed in range(40)
    ]
    held = sum(one["low"] <= noise**2 <= one["high"] for one in found)
    assert held >= 33
    assert len({one["low"] for one in found}) == 40


def test_the_same_call_gives_the_same_numbers() -> None:
    quantized = errors() + 0.1 * errors(1)
    assert judge(errors(), quantized) == judge(errors(), quantized)


def test_the_margin_has_no_say_in_the_interval() -> None:
    quantized = errors() + 0.1 * errors(1)
    strict, lax = judge(errors(), quantized, 1e-9), judge(errors(), quantized, 9.0)
    assert (strict["low"], strict["high"]) == (lax["low"], lax["high"])
    assert (strict["margin"], lax["margin"]) == (1e-9, 9.0)
    assert (strict["non_inferior"], lax["non_inferior"]) == (0, 1)


def test_an_interval_that_ends_at_the_margin_is_within_it() -> None:
    quantized = errors() + 0.1 * errors(1)
    high = judge(errors(), quantized)["high"]
    assert judge(errors(), quantized, high)["non_inferior"] == 1
    assert judge(errors(), quantized, np.nextafter(high, -1))["non_inferior"] == 0


def test_the_verdict_is_a_number_that_dvc_can_show() -> None:
    found = judge(errors(), errors())
    assert type(found["non_inferior"]) is int
    assert {type(found[key]) for key in ("low", "high", "margin")} == {float}


def test_a_few_rows_that_go_wrong_count() -> None:
    quantized = errors().copy()
    quantized[:20] += 5
    assert judge(errors(), quantized)["non_inferior"] == 0


def test_a_float_model_without_any_error_is_refused() -> None:
    with pytest.raises(OctetError, match="test error is 0"):
        judge(np.zeros(ROWS), errors())


def test_a_single_row_is_refused() -> None:
    with pytest.raises(OctetError):
        judge(np.ones(1), np.ones(1))


def test_a_float_model_whose_error_vanishes_in_a_resample_is_refused_not_warned_about() -> None:
    reference = np.zeros(20)
    reference[0] = 1
    with pytest.raises(OctetError):
        judge(reference, reference + np.eye(20)[1])


def test_a_change_of_the_smallest_effect_shows_four_times_in_five() -> None:
    rng = np.random.default_rng(0)

    def draw(excess: float) -> dict[str, float]:
        float_errors = rng.normal(size=400)
        own = 0.2 * rng.normal(size=400)  # of variance 0.04: an increase of the MSE by 4 percent
        return judge(float_errors, np.sqrt((1 + excess) / 1.04) * (float_errors + own))

    effect = float(np.mean([draw(0.0)["smallest_effect"] for _ in range(20)]))
    shown = sum(draw(effect)["low"] > 0 for _ in range(60))
    assert 0.6 < shown / 60 < 0.95


def test_scores_of_four_rows_are_those_of_a_calculation_by_hand() -> None:
    found = scores(np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 6]))
    assert found == pytest.approx({"r2": 1 - 4 / 5, "mse": 1, "mae": 0.5}, rel=1e-12)


def test_a_perfect_prediction_has_no_error_and_an_r2_of_one() -> None:
    truth = np.array([1.0, 2, 4])
    assert scores(truth, truth) == {"r2": 1, "mse": 0, "mae": 0}


def test_the_mean_has_an_r2_of_zero_and_worse_a_negative_one() -> None:
    truth = np.array([1.0, 2, 3])
    assert scores(truth, np.full(3, 2.0))["r2"] == 0
    assert scores(truth, truth[::-1])["r2"] == pytest.approx(-3, rel=1e-12)


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
    assert scores(truth, predicted) == pytest.approx(expected, rel=1e-12)


def test_the_order_of_the_arguments_is_truth_then_prediction() -> None:
    truth, predicted = np.array([0.0, 10]), np.array([4.0, 6])
    assert scores(truth, predicted)["r2"] == pytest.approx(1 - 32 / 50, rel=1e-12)
