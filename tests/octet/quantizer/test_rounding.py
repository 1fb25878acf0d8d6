"""Rounding to nearest, GPTQ against its own paper, and descent, which mends what they leave."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Array, Grid, Integers
from octet.quantizer.hessian import Hessians, factor, output_error, second_moments
from octet.quantizer.proof.exact import exact
from octet.quantizer.rounding import Lattice, descend, gptq, lattice, nearest

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

# Of an error: what may be rounding error in eᵀHe, and in a gradient that is added up move by move.
ROUNDING = 1e-9


def inputs(rng: np.random.Generator, columns: int, own: float) -> Array:
    """Inputs that have all but ``own`` in common, each in a unit of its own."""
    x = rng.normal(size=(200, 1)) + own * rng.normal(size=(200, columns))
    return (x + rng.normal(size=columns)) * rng.uniform(0.5, 2, columns)


@dataclass
class Problem:
    """Rows on their grids, and H."""

    rows: Lattice
    hessian: Array

    def cost(self, codes: Integers) -> Array:
        return output_error(self.rows.errors(codes), factor(self.hessian))

    def alone(self, i: int) -> Lattice:
        one = slice(i, i + 1)
        grids = [Grid(g.scale[one], g.zero_point[one], g.bits) for g in self.rows.grids]
        return Lattice(self.rows.values[one], tuple(grids))


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Three rows of up to 8 weights on grids that clip a few, a scale for all or each, and a bias.

    The bias, on 4 bits of its own, is missing at times.
    """
    rng = np.random.default_rng(draw(seeds))
    columns, bits = draw(st.integers(1, 8)), draw(st.integers(2, 5))
    weight, bias = rng.normal(size=(3, columns)), rng.normal(size=3)
    clip, axis = draw(st.sampled_from([1.0, 0.7])), draw(st.sampled_from([None, 1]))
    lo, hi = (f(weight, axis=axis, keepdims=axis is not None) for f in (np.min, np.max))
    grid = affine.asymmetric(clip * lo, clip * hi, bits)
    hessian = second_moments(inputs(rng, columns, draw(st.sampled_from([1.0, 0.3, 0.1]))))
    if draw(st.booleans()):
        bias_grid = affine.asymmetric(bias.min(), bias.max(), 4)
        return Problem(lattice(weight, grid, bias, bias_grid), hessian)
    return Problem(lattice(weight, grid), hessian[:-1, :-1])


@pytest.mark.parametrize(
    ("groups", "count", "columns"), [(1, 1, 1), (1, 1, 40), (1, 3, 9), (2, 4, 20)]
)
def test_what_is_rounded_together_is_rounded_as_alone(
    groups: int, count: int, columns: int
) -> None:
    rng = np.random.default_rng(columns)
    weight = rng.normal(size=(count, columns))
    hessians = Hessians(
        [second_moments(inputs(rng, columns, 0.2))[:-1, :-1] for _ in range(groups)]
    )
    factors = np.array([0.3, 0.5, 0.7, 1.1, 1.3])
    each = [lattice(weight, affine.asymmetric(-f, 2 * f, 3)) for f in factors]
    wide = factors[:, None, None]
    several = lattice(weight, affine.asymmetric(-wide, 2 * wide, 3))
    for codes, round_one in (
        (nearest(several), nearest),
        (gptq(several, hessians), lambda rows: gptq(rows, hessians)),
    ):
        alone = [round_one(rows) for rows in each]
        assert np.array_equal(codes, alone)
        lost = [hessians.lost(rows.errors(one)) for rows, one in zip(each, alone, strict=True)]
        assert hessians.lost(several.errors(codes)).tobytes() == np.array(lost).tobytes()


GRIDS = {
    "per_tensor": (np.array(-1.0), np.array(2.0)),
    "per_channel": (np.array([[-1.0], [-2.0], [-0.5]]), np.array([[1.0], [2.0], [0.0]])),
    "per_parameter": (-np.arange(12.0).reshape(3, 4), np.arange(12.0)[::-1].reshape(3, 4)),
}


