"""A reduced basis is the same lattice, and short."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Array
from octet.quantizer.hessian import factor, second_moments
from octet.quantizer.proof.reduction import Basis, reduce_basis

fixed = settings(deadline=None, derandomize=True)

DELTA = 0.99
ROUNDING = 1e-9  # of R, against conditions that hold with equality at the border


@st.composite
def hessians(draw: st.DrawFn) -> Array:
    """H of inputs between independent and all but equal, in units up to six decades apart."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = draw(st.integers(1, 9))
    own = draw(st.sampled_from([1.0, 0.3, 0.1, 1e-2, 1e-3, 0.0]))
    x = rng.normal(size=(100, 1)) + own * rng.normal(size=(100, columns))
    return second_moments(x * 10.0 ** rng.uniform(-3, 3, columns))


def exactly(basis: Basis, hessian: Array) -> list[list[Fraction]]:
    """UᵀHU without any rounding."""
    h = [[Fraction(value) for value in row] for row in hessian.tolist()]
    u = basis.vectors.T.tolist()
    hu = [[sum(a * b for a, b in zip(row, v, strict=True)) for row in h] for v in u]
    return [[sum(a * b for a, b in zip(v, w, strict=True)) for w in hu] for v in u]


@fixed
@given(hessians())
def test_the_vectors_are_a_basis_of_the_integers(hessian: Array) -> None:
    basis = reduce_basis(hessian)
    assert basis.vectors.dtype == basis.inverse.dtype == np.int64
    size = len(hessian)
    product = basis.vectors.astype(object) @ basis.inverse.astype(object)  # cannot overflow
    assert product.tolist() == np.eye(size, dtype=int).tolist()


@fixed
@given(hessians())
def test_the_factor_belongs_to_the_vectors(hessian: Array) -> None:
    basis = reduce_basis(hessian)
    r, u = basis.factor, np.abs(basis.vectors)
    assert np.array_equal(r, np.triu(r))
    assert np.all(np.diag(r) > 0)
    form = np.array(exactly(basis, hessian), np.float64)
    # R is computed from the factor of H by the same column operations as U from 1: what rounding
    # can move is a share of the sums that they would be without cancellation.
    sizes = u.T @ np.sqrt(np.diag(hessian))
    assert np.all(np.abs(r.T @ r - form) <= 1e-13 * np.outer(sizes, sizes))


@fixed
@given(hessians())
def test_the_basis_is_reduced(hessian: Array) -> None:
    r = reduce_basis(hessian).factor
    diagonal = np.diag(r)
    off_diagonal = np.triu(np.abs(r), 1)
    assert np.all(off_diagonal <= (0.5 + ROUNDING) * diagonal[:, None])
    after, beside = diagonal[1:] ** 2, np.diag(r, 1) ** 2
    assert np.all(after + beside >= (DELTA - ROUNDING) * diagonal[:-1] ** 2)


@fixed
@given(hessians())
def test_the_first_vector_is_within_the_bound_of_lenstra_lenstra_and_lovasz(
    hessian: Array,
) -> None:
    r = reduce_basis(hessian).factor
    # ‖b₁‖ ≤ (δ - 1/4)^(-(n-1)/4) · det(R)^(1/n)
    size = len(r)
    bound = (DELTA - 0.25) ** (-(size - 1) / 4) * np.exp(np.mean(np.log(np.diag(r))))
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


def test_the_form_is_not_changed() -> None:
    h = second_moments(np.random.default_rng(0).normal(size=(9, 3)))
    before = h.copy()
    reduce_basis(h)
    assert np.array_equal(h, before)
