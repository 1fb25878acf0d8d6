"""Regression: scores are those of their formulas; one row does not decide a verdict."""

import numpy as np
import pytest

from octet.affine import Array
from octet.errors import OctetError
from stages.tasks import regression
from stages.tasks.regression import REGRESSION
from tests.stages.tasks.test_tasks import GATES

ROWS = 1000
MARGIN = 0.01


def errors(seed: int = 0, rows: int = ROWS) -> Array:
    """What the float model is wrong by; the truth is 0 in these tests."""
    return np.random.default_rng(seed).normal(size=rows)


def judge(
    float_errors: Array, quantized_errors: Array, margin: float | None = MARGIN, **gates: float
) -> dict[str, float]:
    truth = np.zeros(len(float_errors))
    allowed = GATES.model_copy(update={"mse_increase": margin, **gates})
    return REGRESSION.decide(truth, float_errors[:, None], quantized_errors[:, None], allowed)


def scores(truth: Array, predicted: Array) -> dict[str, float]:
    return regression.score(truth, predicted[:, None])


def test_identical_models_do_not_differ_at_all() -> None:
    found = judge(errors(), errors())
    assert found["low"] == found["high"] == found["high_without"] == found["worse"] == 0
    assert found["effective_rows"] == found["rows"] == ROWS
    assert found["non_inferior"] == 1


def test_predictions_are_compared_with_the_truth() -> None:
    truth = np.random.default_rng(1).normal(size=ROWS) * 100
    noise = errors(2) / 20
    predicted = [(truth + each)[:, None] for each in (errors(), errors() + noise)]
    found = REGRESSION.decide(truth, *predicted, GATES)
    assert found == pytest.approx(judge(errors(), errors() + noise), rel=1e-9)


@pytest.mark.parametrize(
    ("factor", "shown", "shares"),
    [(1.1, 0, {}), (0.9, 1, {}), (1.001, 1, {}), (1.001, 0, {"worse_by": 1e-4})],
)
def test_what_changes_every_row_alike_is_judged_by_how_much(
    factor: float, shown: int, shares: dict[str, float]
) -> None:
    found = judge(errors(), errors() * factor, **shares)
    assert found["low"] == pytest.approx(factor**2 - 1, rel=1e-9)
    assert found["high"] == pytest.approx(factor**2 - 1, rel=1e-9)
    assert found["non_inferior"] == shown


def test_a_model_that_may_be_worse_than_the_margin_is_refused() -> None:
    quantized = errors() + errors(1) * 0.2
    quantized *= np.sqrt(np.sum(errors() ** 2) / np.sum(quantized**2))
    found = judge(errors(), quantized)
    assert found["low"] < 0 < MARGIN < found["high"]
    assert found["non_inferior"] == 0


def test_the_same_call_gives_the_same_numbers() -> None:
    quantized = errors() + 0.1 * errors(1)
    assert judge(errors(), quantized) == judge(errors(), quantized)


def test_the_margin_has_no_say_in_the_interval_and_may_be_reached() -> None:
    quantized = errors() + 0.01 * errors(1)
    found = judge(errors(), quantized)
    high = max(found["high"], found["high_without"])
    strict, lax = (
        judge(errors(), quantized, float(np.nextafter(high, -1))),
        judge(errors(), quantized, high),
    )
    assert (strict["low"], strict["high"]) == (lax["low"], lax["high"])
    assert (strict["non_inferior"], lax["non_inferior"]) == (0, 1)
    assert lax["margin"] == high


def test_the_verdict_is_made_of_numbers_that_dvc_can_show() -> None:
    found = judge(errors(), errors() + 0.01 * errors(1))
    whole = ("rows", "worse", "rows_needed", "non_inferior")
    assert {type(found[key]) for key in whole} == {int}
    assert {type(found[key]) for key in found.keys() - set(whole)} == {float}


def test_one_row_does_not_decide() -> None:
    """One row gets so much better that it hides what all of the others lose."""
    reference = np.where(np.arange(ROWS) % 2, 1.0, -1.0)
    quantized = reference * np.sqrt(1.009 + np.where(np.arange(ROWS) % 3, 0.01, -0.02))
    quantized[7] = 0.0
    margin = 0.0096
    found = judge(reference, quantized, margin)
    assert found["high_without"] > margin > found["low"]
    in_many = {**found, "high": margin, "effective_rows": ROWS}
    got, shown = REGRESSION.claims(GATES.model_copy(update={"mse_increase": margin}))[0].judge(
        in_many
    )
    assert shown is None
    assert "one row decides" in got
    assert found["non_inferior"] == 0


def test_tails_that_are_too_heavy_are_named_and_do_not_pass_by_the_squares() -> None:
    reference, quantized = errors(), errors() + 1e-4 * errors(1)
    quantized[3] += 0.5 * np.sign(quantized[3])
    found = judge(reference, quantized)
    assert found["high"] < MARGIN
    assert found["effective_rows"] < 3
    assert (found["non_inferior"], found["p_inferior"]) == (0, 1)
    got, shown = REGRESSION.claims(GATES)[0].judge(found)
    assert shown is None
    assert "tails too heavy for n = 1,000: the variance is that of" in got
    alone = judge(reference, quantized, None)
    assert (alone["non_inferior"], alone["low"]) == (1, found["low"])
    assert "margin" not in alone


def test_rows_that_get_worse_count_though_the_mean_does_not_see_them() -> None:
    reference = np.concatenate([errors(rows=900) * 0.01, errors(1, 100) * 100])
    quantized = reference.copy()
    quantized[:900] *= 3
    found = judge(reference, quantized, None)
    assert found["high"] < MARGIN
    assert found["worse"] > 700
    assert found["non_inferior"] == 0


def test_a_float_model_without_any_error_is_refused() -> None:
    with pytest.raises(OctetError, match="test error is 0"):
        judge(np.zeros(ROWS), errors())


def test_two_rows_are_refused() -> None:
    with pytest.raises(OctetError, match="takes at least 3"):
        judge(np.ones(2), np.ones(2))


def test_a_float_model_that_errs_in_a_single_row_is_refused_not_warned_about() -> None:
    reference = np.zeros(20)
    reference[0] = 1
    with pytest.raises(OctetError):
        judge(reference, reference + np.eye(20)[1])


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


def test_where_the_truth_does_not_vary_r2_tells_only_whether_all_is_right() -> None:
    truth = np.ones(3)
    assert scores(truth, truth)["r2"] == 1
    assert scores(truth, np.array([1.0, 1, 2]))["r2"] == 0


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