@pytest.mark.parametrize("granularity", GRIDS)
@pytest.mark.parametrize("bias_range", [(-3.0, 1.0), ([-1.0, -2.0, 0.0], [0.0, 1.0, 5.0]), None])
def test_nearest_is_what_the_tensors_are_quantized_to(
    granularity: str, bias_range: tuple[object, object] | None
) -> None:
    rng = np.random.default_rng(0)
    tensors = [(rng.normal(size=(3, 4)), affine.asymmetric(*GRIDS[granularity], 4))]
    if bias_range:
        tensors.append((rng.normal(size=3), affine.asymmetric(*bias_range, 9)))
    rows = lattice(*(each for tensor in tensors for each in tensor))
    codes = [affine.quantize(*tensor) for tensor in tensors]
    landed = [
        affine.dequantize(each, grid) - values
        for each, (values, grid) in zip(codes, tensors, strict=True)
    ]
    assert nearest(rows).tolist() == np.column_stack(codes).tolist()
    assert rows.errors(nearest(rows)).tolist() == np.column_stack(landed).tolist()


def as_published(rows: Lattice, hessian: Array) -> Integers:
    """GPTQ by the letter of arXiv 2210.17323, algorithm 1, on the Cholesky factor of H⁻¹."""
    order = np.argsort(np.diag(hessian), kind="stable")[::-1]
    damped = hessian + 0.01 * np.diag(np.diag(hessian))
    upper = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    weights = rows.values[:, order].copy()
    codes = np.empty(rows.values.shape, np.int64)
    for i, column in enumerate(order):
        grid = rows.grids[column]
        codes[:, column] = affine.quantize(weights[:, i], grid)
        landed = affine.dequantize(codes[:, column], grid)
        weights[:, i:] -= np.outer((weights[:, i] - landed) / upper[i, i], upper[i, i:])
    return codes


@fixed
@given(problem=problems(), power=st.integers(-40, 40))
def test_gptq_is_as_published_in_whatever_unit_the_inputs_are(problem: Problem, power: int) -> None:
    codes = gptq(problem.rows, Hessians([problem.hessian]))
    assert np.array_equal(codes, as_published(problem.rows, problem.hessian))
    assert np.array_equal(codes, gptq(problem.rows, Hessians([problem.hessian * 4.0**power])))


def test_gptq_makes_good_in_one_column_what_it_lost_in_another_and_may_be_worse_than_nearest() -> (
    None
):
    grid = Grid(np.ones(1, np.float32), np.zeros(1, np.uint8), 2)
    # 1.4 loses 0.4 to its code, of which the correlation gives 0.9/1.01 to the second column.
    better = Problem(
        Lattice(np.array([[1.4, 1.3]]), (grid,) * 2), np.array([[1.0, 0.9], [0.9, 0.99]])
    )
    assert nearest(better.rows).tolist() == [[1, 1]]
    assert gptq(better.rows, Hessians([better.hessian])).tolist() == [[1, 2]]
    worse = Problem(
        Lattice(np.array([[2.6, 1.1, 2.8]]), (grid,) * 3),
        np.array([[5.0, 2.0, 2.0], [2.0, 4.0, -1.0], [2.0, -1.0, 6.0]]),
    )
    by_gptq = gptq(worse.rows, Hessians([worse.hessian]))
    assert (nearest(worse.rows).tolist(), by_gptq.tolist()) == ([[3, 1, 3]], [[2, 1, 3]])
    assert worse.cost(nearest(worse.rows)) == pytest.approx([1.28], rel=1e-12)
    assert worse.cost(by_gptq) == pytest.approx([1.88], rel=1e-12)
    assert descend(worse.rows, by_gptq, worse.hessian).tolist() == [[3, 1, 3]]


