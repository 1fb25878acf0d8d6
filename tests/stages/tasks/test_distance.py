"""How far outputs are apart is as the formulas say, whatever the unit of the outputs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Array
from stages.tasks import distance

IDENTICAL_DB = 20 * math.log10(2**53)


def column(*numbers: float) -> Array:
    return np.array(numbers, np.float64)[:, None]


def outputs(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(40, 2)) * 100
    return reference, reference + rng.normal(size=(40, 2))


def test_the_distance_of_two_rows_is_that_of_a_calculation_by_hand() -> None:
    found = distance.between(column(3, 4), column(3, 6))
    assert found == pytest.approx(
        {"mean_abs": 1, "max_abs": 2, "sqnr_db": 10 * math.log10(25 / 4)}, rel=1e-12
    )


@pytest.mark.parametrize("seed", range(5))
def test_distances_are_those_of_their_formulas(seed: int) -> None:
    reference, other = outputs(seed)
    noise = other - reference
    expected = {
        "mean_abs": np.sum(abs(noise)) / noise.size,
        "max_abs": max(noise.max(), -noise.min()),
        "sqnr_db": 10 * math.log10(np.sum(reference**2) / np.sum(noise**2)),
    }
    assert distance.between(reference, other) == pytest.approx(expected, rel=1e-12)


def test_the_largest_distance_counts_in_both_directions() -> None:
    assert distance.between(column(1, 1), column(1, -6))["max_abs"] == 7


@pytest.mark.parametrize("output", [column(1, -2, 3), column(0, 0), column(1e-300), column(1e150)])
def test_identical_outputs_have_the_ratio_of_a_float64_and_no_more(output: Array) -> None:
    assert distance.between(output, output.copy()) == {
        "mean_abs": 0,
        "max_abs": 0,
        "sqnr_db": pytest.approx(IDENTICAL_DB, rel=1e-12),
    }
    assert round(IDENTICAL_DB, 1) == 319.1


def test_outputs_that_differ_less_than_a_float64_shows_have_no_better_ratio() -> None:
    reference = column(1e8, 0)
    assert distance.between(reference, column(1e8, 1e-12))["sqnr_db"] == pytest.approx(
        IDENTICAL_DB, rel=1e-12
    )


def test_outputs_that_differ_have_a_worse_ratio_than_identical_ones() -> None:
    reference = column(1, 2)
    assert distance.between(reference, np.nextafter(reference, 9))["sqnr_db"] < IDENTICAL_DB


def test_noise_over_a_silent_reference_is_not_taken_for_identical() -> None:
    assert distance.between(column(0, 0), column(1, -1))["sqnr_db"] < 0


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-40, 40))
def test_the_unit_of_the_target_makes_no_difference_to_the_ratio(seed: int, power: int) -> None:
    reference, other = outputs(seed)
    straight, scaled = (distance.between(reference * f, other * f) for f in (1.0, 2.0**power))
    assert scaled["sqnr_db"] == straight["sqnr_db"]
    assert scaled["max_abs"] == straight["max_abs"] * 2.0**power
    assert scaled["mean_abs"] == straight["mean_abs"] * 2.0**power


def test_half_the_noise_is_six_decibels_more() -> None:
    reference, other = outputs(0)
    half = reference + (other - reference) / 2
    gain = (
        distance.between(reference, half)["sqnr_db"] - distance.between(reference, other)["sqnr_db"]
    )
    assert gain == pytest.approx(20 * math.log10(2), rel=1e-9)


def test_outputs_move_by_the_mean_length_of_their_change() -> None:
    before = np.array([[0.0, 0], [1, 1], [5, 5]])
    after = np.array([[3.0, 4], [1, 1], [5, 6]])
    assert distance.length(before, after) == distance.length(after, before) == 2
    assert distance.length(before, before) == 0
