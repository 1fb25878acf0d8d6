"""H is the mean squared error at the outputs, and definite whatever the inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Array
from octet.quantizer.hessian import factor, output_error, second_moments, solve

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

UNIT = 2.0**-53  # the relative error of one rounding
RIDGE = 1e-12  # by which the diagonal of H is raised, as its docstring promises


def inputs(seed: int) -> Array:
    """Correlated columns, each in a unit of its own and with a mean of its own."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(2, 200)), int(rng.integers(1, 9))
    mixed = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns))
    return (mixed + rng.normal(size=columns) * 10) * 10.0 ** rng.integers(-8, 9, columns)


def with_ones(x: Array) -> Array:
    return np.column_stack([x, np.ones(len(x))])


@fixed
@given(seed=seeds)
def test_h_is_the_mean_of_products_of_inputs_and_a_one_for_the_bias(seed: int) -> None:
    x = with_ones(inputs(seed))
    expected = x.T @ x / len(x)
    got = second_moments(x[:, :-1])
    # Each side makes at most rows + 2 roundings in a sum of rows products.
    summed = 2 * (len(x) + 2) * UNIT * (np.abs(x).T @ np.abs(x) / len(x))
    assert np.all(np.abs(got - expected) <= summed + 1.01 * RIDGE * np.diag(np.diag(expected)))
    assert np.array_equal(got, got.T)


@fixed
@given(seed=seeds)
def test_an_error_in_weights_and_bias_costs_its_mean_squared_error_at_the_output(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x = with_ones(inputs(seed))
    sizes = np.sqrt(np.mean(x**2, axis=0))
    errors = rng.normal(size=(3, x.shape[1])) / sizes
    at_the_output = np.mean((x @ errors.T) ** 2, axis=0)
    h = second_moments(x[:, :-1])
    # What rounding and the ridge can move: shares of the same sum without cancellation.
    most = np.sum(np.abs(errors) * sizes, axis=1) ** 2
    allowed = (RIDGE + 8 * (len(x) + 10) * UNIT) * most
    assert np.all(np.abs(output_error(errors, factor(h)) - at_the_output) <= allowed)


@pytest.mark.parametrize(
    "columns",
    [
        [[0.0, 0.0, 0.0]],
        [[7.0, 7.0, 7.0]],
        [[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]],
        [[1.0, 2.0, 4.0], [1e-9, 2e-9, 4e-9], [-1e9, -2e9, -4e9]],
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [5.0, 5.0, 5.0], [1.0, 2.0, 4.0], [0.3, 0.6, 1.2]],
        [[1.0, 2.0, 4.0], [3.0, 1.0, 0.0], [4.0, 3.0, 4.0], [2.0, -1.0, -4.0]],
        [[1e150, 0.0, 0.0], [1e-140, 1e-140, 0.0]],
        [[1e6 + 1, 1e6 + 2, 1e6 + 3]],
    ],
    ids=[
        "dead",
        "constant",
        "duplicated",
        "duplicated in other units",
        "dead, constant and duplicated",
        "sums and differences of others",
        "units 290 decades apart",
        "far from zero",
    ],
)
def test_h_is_definite_for_inputs_that_carry_no_news(columns: list[list[float]]) -> None:
    h = second_moments(np.array(columns).T)
    r = factor(h)
    assert np.all(np.isfinite(r))
    assert np.all(np.diag(r) > 0)
    sizes = np.sqrt(np.diag(h))
    assert np.min(np.linalg.eigvalsh(h / np.outer(sizes, sizes))) > RIDGE / 2


@fixed
@given(seed=seeds, copies=st.integers(2, 6))
def test_h_of_many_copies_is_definite(seed: int, copies: int) -> None:
    x = np.tile(inputs(seed), copies)
    r = factor(second_moments(x * np.random.default_rng(seed).normal(size=x.shape[1])))
    assert np.all(np.diag(r) > 0)


@fixed
@given(seed=seeds)
def test_the_factor_is_triangular_and_its_square_is_h(seed: int) -> None:
    h = second_moments(inputs(seed))
    r = factor(h)
    assert np.array_equal(r, np.triu(r))
    assert np.all(np.diag(r) > 0)
    # Higham, Accuracy and Stability of Numerical Algorithms, theorem 10.3.
    allowed = (len(h) + 2) * UNIT * (np.abs(r).T @ np.abs(r))
    assert np.all(np.abs(r.T @ r - h) <= 2 * allowed)


@fixed
@given(seed=seeds)
def test_solve_finds_the_x_whose_image_is_b(seed: int) -> None:
    h = second_moments(inputs(seed))
    r = factor(h)
    b = np.random.default_rng(seed).normal(size=len(h)) * np.sqrt(np.diag(h))
    before = b.copy()
    x = solve(r, b)
    assert np.array_equal(b, before)
    # Higham, theorem 10.4; the residual itself is computed with as many roundings again.
    allowed = (3 * len(h) + 1) * UNIT * (np.abs(r).T @ (np.abs(r) @ np.abs(x)))
    assert np.all(np.abs(h @ x - b) <= 2 * allowed)


def test_the_order_of_rows_of_errors_is_the_order_of_their_costs() -> None:
    r = np.array([[2.0, 1.0], [0.0, 3.0]])
    errors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0], [0.0, 0.0]])
    assert output_error(errors, r).tolist() == [4.0, 10.0, 10.0, 0.0]