@fixed
@given(problem=problems(), start=st.sampled_from(["gptq", "nearest", "anywhere"]), seed=seeds)
def test_descent_ends_where_no_change_of_a_single_code_is_better(
    problem: Problem, start: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    tops = [grid.top for grid in problem.rows.grids]
    codes = {
        "gptq": gptq(problem.rows, Hessians([problem.hessian])),
        "nearest": nearest(problem.rows),
        "anywhere": rng.integers(0, np.array(tops) + 1, problem.rows.values.shape),
    }[start]
    before = codes.copy()
    ended = descend(problem.rows, codes, problem.hessian)
    assert np.array_equal(codes, before)
    assert np.all((ended >= 0) & (ended <= tops))
    cost = problem.cost(ended)
    assert np.all(cost <= problem.cost(before) * (1 + ROUNDING))
    for k, top in enumerate(tops):
        for code in range(top + 1):
            changed = ended.copy()
            changed[:, k] = code
            assert np.all(problem.cost(changed) >= cost * (1 - ROUNDING))
    assert np.array_equal(descend(problem.rows, ended, problem.hessian), ended)
    _, certificates = exact(problem.rows, problem.hessian)
    assert np.all(cost >= [certificate.bound * (1 - 1e-6) for certificate in certificates])


ROUNDINGS: dict[str, Callable[[Lattice, Array], Integers]] = {
    "gptq": lambda rows, hessian: gptq(rows, Hessians([hessian])),
    "descend": lambda rows, hessian: descend(rows, nearest(rows), hessian),
    "exact": lambda rows, hessian: exact(rows, hessian)[0],
}


@pytest.mark.parametrize("how", ROUNDINGS)
@settings(fixed, max_examples=50)
@given(problem=problems(), seed=seeds)
def test_rows_are_rounded_as_if_they_were_alone_and_without_correlation_to_nearest(
    how: str, problem: Problem, seed: int
) -> None:
    rounded = ROUNDINGS[how]
    together = rounded(problem.rows, problem.hessian)
    for i, codes in enumerate(together):
        assert np.array_equal(rounded(problem.alone(i), problem.hessian)[0], codes)
    units = 10.0 ** np.random.default_rng(seed).uniform(-6, 6, len(problem.hessian))
    assert np.array_equal(rounded(problem.rows, np.diag(units)), nearest(problem.rows))


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_rows_are_shared_out_in_their_order(groups: int) -> None:
    weight = np.random.default_rng(0).normal(size=(6, 3))
    lo, hi = weight.min(axis=1, keepdims=True), weight.max(axis=1, keepdims=True)
    rows = lattice(weight, affine.asymmetric(lo, hi, 4))
    parts = rows.shared_out(groups)
    assert [len(part.values) for part in parts] == [6 // groups] * groups
    assert np.array_equal(np.concatenate([part.values for part in parts]), weight)
    assert np.array_equal(np.concatenate([nearest(part) for part in parts]), nearest(rows))


def test_on_long_rows_of_correlated_inputs_each_rounding_gains_over_the_one_before() -> None:
    lost = np.zeros(3)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        weight, hessian = rng.normal(size=(2, 60)), second_moments(inputs(rng, 60, 0.5))[:-1, :-1]
        rows = lattice(weight, affine.asymmetric(weight.min(), weight.max(), 3))
        start = gptq(rows, Hessians([hessian]))
        for i, codes in enumerate((nearest(rows), start, descend(rows, start, hessian))):
            lost[i] += np.sum(Problem(rows, hessian).cost(codes))
    assert lost[2] < lost[1] < lost[0] / 1.5


@pytest.mark.parametrize("decades", [6, 12, 25])
def test_scales_may_be_decades_apart(decades: int) -> None:
    """As they are per parameter, where each weight has a scale of its own size."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(2, 30))
    weight[:, ::3] *= 10.0**-decades
    rows = lattice(weight, affine.asymmetric(weight, weight, 8))
    problem = Problem(rows, second_moments(inputs(rng, 30, 0.5))[:-1, :-1])
    start = gptq(rows, Hessians([problem.hessian]))
    ended = descend(rows, start, problem.hessian)
    assert np.all(problem.cost(ended) <= problem.cost(start) * (1 + ROUNDING))
