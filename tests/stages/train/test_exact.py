"""Integers in place of floats: nothing is rounded where it is said that nothing is."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.train import exact

NUMBERS = st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=5)


@settings(deadline=None, derandomize=True)
@given(numbers=NUMBERS)
def test_integers_are_the_same_numbers(numbers: list[float]) -> None:
    whole, bits = exact.integers(np.array(numbers))
    assert [Fraction(n, 1 << bits) for n in whole.tolist()] == [Fraction(n) for n in numbers]
    np.testing.assert_array_equal(exact.floats(whole, bits), numbers)


@settings(deadline=None, derandomize=True)
@given(numbers=NUMBERS, bits=st.integers(0, 300))
def test_fixed_numbers_are_rounded_down(numbers: list[float], bits: int) -> None:
    for number, fixed in zip(numbers, exact.fixed(np.array(numbers), bits).tolist(), strict=True):
        assert Fraction(fixed, 1 << bits) <= Fraction(number) < Fraction(fixed + 1, 1 << bits)


@pytest.mark.parametrize("bits", [53, 256, 512])
def test_exp_is_wrong_by_less_than_two_units(bits: int) -> None:
    rng = np.random.default_rng(bits)
    x = -np.concatenate([[0.0, 1e-300, 1e6], rng.exponential(30, 50), rng.uniform(0, 1, 50)])
    fixed = exact.fixed(x, bits)
    powers = exact.exp(fixed, bits)
    with mpmath.workprec(bits + 64):
        for number, power in zip(fixed.tolist(), powers.tolist(), strict=True):
            true = mpmath.exp(mpmath.ldexp(number, -bits))
            assert abs(mpmath.ldexp(true, bits) - power) < 2
