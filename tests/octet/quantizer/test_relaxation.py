"""The relaxed solution is the minimum inside the box."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Array
from octet.quantizer.hessian import second_moments
from octet.quantizer.proof.relaxation import relax

fixed = settings(deadline=None, derandomize=True)

FLAT = 1e-10  # of the terms of a gradient, by the promise of `relax`


@dataclass
class Problem:
    """Minimise (x - target)ᵀH(x - target) over 0 ≤ x ≤ top."""

    target: Array
    top: Array
    hessian: Array

    def error(self, x: Array) -> float:
        off = x - self.target
        return float(off @ self.hessian @ off)

    def gradient(self, x: Array) -> tuple[Array, Array]:
        """Half the gradient, and what of it may be rounding error: of its terms, and of x."""
        off = x - self.target
        sizes = np.sqrt(np.diag(self.hessian))
        last_bits = 2.0**-53 * (np.abs(x) + np.abs(self.target))
        return self.hessian @ off, sizes * (sizes @ (FLAT * np.abs(off) + last_bits))


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Targets in, on and outside the box; inputs independent to equal, in their own units."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = draw(st.integers(1, 10))
    own = draw(st.sampled_from([1.0, 0.3, 0.1, 1e-2, 1e-4, 0.0]))
    x = rng.normal(size=(60, 1)) + own * rng.normal(size=(60, columns))
    hessian = second_moments(x * 10.0 ** rng.uniform(-3, 3, columns))
    top = 2.0 ** rng.integers(2, 17, columns + 1) - 1
    spread = draw(st.sampled_from([0.0, 0.1, 1.0, 3.0]))
    target = top * (0.5 + (0.5 + spread) * rng.uniform(-1, 1, columns + 1))
    if draw(st.booleans()):
        target = np.rint(target)
    return Problem(target, top, hessian)


@fixed
@given(problems())
def test_it_stays_in_the_box(problem: Problem) -> None:
    x = relax(problem.target, problem.top, problem.hessian)
    assert np.all((x >= 0) & (x <= problem.top))


@settings(fixed, max_examples=300)
@given(problems())
def test_the_gradient_vanishes_inside_and_points_out_on_the_boundary(problem: Problem) -> None:
    x = relax(problem.target, problem.top, problem.hessian)
    gradient, rounding = problem.gradient(x)
    assert np.all(gradient[x > 0] <= rounding[x > 0])
    assert np.all(gradient[x < problem.top] >= -rounding[x < problem.top])


@fixed
@given(problem=problems(), seed=st.integers(0, 2**32 - 1))
def test_no_point_of_the_box_is_better(problem: Problem, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = relax(problem.target, problem.top, problem.hessian)
    _, rounding = problem.gradient(x)
    anywhere = rng.uniform(0, problem.top, (50, len(x)))
    nearby = np.clip(x + rng.normal(size=(50, len(x))) * rng.choice([1e-3, 1.0]), 0, problem.top)
    corners = rng.integers(0, 2, (50, len(x))) * problem.top
    for other in (*anywhere, *nearby, *corners, np.clip(problem.target, 0, problem.top)):
        # f(z) - f(x) ≥ 2 · gradient · (z - x), and f itself is a sum with as much rounding.
        allowed = 2 * rounding @ np.abs(other - x) + 2 * rounding @ np.abs(x - problem.target)
        assert problem.error(x) <= problem.error(other) + allowed


def test_a_target_inside_the_box_is_its_own_minimum() -> None:
    target, top = np.array([0.0, 1.5, 3.0]), np.full(3, 3.0)
    hessian = second_moments(np.random.default_rng(0).normal(size=(9, 2)))
    assert relax(target, top, hessian).tolist() == target.tolist()


def test_without_correlation_each_coordinate_goes_to_its_own_end() -> None:
    target, top = np.array([-5.0, 9.0, 1.25, 0.0]), np.array([3.0, 7.0, 3.0, 3.0])
    x = relax(target, top, np.diag([1.0, 2.0, 3.0, 4.0]))
    assert x.tolist() == [0.0, 7.0, 1.25, 0.0]


def test_a_coordinate_makes_good_what_another_cannot_reach() -> None:
    # (x₀ - 5)² + (x₁ - 1)² + 2 · 0.5 (x₀ - 5)(x₁ - 1) with x₀ ≤ 3 is least at x₁ = 1 + 0.5 · 2.
    x = relax(np.array([5.0, 1.0]), np.array([3.0, 3.0]), np.array([[1.0, 0.5], [0.5, 1.0]]))
    assert x == pytest.approx([3.0, 2.0], abs=1e-15)


def test_a_coordinate_that_was_clipped_comes_back_in() -> None:
    # Clipping puts x₁ on 0; the correlation with x₀, which cannot reach 9, pulls it in again.
    x = relax(np.array([9.0, -0.5]), np.array([3.0, 9.0]), np.array([[1.0, 0.5], [0.5, 1.0]]))
    assert x == pytest.approx([3.0, 2.5], abs=1e-15)
