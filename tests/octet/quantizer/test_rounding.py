"""Rounding to nearest, and GPTQ against its own paper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Array, Grid, Integers
from octet.quantizer.hessian import factor, output_error, second_moments
from octet.quantizer.rounding import Lattice, gptq, lattice, nearest

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def unit_lattice(values: list[list[float]], bits: int) -> Lattice:
    """Values in units of codes, zero at code 0."""
    rows = len(values)
    grid = Grid(np.ones(rows, np.float32), np.zeros(rows, affine.code_dtype(bits)), bits)
    return Lattice(np.array(values), (grid,) * len(values[0]))


def inputs(rng: np.random.Generator, columns: int, own: float) -> Array:
    """Inputs that have all but ``own`` in common, each in a unit of its own."""
    x = rng.normal(size=(200, 1)) + own * rng.normal(size=(200, columns))
    return (x + rng.normal(size=columns)) * rng.uniform(0.5, 2, columns)


def random_lattice(rng: np.random.Generator, rows: int, columns: int, bits: int) -> Lattice:
    """Weights on one grid that clips a few of them, and a bias on 5 bits of its own."""
    weight, bias = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    clip = rng.uniform(0.6, 1)
    grid = affine.asymmetric(clip * weight.min(), clip * weight.max(), bits)
    return lattice(weight, grid, bias, affine.asymmetric(bias.min(), bias.max(), 5))


GRIDS = {
    "per_tensor": (np.array(-1.0), np.array(2.0)),
    "per_channel": (np.array([[-1.0], [-2.0], [-0.5]]), np.array([[1.0], [2.0], [0.0]])),
    "per_parameter": (-np.arange(12.0).reshape(3, 4), np.arange(12.0)[::-1].reshape(3, 4)),
}


@pytest.mark.parametrize("granularity", GRIDS)
@pytest.mark.parametrize("bias_range", [(-3.0, 1.0), ([-1.0, -2.0, 0.0], [0.0, 1.0, 5.0])])
def test_nearest_is_what_the_tensors_are_quantized_to(
    granularity: str, bias_range: tuple[object, object]
) -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 4)), rng.normal(size=3)
    weight_grid = affine.asymmetric(*GRIDS[granularity], 4)
    bias_grid = affine.asymmetric(*bias_range, 9)
    rows = lattice(weight, weight_grid, bias, bias_grid)
    codes = nearest(rows)
    assert codes.dtype == np.int64
    weight_codes, bias_codes = (
        affine.quantize(weight, weight_grid),
        affine.quantize(bias, bias_grid),
    )
    assert codes.tolist() == np.column_stack([weight_codes, bias_codes]).tolist()
    landed = np.column_stack(
        [
            affine.dequantize(weight_codes, weight_grid),
            affine.dequantize(bias_codes, bias_grid),
        ]
    )
    assert rows.errors(codes).tolist() == (landed - np.column_stack([weight, bias])).tolist()


@pytest.mark.parametrize("granularity", GRIDS)
def test_weights_without_their_bias_are_columns_of_their_own(granularity: str) -> None:
    weight = np.random.default_rng(1).normal(size=(3, 4))
    grid = affine.asymmetric(*GRIDS[granularity], 4)
    rows = lattice(weight, grid)
    assert len(rows.grids) == 4
    assert nearest(rows).tolist() == affine.quantize(weight, grid).tolist()
    landed = affine.dequantize(affine.quantize(weight, grid), grid)
    assert rows.errors(nearest(rows)).tolist() == (landed - weight).tolist()


@fixed
@given(seed=seeds, bits=st.integers(2, 8))
def test_no_code_is_closer_than_the_nearest(seed: int, bits: int) -> None:
    rows = random_lattice(np.random.default_rng(seed), 3, 4, bits)
    closest = np.abs(rows.errors(nearest(rows)))
    for code in range(32):
        codes = np.minimum(code, [grid.top for grid in rows.grids])
        assert np.all(closest <= np.abs(rows.errors(np.tile(codes, (3, 1)))))


@fixed
@given(seed=seeds, bits=st.integers(2, 16))
def test_without_correlation_gptq_is_nearest(seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    rows = random_lattice(rng, 3, 5, bits)
    assert np.array_equal(gptq(rows, np.diag(10.0 ** rng.uniform(-6, 6, 6))), nearest(rows))


def as_published(rows: Lattice, hessian: Array) -> Integers:
    """GPTQ by the letter of arXiv 2210.17323, algorithm 1, on the Cholesky factor of H⁻¹."""
    order = np.argsort(np.diag(hessian), kind="stable")[::-1]
    damped = hessian + 0.01 * np.diag(np.diag(hessian))
    inverse = np.linalg.inv(damped[np.ix_(order, order)])
    upper = np.linalg.cholesky(inverse).T
    weights = rows.values[:, order].copy()
    codes = np.empty(rows.values.shape, np.int64)
    for i, column in enumerate(order):
        grid = rows.grids[column]
        codes[:, column] = affine.quantize(weights[:, i], grid)
        landed = affine.dequantize(codes[:, column], grid)
        weights[:, i:] -= np.outer((weights[:, i] - landed) / upper[i, i], upper[i, i:])
    return codes


@fixed
@given(
    seed=seeds,
    columns=st.integers(1, 8),
    bits=st.integers(2, 8),
    own=st.sampled_from([1.0, 0.3, 0.1]),
)
def test_gptq_is_as_published(seed: int, columns: int, bits: int, own: float) -> None:
    rng = np.random.default_rng(seed)
    rows = random_lattice(rng, 3, columns, bits)
    hessian = second_moments(inputs(rng, columns, own))
    codes = gptq(rows, hessian)
    assert codes.dtype == np.int64
    assert np.array_equal(codes, as_published(rows, hessian))


@fixed
@given(seed=seeds, power=st.integers(-40, 40))
def test_the_unit_of_all_inputs_does_not_change_the_codes(seed: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    rows = random_lattice(rng, 2, 5, 4)
    hessian = second_moments(inputs(rng, 5, 0.3))
    assert np.array_equal(gptq(rows, hessian * 4.0**power), gptq(rows, hessian))


@fixed
@given(seed=seeds)
def test_each_row_is_rounded_as_if_it_were_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=(4, 3)), rng.normal(size=4)
    ends = weight.min(axis=1, keepdims=True), weight.max(axis=1, keepdims=True)
    grid, bias_grid = affine.asymmetric(*ends, 3), affine.asymmetric(-2, 2, 4)
    hessian = second_moments(inputs(rng, 3, 0.2))
    together = gptq(lattice(weight, grid, bias, bias_grid), hessian)
    for i in range(4):
        own = Grid(grid.scale[i : i + 1], grid.zero_point[i : i + 1], 3)
        alone = lattice(weight[i : i + 1], own, bias[i : i + 1], bias_grid)
        assert np.array_equal(gptq(alone, hessian)[0], together[i])


def test_gptq_may_be_worse_than_nearest() -> None:
    hessian = np.array([[5.0, 2.0, 2.0], [2.0, 4.0, -1.0], [2.0, -1.0, 6.0]])
    rows = unit_lattice([[2.6, 1.1, 2.8]], bits=2)
    errors = [rows.errors(codes) for codes in (nearest(rows), gptq(rows, hessian))]
    costs = [float(output_error(error, factor(hessian))[0]) for error in errors]
    assert nearest(rows).tolist() == [[3, 1, 3]]
    assert gptq(rows, hessian).tolist() == [[2, 1, 3]]
    assert costs == pytest.approx([1.28, 1.88], rel=1e-12)


def test_gptq_makes_good_in_one_column_what_it_lost_in_another() -> None:
    # 1.4 loses 0.4 to its code, of which the correlation gives 0.9/1.01 to the second column.
    rows = unit_lattice([[1.4, 1.3]], bits=2)
    hessian = np.array([[1.0, 0.9], [0.9, 0.99]])
    assert nearest(rows).tolist() == [[1, 1]]
    assert gptq(rows, hessian).tolist() == [[1, 2]]


def test_on_correlated_inputs_gptq_loses_less_than_nearest_on_the_whole() -> None:
    lost = np.zeros(2)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        hessian = second_moments(inputs(rng, 8, 0.3))
        rows = random_lattice(rng, 1, 8, 8)
        for i, codes in enumerate((nearest(rows), gptq(rows, hessian))):
            lost[i] += output_error(rows.errors(codes), factor(hessian))[0]
    assert lost[1] < lost[0] / 1.5
