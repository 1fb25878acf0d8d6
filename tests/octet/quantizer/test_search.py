"""Which rounding a row gets, and the range that is found for it."""

from collections.abc import Callable

import numpy as np
import pytest

from octet import affine
from octet.affine import Array
from octet.quantizer import Config
from octet.quantizer.hessian import factor, output_error, second_moments
from octet.quantizer.proof.exact import exact
from octet.quantizer.rounding import Lattice, descend, gptq, lattice, nearest
from octet.quantizer.search import best_shrink, round_rows
from tests.octet.quantizer.cases import config, random_inputs

PROVABLE = 26  # columns, of which the bias may be one
COARSE = [0.05 * i for i in range(2, 25)]


def problem(columns: int, seed: int = 0, rows: int = 2) -> tuple[Lattice, Array]:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(rows, columns))
    grid = affine.symmetric(weight.min(axis=1)[:, None], weight.max(axis=1)[:, None], 4)
    return lattice(weight, grid), second_moments(random_inputs(rng, columns))[:-1, :-1]


@pytest.mark.parametrize("columns", [1, 8, PROVABLE, PROVABLE + 1, 40])
def test_nearest_and_gptq_are_themselves_and_prove_nothing(columns: int) -> None:
    rows, hessian = problem(columns)
    codes, certificates = round_rows(rows, [hessian], "nearest")
    assert np.array_equal(codes, nearest(rows))
    assert certificates == ()
    codes, certificates = round_rows(rows, [hessian], "gptq")
    assert np.array_equal(codes, gptq(rows, hessian))
    assert certificates == ()


@pytest.mark.parametrize("columns", [1, 8, 12])
def test_short_rows_are_exact_and_proven(columns: int) -> None:
    rows, hessian = problem(columns)
    codes, certificates = round_rows(rows, [hessian], "exact")
    expected, known = exact(rows, hessian)
    assert np.array_equal(codes, expected)
    assert certificates == known
    assert all(certificate.proven for certificate in certificates)


def test_the_longest_provable_row_has_a_certificate_and_the_next_has_none() -> None:
    rows, hessian = problem(PROVABLE, rows=1)
    codes, certificates = round_rows(rows, [hessian], "exact")
    assert len(certificates) == 1
    assert certificates[0].bound <= certificates[0].error
    rows, hessian = problem(PROVABLE + 1, rows=40)
    codes, certificates = round_rows(rows, [hessian], "exact")
    assert certificates == ()
    assert np.array_equal(codes, descend(rows, gptq(rows, hessian), hessian))
    assert not np.array_equal(codes, gptq(rows, hessian))


@pytest.mark.parametrize("columns", [4, PROVABLE + 1, 60])
def test_exact_is_never_worse_than_gptq(columns: int) -> None:
    for seed in range(5):
        rows, hessian = problem(columns, seed)
        r = factor(hessian)
        lost = [
            output_error(rows.errors(round_rows(rows, [hessian], how)[0]), r)
            for how in ("exact", "gptq")
        ]
        assert np.all(lost[0] <= lost[1] * (1 + 1e-9))


def placed(weight: Array, how: Config) -> Callable[[Array | None], Lattice]:
    """The lattice of weights for factors on the ends of their range: each row's, or all rows'."""
    make = affine.symmetric if how.scheme == "symmetric" else affine.asymmetric
    axis = 1 if how.granularity == "per_channel" else None
    lo, hi = weight.min(axis=axis, keepdims=True), weight.max(axis=axis, keepdims=True)

    def place(shrink: Array | None) -> Lattice:
        factors = np.ones((len(weight), 2)) if shrink is None else shrink
        if axis is None:
            factors = factors[:1]
        return lattice(weight, make(lo * factors[:, :1], hi * factors[:, 1:], how.bits))

    return place


def lost(rows: Lattice, hessian: Array, how: Config) -> Array:
    return output_error(rows.errors(round_rows(rows, [hessian], how.rounding)[0]), factor(hessian))


CASES = [
    ("per_tensor", "asymmetric"),
    ("per_tensor", "symmetric"),
    ("per_channel", "symmetric"),
]


@pytest.mark.parametrize("rounding", ["nearest", "gptq"])
@pytest.mark.parametrize(("granularity", "scheme"), CASES)
def test_no_factors_of_the_coarse_grid_or_around_its_best_are_better_than_those_found(
    granularity: str, scheme: str, rounding: str
) -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_t(3, size=(3, 6))
    hessian = second_moments(random_inputs(rng, 6))[:-1, :-1]
    how = config(granularity=granularity, scheme=scheme, rounding=rounding, range="mse", bits=3)
    place = placed(weight, how)
    shrink = best_shrink(place, [hessian], how)
    assert shrink.shape == (3, 2)

    def errors(low: float, high: float) -> Array:
        """Of each row, or of all rows that share a scale."""
        each = lost(place(np.tile([low, high], (3, 1))), hessian, how)
        return each if granularity == "per_channel" else np.sum(each, keepdims=True)

    def both(ends: list[float]) -> list[tuple[float, float]]:
        return [(low, high) for low in ends for high in ([low] if scheme == "symmetric" else ends)]

    each = lost(place(shrink), hessian, how)
    found = each if granularity == "per_channel" else np.sum(each, keepdims=True)
    coarse = both(COARSE)
    every = np.stack([errors(*pair) for pair in coarse])
    for i, k in enumerate(np.argmin(every, axis=0)):
        low, high = coarse[k]
        near = [errors(low + a, high + b)[i] for a, b in both([0.01 * j for j in range(-5, 6)])]
        assert found[i] <= min(near) * (1 + 1e-9) <= np.min(every[:, i]) * (1 + 2e-9)


@pytest.mark.parametrize(("granularity", "scheme"), CASES)
def test_rows_that_share_a_scale_share_its_factors(granularity: str, scheme: str) -> None:
    rng = np.random.default_rng(2)
    weight = rng.standard_t(3, size=(4, 5))
    hessian = second_moments(random_inputs(rng, 5))[:-1, :-1]
    how = config(granularity=granularity, scheme=scheme, rounding="gptq", range="mse", bits=3)
    shrink = best_shrink(placed(weight, how), [hessian], how)
    shared = granularity == "per_tensor"
    assert (len(np.unique(shrink, axis=0)) == 1) == shared
    assert scheme == "asymmetric" or np.array_equal(shrink[:, 0], shrink[:, 1])


@pytest.mark.parametrize("columns", [6, 30])
def test_exact_is_never_worse_with_the_range_that_is_found_than_with_the_range_as_it_is(
    columns: int,
) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        weight = rng.normal(size=(2, columns))
        hessian = second_moments(random_inputs(rng, columns, own=0.2))[:-1, :-1]
        how = config(granularity="per_channel", rounding="exact", range="mse", bits=3)
        place = placed(weight, how)
        found = lost(place(best_shrink(place, [hessian], how)), hessian, how)
        assert np.all(found <= lost(place(None), hessian, how))
