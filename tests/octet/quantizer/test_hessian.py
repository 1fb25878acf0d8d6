"""H is the mean squared error at the outputs; and what is concluded from moments holds."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Array
from octet.quantizer.hessian import Moments, factor, output_error, second_moments, solve

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

UNIT = 2.0**-53  # the relative error of one rounding
RIDGE = 1e-12  # by which the diagonal of H is raised, as its docstring promises
TARGET = 2.0**-20  # what is given is rounded to halves of this share of twice its largest


def inputs(seed: int) -> Array:
    """Correlated columns, each in a unit of its own and with a mean of its own."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(2, 200)), int(rng.integers(1, 9))
    mixed = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns))
    return (mixed + rng.normal(size=columns) * 10) * 10.0 ** rng.integers(-8, 9, columns)


def steps(rng: np.random.Generator, inputs: int, count: int) -> Array:
    """Correlated steps of a grid of 8 bits, some of them negative."""
    x = 60 * (rng.normal(size=(1, count)) + 0.5 * rng.normal(size=(inputs, count)))
    x += 30 * rng.normal(size=(inputs, 1))
    return np.rint(np.clip(x, -255, 255))


def moments(x: Array, y: Array, *cuts: int) -> Moments:
    """Moments of x and y, given in one piece or cut into several."""
    sums = Moments(len(x), len(y))
    for x_part, y_part in zip(np.split(x, cuts, 1), np.split(y, cuts, 1), strict=True):
        sums.add(x_part, y_part)
    return sums


