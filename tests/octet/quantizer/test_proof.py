"""What exact rounding stands on: the minimum inside a box, and a reduced basis of the integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Array
from octet.quantizer.hessian import factor, second_moments
from octet.quantizer.proof.reduction import Basis, reduce_basis
from octet.quantizer.proof.relaxation import relax

fixed = settings(deadline=None, derandomize=True)

FLAT = 1e-10  # of the terms of a gradient, by the promise of `relax`
DELTA = 0.99  # of Lenstra, Lenstra and Lovász
ROUNDING = 1e-9  # of R, against conditions that hold with equality at the border


@st.composite
def hessians(draw: st.DrawFn) -> tuple[np.random.Generator, Array]:
    """H of inputs between independent and all but equal, in units up to six decades apart."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = draw(st.integers(1, 9))
    own = draw(st.sampled_from([1.0, 0.3, 0.1, 1e-2, 1e-4, 0.0]))
    x = rng.normal(size=(60, 1)) + own * rng.normal(size=(60, columns))
    return rng, second_moments(x * 10.0 ** rng.uniform(-3, 3, columns))


@settings(fixed, max_examples=300)
@given(
    case=hessians(),
    spread=st.sampled_from([0.0, 0.1, 1.0, 3.0]),
    whole=st.booleans(),
)
def test_relaxed_the_gradient_vanishes_inside_the_box_and_points_out_on_its_boundary(
    case: tuple[np.random.Generator, Array], spread: float, whole: bool
) -> None:
    rng, hessian = case
    top = 2.0 ** rng.integers(2, 17, len(hessian)) - 1
    target = top * (0.5 + (0.5 + spread) * rng.uniform(-1, 1, len(hessian)))
    target = np.rint(target) if whole else target
    x = relax(target, top, hessian)
    assert np.all((x >= 0) & (x <= top))
    # Half the gradient, and what of it may be rounding error: of its terms, and of x.
    off, sizes = x - target, np.sqrt(np.diag(hessian))
    last_bits = 2.0**-53 * (np.abs(x) + np.abs(target))
    gradient, rounding = hessian @ off, sizes * (sizes @ (FLAT * np.abs(off) + last_bits))
    assert np.all(gradient[x > 0] <= rounding[x > 0])
    assert np.all(gradient[x < top] >= -rounding[x < top])


@pytest.mark.parametrize(
    ("target", "top", "hessian", "expected"),
    [
        # Inside the box, and without correlation, each stays where it is or goes to its end.
        ([0.0, 1.5, 3.0], [3.0] * 3, [[2, 1, 0], [1, 2, 1], [0, 1, 2]], [0.0, 1.5, 3.0]),
        ([-5.0, 9.0, 1.25], [3.0, 7.0, 3.0], [[1, 0, 0], [0, 2, 0], [0, 0, 3]], [0, 7, 1.25]),
        # (x₀ - 5)² + (x₁ - 1)² + (x₀ - 5)(x₁ - 1) with x₀ ≤ 3 is least at x₁ = 1 + 0.5 · 2.
        ([5.0, 1.0], [3.0, 3.0], [[1, 0.5], [0.5, 1]], [3.0, 2.0]),
        # Clipping puts x₁ on 0; the correlation with x₀, which cannot reach 9, pulls it in again.
        ([9.0, -0.5], [3.0, 9.0], [[1, 0.5], [0.5, 1]], [3.0, 2.5]),
    ],
    ids=["inside", "no correlation", "makes good", "comes back"],
)
def test_relaxed_by_hand(
    target: list[float], top: list[float], hessian: list[list[float]], expected: list[float]
) -> None:
    x = relax(np.array(target), np.array(top), np.array(hessian, np.float64))
    assert x == pytest.approx(expected, abs=1e-15)


def exactly(basis: Basis, hessian: Array) -> list[list[Fraction]]:
    """UᵀHU without any rounding."""
    h = [[Fraction(value) for value in row] for row in hessian.tolist()]
    u = basis.vectors.T.tolist()
    hu = [[sum(a * b for a, b in zip(row, v, strict=True)) for row in h] for v in u]
    return [[sum(a * b for a, b in zip(v, w, strict=True)) for w in hu] for v in u]


@fixed
@given(hessians())
def test_a_reduced_basis_is_one_of_the_integers_with_its_own_factor_and_short(
    case: tuple[np.random.Generator, Array],
) -> None:
    _, hessian = case
    before = hessian.copy()
    basis = reduce_basis(hessian)
    assert np.array_equal(hessian, before)
    product = basis.vectors.astype(object) @ basis.inverse.astype(object)  # cannot overflow
    assert product.tolist() == np.eye(len(hessian), dtype=int).tolist()
    r, u = basis.factor, np.abs(basis.vectors)
    diagonal = np.diag(r)
    assert np.array_equal(r, np.triu(r))
    assert np.all(diagonal > 0)
    # R is computed from the factor of H by the same column operations as U from 1: what rounding
    # can move is a share of the sums that they would be without cancellation.
    sizes = u.T @ np.sqrt(np.diag(hessian))
    form = np.array(exactly(basis, hessian), np.float64)
    assert np.all(np.abs(r.T @ r - form) <= 1e-13 * np.outer(sizes, sizes))
    assert np.all(np.triu(np.abs(r), 1) <= (0.5 + ROUNDING) * diagonal[:, None])
    after, beside = diagonal[1:] ** 2, np.diag(r, 1) ** 2
    assert np.all(after + beside >= (DELTA - ROUNDING) * diagonal[:-1] ** 2)
    # ‖b₁‖ ≤ (δ - 1/4)^(-(n-1)/4) · det(R)^(1/n)
    size = len(r)
    bound = (DELTA - 0.25) ** (-(size - 1) / 4) * np.exp(np.mean(np.log(diagonal)))
    assert r[0, 0] <= bound * (1 + ROUNDING)


def test_strong_correlation_is_taken_out() -> None:
    rng = np.random.default_rng(0)
    h = second_moments(rng.normal(size=(1000, 1)) + 0.03 * rng.normal(size=(1000, 8)))

    def defect(r: Array) -> float:
        """How much longer the edges are than those of a cuboid of the same volume; Hadamard."""
        return float(np.prod(np.sqrt(np.sum(r**2, axis=0)) / np.diag(r)))

    assert defect(factor(h)) > 1e9
    assert defect(reduce_basis(h).factor) < 10


@pytest.mark.parametrize("diagonal", [[1.0], [4.0, 4.0, 4.0], [1e-6, 1.0, 1.0, 1e6]])
def test_a_basis_that_is_reduced_stays(diagonal: list[float]) -> None:
    basis = reduce_basis(np.diag(diagonal))
    assert basis.vectors.tolist() == basis.inverse.tolist() == np.eye(len(diagonal)).tolist()
    assert np.diag(basis.factor).tolist() == np.sqrt(diagonal).tolist()
