"""Descent: one code at a time, never worse, until no single code can be changed for the better."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Array, Grid, Integers
from octet.quantizer.hessian import factor, output_error, second_moments
from octet.quantizer.proof.exact import exact
from octet.quantizer.rounding import Lattice, descend, gptq, lattice, nearest

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

# Of an error: what may be rounding error in eᵀHe, and in a gradient that is added up step by step.
ROUNDING = 1e-9


@dataclass
class Problem:
    """Rows on their grids, H, and where to start."""

    rows: Lattice
    hessian: Array
    start: Integers

    def cost(self, codes: Integers) -> Array:
        return output_error(self.rows.errors(codes), factor(self.hessian))

    def best_single_change(self, codes: Integers) -> Array:
        """The least cost of each row with any one code changed to any other: by brute force."""
        least = np.full(len(codes), np.inf)
        for k, grid in enumerate(self.rows.grids):
            for code in range(grid.top + 1):
                changed = codes.copy()
                changed[:, k] = code
                least = np.minimum(least, self.cost(changed))
        return least


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Up to 8 weights, with or without a bias; started at gptq, nearest or anywhere."""
    rng = np.random.default_rng(draw(seeds))
    columns, bits = draw(st.integers(1, 8)), draw(st.integers(2, 5))
    own = draw(st.sampled_from([1.0, 0.3, 0.1]))
    x = rng.normal(size=(100, 1)) + own * rng.normal(size=(100, columns))
    weight, bias = rng.normal(size=(3, columns)), rng.normal(size=3)
    clip = draw(st.sampled_from([1.0, 0.7]))
    ends = (clip * weight.min(), clip * weight.max())
    if draw(st.booleans()):
        ends = clip * weight.min(axis=1, keepdims=True), clip * weight.max(axis=1, keepdims=True)
    grid = affine.asymmetric(*ends, bits)
    hessian = second_moments(x + rng.normal(size=columns))
    if draw(st.booleans()):
        rows = lattice(weight, grid, bias, affine.asymmetric(bias.min(), bias.max(), 4))
    else:
        rows, hessian = lattice(weight, grid), hessian[:-1, :-1]
    anywhere = [rng.integers(0, grid.top + 1, 3) for grid in rows.grids]
    starts = {
        "gptq": gptq(rows, hessian),
        "nearest": nearest(rows),
        "anywhere": np.column_stack(anywhere),
    }
    return Problem(rows, hessian, starts[draw(st.sampled_from(sorted(starts)))])


@fixed
@given(problems())
def test_descent_never_loses_more_than_its_start(problem: Problem) -> None:
    codes = descend(problem.rows, problem.start, problem.hessian)
    assert np.all(problem.cost(codes) <= problem.cost(problem.start) * (1 + ROUNDING))


@fixed
@given(problems())
def test_descent_stays_in_the_grid_and_leaves_its_start_alone(problem: Problem) -> None:
    before = problem.start.copy()
    codes = descend(problem.rows, problem.start, problem.hessian)
    assert np.array_equal(problem.start, before)
    assert codes.dtype == np.int64
    assert codes.shape == before.shape
    assert np.all((codes >= 0) & (codes <= [grid.top for grid in problem.rows.grids]))


@fixed
@given(problems())
def test_no_change_of_a_single_code_is_better(problem: Problem) -> None:
    codes = descend(problem.rows, problem.start, problem.hessian)
    assert np.all(problem.best_single_change(codes) >= problem.cost(codes) * (1 - ROUNDING))


@fixed
@given(problems())
def test_a_second_descent_changes_nothing(problem: Problem) -> None:
    codes = descend(problem.rows, problem.start, problem.hessian)
    assert np.array_equal(descend(problem.rows, codes, problem.hessian), codes)


@fixed
@given(problems())
def test_no_descent_is_better_than_the_exact_optimum(problem: Problem) -> None:
    codes = descend(problem.rows, problem.start, problem.hessian)
    _, certificates = exact(problem.rows, problem.hessian)
    bounds = np.array([certificate.bound for certificate in certificates])
    assert np.all(problem.cost(codes) >= bounds * (1 - 1e-6))


@fixed
@given(problem=problems(), seed=seeds)
def test_without_correlation_descent_finds_the_optimum_from_anywhere(
    problem: Problem, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    diagonal = np.diag(10.0 ** rng.uniform(-6, 6, len(problem.hessian)))
    codes = descend(problem.rows, problem.start, diagonal)
    best, certificates = exact(problem.rows, diagonal)
    assert all(certificate.proven for certificate in certificates)
    assert np.array_equal(codes, best)
    assert np.array_equal(codes, nearest(problem.rows))


@fixed
@given(problems())
def test_each_row_is_mended_as_if_it_were_alone(problem: Problem) -> None:
    together = descend(problem.rows, problem.start, problem.hessian)
    for i in range(len(together)):
        one = slice(i, i + 1)
        grids = [Grid(g.scale[one], g.zero_point[one], g.bits) for g in problem.rows.grids]
        alone = Lattice(problem.rows.values[one], tuple(grids))
        assert np.array_equal(descend(alone, problem.start[one], problem.hessian)[0], together[i])


def test_descent_mends_what_gptq_leaves() -> None:
    # Where gptq is worse than nearest: see test_rounding.py.
    hessian = np.array([[5.0, 2.0, 2.0], [2.0, 4.0, -1.0], [2.0, -1.0, 6.0]])
    grid = Grid(np.ones(1, np.float32), np.zeros(1, np.uint8), 2)
    rows = Lattice(np.array([[2.6, 1.1, 2.8]]), (grid,) * 3)
    assert gptq(rows, hessian).tolist() == [[2, 1, 3]]
    assert descend(rows, gptq(rows, hessian), hessian).tolist() == [[3, 1, 3]]


def test_on_long_rows_of_correlated_inputs_descent_gains_over_gptq() -> None:
    lost = np.zeros(2)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(400, 1)) + 0.5 * rng.normal(size=(400, 60))
        weight = rng.normal(size=(2, 60))
        hessian = second_moments(x)[:-1, :-1]
        rows = lattice(weight, affine.asymmetric(weight.min(), weight.max(), 3))
        start = gptq(rows, hessian)
        for i, codes in enumerate((start, descend(rows, start, hessian))):
            lost[i] += np.sum(output_error(rows.errors(codes), factor(hessian)))
    assert lost[1] < lost[0]


@pytest.mark.parametrize("decades", [6, 12, 25])
def test_scales_may_be_decades_apart(decades: int) -> None:
    """As they are per parameter, where each weight has a scale of its own size."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(2, 30))
    weight[:, ::3] *= 10.0**-decades
    hessian = second_moments(rng.normal(size=(60, 1)) + 0.5 * rng.normal(size=(60, 30)))
    rows = lattice(weight, affine.asymmetric(weight, weight, 8))
    start = gptq(rows, hessian[:-1, :-1])
    problem = Problem(rows, hessian[:-1, :-1], start)
    codes = descend(rows, start, problem.hessian)
    assert np.all(problem.cost(codes) <= problem.cost(start) * (1 + ROUNDING))