@fixed
@given(seed=seeds)
def test_an_error_in_weights_and_bias_costs_its_mean_squared_error_at_the_output(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = inputs(seed)
    h, x = second_moments(x), np.column_stack([x, np.ones(len(x))])
    assert np.array_equal(h, h.T)
    sizes = np.sqrt(np.mean(x**2, axis=0))
    errors = rng.normal(size=(3, x.shape[1])) / sizes
    at_the_output = np.mean((x @ errors.T) ** 2, axis=0)
    # What rounding and the ridge can move: shares of the same sum without cancellation.
    most = np.sum(np.abs(errors) * sizes, axis=1) ** 2
    allowed = (RIDGE + 8 * (len(x) + 10) * UNIT) * most
    assert np.all(np.abs(output_error(errors, factor(h)) - at_the_output) <= allowed)


@fixed
@given(seed=seeds)
def test_the_factor_is_a_triangle_whose_square_is_h_and_by_it_equations_are_solved(
    seed: int,
) -> None:
    h = second_moments(inputs(seed))
    r = factor(h)
    assert np.array_equal(r, np.triu(r))
    assert np.all(np.diag(r) > 0)
    # Higham, Accuracy and Stability of Numerical Algorithms, theorems 10.3 and 10.4; what checks
    # them makes as many roundings again.
    allowed = (len(h) + 2) * UNIT * (np.abs(r).T @ np.abs(r))
    assert np.all(np.abs(r.T @ r - h) <= 2 * allowed)
    b = np.random.default_rng(seed).normal(size=len(h)) * np.sqrt(np.diag(h))
    x = solve(r, b.copy())
    allowed = (3 * len(h) + 1) * UNIT * (np.abs(r).T @ (np.abs(r) @ np.abs(x)))
    assert np.all(np.abs(h @ x - b) <= 2 * allowed)
    several = np.stack([b, 3 * b[::-1], 0 * b])
    assert np.array_equal(solve(r, several), np.stack([solve(r, each) for each in several]))


NO_NEWS = {
    "dead": [[0.0, 0, 0, 0]],
    "constant": [[7.0, 7, 7, 7]],
    "saturated": [[255.0, 255, 255, 255], [0, 0, 0, 1]],
    "duplicated": [[1.0, 2, 4, 5], [1, 2, 4, 5]],
    "dead, constant and duplicated": [[3.0, 3, 3, 3], [0] * 4, [1, 2, 4, 4], [2, 4, 8, 8]],
    "sums and differences of others": [[1.0, 2, 4], [3, 1, 0], [4, 3, 4], [2, -1, -4]],
    "all dead": [[0.0, 0, 0, 0], [0, 0, 0, 0]],
    "seen once": [[4.0], [9.0]],
    # Codes are small integers; what enters a table in float is not.
    "duplicated in other units": [[1.0, 2, 4], [1e-9, 2e-9, 4e-9], [-1e9, -2e9, -4e9]],
    "units 290 decades apart": [[1e150, 0, 0], [1e-140, 1e-140, 0]],
    "far from zero": [[1e6 + 1, 1e6 + 2, 1e6 + 3]],
}


@pytest.mark.parametrize("name", NO_NEWS)
def test_h_is_definite_for_inputs_that_carry_no_news(name: str) -> None:
    x = np.array(NO_NEWS[name])
    forms = [second_moments(x.T)]
    if np.max(np.abs(x)) < 256:
        seen = moments(x, np.zeros((1, x.shape[1])))
        forms += [seen.hessian(0.1), seen.covariance(0.1)]
    for form in forms:
        r, sizes = factor(form), np.sqrt(np.diag(form))
        assert np.all(np.isfinite(r))
        assert np.all(np.diag(r) > 0)
        assert np.min(np.linalg.eigvalsh(form / np.outer(sizes, sizes))) > RIDGE / 2


@st.composite
def batches(draw: st.DrawFn) -> tuple[Array, Array, list[int]]:
    """Steps, what should be given for them, and where to cut them into batches."""
    rng = np.random.default_rng(draw(seeds))
    count = draw(st.integers(1, 60))
    x = steps(rng, draw(st.integers(1, 6)), count)
    y = rng.normal(size=(draw(st.integers(1, 3)), count)) * 10.0 ** rng.integers(-6, 7)
    return x, y, sorted(draw(st.lists(st.integers(0, count), max_size=5)))


@fixed
@given(batches())
def test_sums_are_exact_in_any_batches_and_those_of_what_is_given_to_twenty_bits(
    case: tuple[Array, Array, list[int]],
) -> None:
    x, y, cuts = case
    sums, whole = moments(x, y, *cuts), x.astype(np.int64)
    assert sums.count == x.shape[1]
    assert np.array_equal(sums.first, whole.sum(axis=1))
    assert np.array_equal(sums.second, np.einsum("it,jt->ij", whole, whole))
    exact_x = [[Fraction(value) for value in row] for row in x.tolist()]
    allowed = TARGET * np.max(np.abs(y))
    for i, row in enumerate(y.tolist()):
        exact_y = [Fraction(value) for value in row]
        assert abs(sums.target[i] - float(sum(exact_y))) <= allowed * len(row)
        for j, seen in enumerate(exact_x):
            cross = float(sum(a * b for a, b in zip(exact_y, seen, strict=True)))
            assert abs(sums.cross[i, j] - cross) <= allowed * float(sum(map(abs, seen)))


def test_sums_of_a_million_of_the_largest_steps_are_still_exact() -> None:
    x = np.full((2, 2**20), 255.0)
    x[1, ::3] = -255
    sums = Moments(2, 1)
    for _ in range(4):
        sums.add(x, np.ones((1, 2**20)))
    whole = x.astype(np.int64)
    assert sums.second.tolist() == (4 * (whole[:, None] * whole[None]).sum(axis=2)).tolist()
    assert sums.first.tolist() == (4 * whole.sum(axis=1)).tolist()


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_steps_of_any_type_and_number_add_up_exactly(kind: type[np.generic], count: int) -> None:
    x = np.random.default_rng(count).integers(0, 256, (1100, count)).astype(kind)
    sums = Moments(len(x), 1)
    sums.add(x, None)
    whole = x.astype(np.int64)
    assert np.array_equal(sums.second, whole @ whole.T)
    assert np.array_equal(sums.first, whole.sum(axis=1))


@fixed
@given(seed=seeds, scale=st.sampled_from([1.0, 0.25, 0.013]))
def test_h_and_covariance_are_those_of_the_reals_that_the_steps_stand_for(
    seed: int, scale: float
) -> None:
    x = steps(np.random.default_rng(seed), 4, 30)
    whole = x.astype(np.int64).tolist()
    covariance = np.empty((4, 4))
    for i, a in enumerate(whole):
        for j, b in enumerate(whole):
            products = sum(p * q for p, q in zip(a, b, strict=True))
            covariance[i, j] = Fraction(30 * products - sum(a) * sum(b), 900) * Fraction(scale) ** 2
    diagonal = np.diag(covariance)
    expected = covariance + RIDGE * np.diag(np.where(diagonal > 0, diagonal, diagonal.mean()))
    seen = moments(x, x)
    assert np.all(np.abs(seen.covariance(scale) - expected) <= 6 * UNIT * np.abs(expected))
    h = second_moments(scale * x.T)
    sizes = np.sqrt(np.diag(h))
    assert np.all(np.abs(seen.hessian(scale) - h) <= 100 * UNIT * np.outer(sizes, sizes))
    # The covariance is what the best bias leaves of H: its Schur complement.
    left = h[:-1, :-1] - np.outer(h[-1, :-1], h[-1, :-1]) / h[-1, -1]
    allowed = 3 * RIDGE * np.outer(sizes[:-1], sizes[:-1])
    assert np.all(np.abs(seen.covariance(scale) - left) <= allowed)


def test_a_constant_input_has_no_variance_but_the_ridge() -> None:
    x = np.array([[200.0] * 3000, list(range(100)) * 30])
    covariance = moments(x, np.zeros((1, 3000))).covariance(0.1)
    assert covariance[0, 1] == covariance[1, 0] == 0
    assert covariance[0, 0] == pytest.approx(RIDGE * covariance[1, 1] / 2, rel=1e-9)


@fixed
@given(seed=seeds)
def test_regression_is_that_of_its_formula_and_gives_y_its_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, weight = steps(rng, 4, 100), rng.normal(size=(2, 100)), rng.normal(size=(2, 4))
    scale = 0.03
    reals, centred = scale * x, scale * (x - x.mean(axis=1, keepdims=True))
    cov, cross = centred @ centred.T / 100, (y - y.mean(axis=1, keepdims=True)) @ centred.T / 100
    damping = 0.01 * np.diag(np.diag(cov))
    expected = np.linalg.solve(cov + damping, (cross + weight @ damping).T).T
    before = weight.copy()
    best, bias = moments(x, y).regression(weight, scale)
    assert np.array_equal(weight, before)
    assert best == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert np.mean(best @ reals + bias[:, None], axis=1) == pytest.approx(
        y.mean(axis=1), abs=TARGET * np.max(np.abs(y))
    )


@fixed
@given(seed=seeds, scale=st.sampled_from([1.0, 0.02]))
def test_where_nothing_has_changed_regression_finds_the_weights_that_there_were(
    seed: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    weight, bias, x = rng.normal(size=(3, 5)), rng.normal(size=3), steps(rng, 5, 200)
    y = scale * weight @ x + bias[:, None]
    best, best_bias = moments(x, y, 50, 100).regression(weight, scale)
    # What is given is known to 20 bits: the noise that this is, at the outputs of the layer.
    lost = (best - weight) @ (scale * x) + (best_bias - bias)[:, None]
    assert np.sqrt(np.mean(lost**2)) <= TARGET * np.max(np.abs(y))
    assert best == pytest.approx(weight, abs=1e-4 / scale)


def test_regression_makes_good_what_inputs_have_lost_for_rows_that_it_has_not_seen_too() -> None:
    scale, before, after = 0.05, 0.0, 0.0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        weight, bias, was = rng.normal(size=(3, 5)), rng.normal(size=3), steps(rng, 5, 800)
        x = np.rint(was + 15 * rng.normal(size=(5, 1)) * rng.normal(size=(1, 800)))
        y = scale * weight @ was + bias[:, None]
        best, best_bias = moments(x[:, :400], y[:, :400]).regression(weight, scale)
        new, wanted = scale * x[:, 400:], y[:, 400:]
        before += float(np.mean((weight @ new + bias[:, None] - wanted) ** 2))
        after += float(np.mean((best @ new + best_bias[:, None] - wanted) ** 2))
    assert after < 0.9 * before


@pytest.mark.parametrize("value", [0.0, 7.0, 255.0])
def test_regression_keeps_the_weight_of_an_input_of_which_it_learns_nothing(value: float) -> None:
    rng = np.random.default_rng(2)
    weight, bias, x = rng.normal(size=(2, 4)), rng.normal(size=2), steps(rng, 4, 300)
    x[1] = value
    best, _ = moments(x, 0.1 * weight @ x + bias[:, None]).regression(weight, 0.1)
    assert best[:, 1] == pytest.approx(weight[:, 1], rel=0.02)
