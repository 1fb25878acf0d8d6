"""The exact rounding against all codes there are, and its certificates against the truth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Array, Integers
from octet.quantizer.hessian import Hessians, Moments, factor, output_error, second_moments
from octet.quantizer.proof.exact import exact
from octet.quantizer.rounding import Lattice, gptq, lattice, nearest
from octet.quantizer.search import _best_of_exact
from tests.octet.quantizer.cases import config

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

TIE = 1e-6  # codes whose errors agree to this share are equally good: see `Certificate`


@dataclass
class Problem:
    """Weights, grids and H; the cost of codes, and what of it may be rounding error."""

    rows: Lattice
    hessian: Array

    def cost(self, codes: Integers, row: int = 0) -> tuple[Array, Array]:
        """eᵀHe for each of many codes of one row ``(codes, columns)``.

        A sum of n² products makes at most n² + 4 roundings of 2⁻⁵³; the same again for whoever
        computed the other side of a comparison.
        """
        top = [
            affine.Grid(grid.scale[row], grid.zero_point[row], grid.bits)
            for grid in self.rows.grids
        ]
        landed = [affine.dequantize(codes[:, j], grid) for j, grid in enumerate(top)]
        errors = np.column_stack(landed) - self.rows.values[row]
        sizes = np.abs(errors)
        roundings = 2 * (errors.shape[1] ** 2 + 4)
        return (
            np.sum(errors @ self.hessian * errors, axis=1),
            roundings * 2.0**-53 * np.sum(sizes @ np.abs(self.hessian) * sizes, axis=1),
        )

    def best(self, row: int = 0) -> tuple[float, float]:
        """The least cost of all codes in the box, and what of it may be rounding error."""
        box = [np.arange(grid.top + 1) for grid in self.rows.grids]
        every = np.stack([axis.reshape(-1) for axis in np.meshgrid(*box)], axis=1)
        costs, rounding = self.cost(every, row)
        return float(np.min(costs)), float(rounding[np.argmin(costs)])


def problem(
    rng: np.random.Generator,
    columns: int,
    bits: int,
    *,
    rows: int = 1,
    own: float = 1.0,
    decades: float = 0.0,
    clip: float = 1.0,
    bias_bits: int | None = None,
) -> Problem:
    """A random layer on random inputs.

    Args:
        rng: makes every choice that the others leave open.
        columns: weights in a row; the bias is one more.
        bits: of a weight, and of the bias if it has none of its own.
        rows: of the layer.
        own: what of an input it does not share with the others; 0 makes them multiples.
        decades: by how many powers of ten their units differ.
        clip: factor on the range.
        bias_bits: of the bias.
    """
    x = rng.normal(size=(100, 1)) + own * rng.normal(size=(100, columns))
    x = (x + rng.normal(size=columns)) * 10.0 ** rng.uniform(-decades / 2, decades / 2, columns)
    weight, bias = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    return Problem(
        lattice(
            weight,
            affine.asymmetric(clip * weight.min(), clip * weight.max(), bits),
            bias,
            affine.asymmetric(clip * bias.min(), clip * bias.max(), bias_bits or bits),
        ),
        second_moments(x),
    )


@st.composite
def small_problems(draw: st.DrawFn, decades: float, owns: tuple[float, ...]) -> Problem:
    """2 to 4 weights and a bias of 2 or 3 bits: at most 32,768 codes a row."""
    return problem(
        np.random.default_rng(draw(seeds)),
        columns=draw(st.integers(2, 4)),
        bits=draw(st.integers(2, 3)),
        rows=draw(st.integers(1, 2)),
        own=draw(st.sampled_from(owns)),
        decades=decades,
        clip=draw(st.sampled_from([1.0, 0.8, 0.5, 0.2])),
        bias_bits=draw(st.integers(2, 3)),
    )


def assert_best(case: Problem, *, proven: bool) -> None:
    """No codes are better than those that were found, and no certificate says too much."""
    codes, certificates = exact(case.rows, case.hessian)
    for i, certificate in enumerate(certificates):
        best, rounding = case.best(i)
        (cost,), (of_it,) = case.cost(codes[i : i + 1], i)
        assert cost <= best * (1 + TIE) + rounding + of_it
        assert abs(certificate.error - cost) <= of_it
        assert certificate.bound <= best * (1 + TIE) + rounding + of_it
        assert certificate.proven or not proven
        if certificate.proven:
            assert certificate.bound == certificate.error


@pytest.mark.parametrize(
    ("decades", "owns", "proven", "examples"),
    [
        (0, (1.0, 0.3, 0.1, 0.01), True, 200),
        (2, (1.0, 0.3, 0.1), True, 60),
        (6, (1.0, 0.3, 0.1), True, 60),
        (12, (1.0, 0.3, 0.1), True, 60),
        (0, (1e-4, 1e-6, 0.0), False, 50),  # inputs that are nearly multiples
    ],
)
def test_no_codes_are_better_than_exact(
    decades: float, owns: tuple[float, ...], proven: bool, examples: int
) -> None:
    @settings(fixed, max_examples=examples)
    @given(small_problems(decades=decades, owns=owns))
    def holds(case: Problem) -> None:
        assert_best(case, proven=proven)

    holds()


@pytest.mark.parametrize(
    ("columns", "proven"),
    [
        ([[0.0, 0.0, 0.0, 0.0]], True),
        ([[3.0, 3.0, 3.0, 3.0], [3.0, 3.0, 3.0, 3.0]], False),
        ([[1.0, 2.0, 4.0, -1.0]] * 3, False),
        ([[1.0, 2.0, 4.0, -1.0], [0.0] * 4, [2.0, 4.0, 8.0, -2.0], [5.0] * 4], False),
        ([[1.0, 2.0, 4.0, -1.0], [3.0, 1.0, 0.0, 2.0], [4.0, 3.0, 4.0, 1.0]], False),
    ],
    ids=["dead", "constant", "duplicated", "all of these", "a sum of others"],
)
@pytest.mark.parametrize("clip", [1.0, 0.5])
def test_no_codes_are_better_than_exact_where_inputs_carry_no_news(
    columns: list[list[float]], proven: bool, clip: float
) -> None:
    for seed in range(5):
        case = problem(np.random.default_rng(seed), len(columns), bits=3, rows=2, clip=clip)
        assert_best(Problem(case.rows, second_moments(np.array(columns).T)), proven=proven)


def test_what_rounding_error_could_overturn_is_not_called_proven() -> None:
    for seed in range(5):
        case = problem(np.random.default_rng(seed), 3, bits=3)
        _, (sound,) = exact(case.rows, case.hessian)
        duplicated = second_moments(np.array([[1.0, 2.0, 4.0, -1.0]] * 3).T)
        _, (unsound,) = exact(case.rows, duplicated)
        assert sound.proven
        assert not unsound.proven
        assert 0.9 * unsound.error < unsound.bound < unsound.error


@pytest.mark.parametrize("column", [0, 2, 3])
@pytest.mark.parametrize("decades", [8, 16, 30, 60])
def test_a_code_that_a_step_of_another_outweighs_by_decades_is_in_no_proofs_way(
    column: int, decades: int
) -> None:
    for seed in range(20):
        case = problem(np.random.default_rng(seed), 3, bits=2, clip=0.8)
        factors = np.full(4, 10.0 ** (decades / 2))
        factors[column] = 10.0 ** (-decades / 2)
        grids = tuple(
            affine.Grid((grid.scale * factor).astype(np.float32), grid.zero_point, grid.bits)
            for grid, factor in zip(case.rows.grids, factors, strict=True)
        )
        assert_best(Problem(Lattice(case.rows.values * factors, grids), case.hessian), proven=True)


@fixed
@given(
    seed=seeds,
    bits=st.integers(2, 16),
    own=st.sampled_from([1.0, 0.3, 0.1, 1e-2, 0.0]),
    clip=st.sampled_from([1.0, 0.5]),
    budget=st.sampled_from([0, 1, 100, 2000]),
)
def test_exact_is_never_worse_than_gptq_or_nearest(
    seed: int, bits: int, own: float, clip: float, budget: int
) -> None:
    rng = np.random.default_rng(seed)
    decades = rng.choice([0, 1, 4])
    case = problem(rng, 8, bits, rows=2, own=own, decades=decades, clip=clip, bias_bits=8)
    codes, certificates = exact(case.rows, case.hessian, budget)
    for i, certificate in enumerate(certificates):
        others = np.stack(
            [nearest(case.rows)[i], gptq(case.rows, Hessians([case.hessian]))[i], codes[i]]
        )
        costs, rounding = case.cost(others, i)
        assert costs[2] <= np.min(costs[:2]) + np.max(rounding)
        assert certificate.bound <= certificate.error
        assert certificate.nodes <= budget
        assert np.all((codes[i] >= 0) & (codes[i] <= [grid.top for grid in case.rows.grids]))


@fixed
@given(seeds, st.integers(2, 6), st.sampled_from([0.8, 1 - 1e-9, 1.0, 1 + 1e-9, 1.2, 3.0]))
def test_what_is_better_than_wanted_is_found_as_if_nothing_were(
    seed: int, bits: int, factor: float
) -> None:
    case = problem(np.random.default_rng(seed), 6, bits, rows=3, own=0.3)
    codes, certificates = exact(case.rows, case.hessian)
    least = np.array([certificate.error for certificate in certificates])
    some, rest = exact(case.rows, case.hessian, wanted=factor * least)
    if factor >= 1:
        assert np.array_equal(some, codes)
    assert all(a.error >= b.error for a, b in zip(rest, certificates, strict=True))
    assert sum(a.nodes for a in rest) <= sum(b.nodes for b in certificates)


@pytest.mark.parametrize("seed", range(5))
def test_ranges_are_chosen_as_if_all_that_is_asked_of_each_were_its_best(seed: int) -> None:
    case = problem(np.random.default_rng(seed), 6, 4, rows=3, own=0.3)
    hessians = Hessians([case.hessian])

    def place(shrink: Array | None) -> Lattice:
        factors = np.ones(3) if shrink is None else shrink[:, 0]
        grids = [
            affine.Grid((grid.scale * factors).astype(np.float32), grid.zero_point, grid.bits)
            for grid in case.rows.grids
        ]
        return Lattice(case.rows.values, tuple(grids))

    shrinks = np.broadcast_to(np.array([0.9, 1.0, 0.8, 0.6, 0.95])[:, None, None], (5, 3, 2))
    how = config(rounding="exact", granularity="per_channel")
    chosen, rounded = _best_of_exact(shrinks, place, hessians, how)
    codes = [exact(place(shrink), case.hessian)[0] for shrink in shrinks]
    errors = [hessians.lost(place(s).errors(each)) for s, each in zip(shrinks, codes, strict=True)]
    best = np.argmin(errors, axis=0)
    assert np.array_equal(chosen, shrinks[best, np.arange(3)])
    assert rounded is not None
    assert np.array_equal(rounded.codes, np.stack(codes)[best, np.arange(3)])


def autoregressive(rng: np.random.Generator) -> Array:
    x = rng.normal(size=(500, 8))
    for j in range(1, 8):
        x[:, j] = 0.99 * x[:, j - 1] + np.sqrt(1 - 0.99**2) * x[:, j]
    return x


INPUTS: dict[str, Callable[[np.random.Generator], Array]] = {
    "independent": lambda rng: rng.normal(size=(500, 8)),
    "equicorrelated": lambda rng: rng.normal(size=(500, 1)) + 0.1 * rng.normal(size=(500, 8)),
    "autoregressive": autoregressive,
    "two factors": lambda rng: (
        rng.normal(size=(500, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(500, 8))
    ),
}


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("bits", range(2, 17))
def test_eight_weights_and_a_bias_are_proven_at_every_width(inputs: str, bits: int) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        hessian = second_moments(INPUTS[inputs](rng))
        rows = problem(rng, 8, bits, bias_bits=8).rows
        _, (certificate,) = exact(rows, hessian)
        assert certificate.proven
        assert certificate.nodes < 20_000


def few_rows(rng: np.random.Generator, columns: int, rows: int, dead: int) -> Problem:
    """Weights of 8 bits behind ReLU, of which few rows were seen; the last inputs never vary."""
    steps = np.maximum(rng.integers(-120, 255, (columns, rows)), 0).astype(float)
    steps[columns - dead :] = rng.integers(0, 2) * 7
    seen = Moments(columns, 1)
    seen.add(steps, np.zeros((1, rows)))
    weight = rng.normal(size=(1, columns))
    grid = affine.symmetric(weight.min(), weight.max(), 8)
    return Problem(lattice(weight, grid), seen.covariance(0.01))


@pytest.mark.parametrize("dead", [1, 4, 11])
def test_inputs_that_never_vary_are_no_part_of_the_search(dead: int) -> None:
    for seed in range(3):
        case = few_rows(np.random.default_rng(seed), 12, 200, dead)
        alive = slice(12 - dead)
        without = Lattice(case.rows.values[:, alive], case.rows.grids[alive])
        codes, (certificate,) = exact(case.rows, case.hessian)
        expected, (known,) = exact(without, case.hessian[alive, alive])
        assert codes[:, alive].tolist() == expected.tolist()
        assert codes[:, 12 - dead :].tolist() == nearest(case.rows)[:, 12 - dead :].tolist()
        assert certificate.proven
        assert certificate.nodes == known.nodes < 5000


@pytest.mark.parametrize("columns", [10, 26])
@pytest.mark.parametrize("rows", [2, 5, 8])
def test_where_nothing_can_be_proven_little_is_searched_and_nothing_claimed(
    columns: int, rows: int
) -> None:
    for seed in range(3):
        case = few_rows(np.random.default_rng(seed), columns, rows, 0)
        codes, (certificate,) = exact(case.rows, case.hessian)
        assert certificate.nodes <= 1000
        assert not certificate.proven
        assert certificate.bound < certificate.error
        # In directions that H hardly sees the codes have made good what gptq left.
        costs, _ = case.cost(np.stack([codes[0], gptq(case.rows, Hessians([case.hessian]))[0]]))
        assert costs[0] < costs[1] / 2


@pytest.mark.parametrize(("own", "clip"), [(0.05, 1.0), (0.05, 0.8), (1.0, 1.0)])
@pytest.mark.parametrize("seed", range(5))
def test_without_nodes_left_the_bound_is_below_the_optimum(
    seed: int, own: float, clip: float
) -> None:
    case = problem(np.random.default_rng(seed), 4, bits=3, own=own, clip=clip)
    best, rounding = case.best()
    _, (whole,) = exact(case.rows, case.hessian)
    for budget in range(whole.nodes):
        codes, (certificate,) = exact(case.rows, case.hessian, budget)
        (cost,), (of_it,) = case.cost(codes)
        assert certificate.nodes <= budget
        assert certificate.bound <= best + rounding
        assert best <= certificate.error + rounding + of_it
        assert abs(certificate.error - cost) <= of_it
        assert certificate.proven == (certificate.bound == certificate.error)
        assert not (certificate.proven and budget < 2)


def test_a_clipped_range_is_bounded_from_below_before_any_search() -> None:
    case = problem(np.random.default_rng(0), 4, bits=3, clip=0.5)
    _, (certificate,) = exact(case.rows, case.hessian, budget=0)
    best, _ = case.best()
    assert 0.5 * best < certificate.bound < best


@fixed
@given(seed=seeds, bits=st.integers(2, 16))
def test_values_on_the_grid_keep_their_codes(seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    case = problem(rng, 4, bits, own=0.3)
    codes = np.array([[rng.integers(0, grid.top + 1) for grid in case.rows.grids]])
    landed = [affine.dequantize(codes[:, j], grid) for j, grid in enumerate(case.rows.grids)]
    found, (certificate,) = exact(Lattice(np.column_stack(landed), case.rows.grids), case.hessian)
    assert found.tolist() == codes.tolist()
    assert certificate.proven
    assert certificate.error == certificate.bound == 0


@fixed
@given(seed=seeds, power=st.integers(-40, 40))
def test_the_unit_of_all_inputs_does_not_change_the_codes(seed: int, power: int) -> None:
    case = problem(np.random.default_rng(seed), 4, bits=4, own=0.2)
    codes, (certificate,) = exact(case.rows, case.hessian)
    again, (scaled,) = exact(case.rows, case.hessian * 4.0**power)
    assert np.array_equal(again, codes)
    assert scaled.error == certificate.error * 4.0**power


def test_exact_halves_the_error_of_nearest_on_random_problems() -> None:
    lost = np.zeros(2)
    for seed in range(100):
        case = problem(np.random.default_rng(seed), 8, bits=8)
        codes, (certificate,) = exact(case.rows, case.hessian)
        assert certificate.proven
        errors = [case.rows.errors(found) for found in (nearest(case.rows), codes)]
        lost += [output_error(error, factor(case.hessian))[0] for error in errors]
    assert lost[0] > 1.9 * lost[1]
