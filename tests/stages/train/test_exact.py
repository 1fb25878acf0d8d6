"""Integers in place of floats: nothing is rounded where it is said that nothing is."""

from fractions import Fraction
from functools import reduce
from operator import add

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


@settings(deadline=None, derandomize=True)
@given(
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12),
    counts=st.lists(st.integers(1, 9), min_size=6, max_size=6)
    | st.lists(st.floats(1e-15, 1e15), min_size=6, max_size=6),
)
def test_sums_of_products_are_exact_in_any_parts(numbers: list[float], counts: list[float]) -> None:
    x = np.array(numbers[: len(numbers) // 2 * 2]).reshape(-1, 2) / 2
    weights = np.array(counts[: len(x)], np.float64)
    rows = [
        (Fraction(count), [Fraction(value) for value in row])
        for row, count in zip(x.tolist(), weights.tolist(), strict=True)
    ]
    expected = [
        [sum((count * row[i] * row[j] for count, row in rows), Fraction()) for j in (0, 1)]
        for i in (0, 1)
    ]
    for parts in ([slice(None)], [slice(1), slice(1, None)]):
        total = reduce(add, (exact.products(x[part], weights[part]) for part in parts))
        assert [[Fraction(n, 1 << total.bits) for n in row] for row in total.numbers] == expected


def test_sums_of_products_of_many_rows_are_exact() -> None:
    """As many in a part as there are in a block of a table of one column."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2**18, 2)) * [1, 1e-30]
    whole, bits = exact.integers(x)
    for counts in (rng.integers(1, 2**11, len(x), endpoint=True) + 0.0, rng.random(len(x))):
        weights, weight_bits = exact.integers(counts)
        expected = exact.Sum((whole * weights[:, None]).T @ whole, 2 * bits + weight_bits)
        total = exact.products(x, counts)
        most = max(total.bits, expected.bits)
        assert (total.over(most) == expected.over(most)).all()
