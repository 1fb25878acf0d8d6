"""Moments are exact sums, and what is concluded from them about a layer's best weights holds."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from octet.affine import Array
from octet.quantizer.hessian import Moments, factor, output_error, second_moments

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

UNIT = 2.0**-53  # the relative error of one rounding
RIDGE = 1e-12  # by which a diagonal is raised
TARGET = 2.0**-20  # what is given is rounded to halves of this share of twice its largest


def steps(rng: np.random.Generator, inputs: int, count: int) -> Array:
    """Correlated steps of a grid of 8 bits, some of them negative."""
    x = 60 * (rng.normal(size=(1, count)) + 0.5 * rng.normal(size=(inputs, count)))
    x += 30 * rng.normal(size=(inputs, 1))
    return np.rint(np.clip(x, -255, 255))


def random_layer(rng: np.random.Generator, outputs: int, inputs: int) -> tuple[Array, Array]:
    return rng.normal(size=(outputs, inputs)), rng.normal(size=outputs)


def moments(x: Array, y: Array, *cuts: int) -> Moments:
    """Moments of x and y, given in one piece or cut into several."""
    found = Moments(len(x), len(y))
    for x_part, y_part in zip(np.split(x, cuts, 1), np.split(y, cuts, 1), strict=True):
        found.add(x_part, y_part)
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[Array, Array, list[int]]:
    """Steps, what should be given for them, and where to cut them into batches."""
    rng = np.random.default_rng(draw(seeds))
    count = draw(st.integers(1, 60))
    x = steps(rng, draw(st.integers(1, 6)), count)
    y = rng.normal(size=(draw(st.integers(1, 3)), count)) * 10.0 ** rng.integers(-6, 7)
    return x, y, sorted(draw(st.lists(st.integers(0, count), max_size=5)))


@fixed
@given(cases())
def test_sums_of_steps_are_those_of_integers(case: tuple[Array, Array, list[int]]) -> None:
    x, y, cuts = case
    found = moments(x, y, *cuts)
    whole = x.astype(np.int64)
    assert found.count == x.shape[1]
    assert np.array_equal(found.first, whole.sum(axis=1))
    assert np.array_equal(found.second, np.einsum("it,jt->ij", whole, whole))


def test_sums_of_a_million_of_the_largest_steps_are_still_exact() -> None:
    x = np.full((2, 2**20), 255.0)
    x[1, ::3] = -255
    found = Moments(2, 1)
    for _ in range(4):
        found.add(x, np.ones((1, 2**20)))
    whole = x.astype(np.int64)
    assert found.second.tolist() == (4 * (whole[:, None] * whole[None]).sum(axis=2)).tolist()
    assert found.first.tolist() == (4 * whole.sum(axis=1)).tolist()


@fixed
@given(cases())
def test_any_batches_give_the_same_bits_of_what_is_seen(
    case: tuple[Array, Array, list[int]],
) -> None:
    x, y, cuts = case
    once, often = moments(x, y), moments(x, y, *cuts)
    assert once.count == often.count
    assert np.array_equal(once.first, often.first)
    assert np.array_equal(once.second, often.second)
    for scale in (1.0, 0.01729):
        assert np.array_equal(once.hessian(scale), often.hessian(scale))
        assert np.array_equal(once.covariance(scale), often.covariance(scale))


@fixed
@given(seed=seeds, size=st.integers(1, 20))
def test_any_batches_of_like_size_give_the_same_bits_of_what_is_given(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = steps(rng, 4, 60), rng.uniform(-1, 1, (3, 60))
    y[0] = rng.choice([-1, 1], 60) * rng.uniform(1, 2, 60)  # each has its largest in [1, 2)
    once, often = moments(x, y), moments(x, y, *range(size, 60, size))
    assert np.array_equal(once.given, often.given)
    assert np.array_equal(once.cross, often.cross)
    assert np.array_equal(
        once.regression(y[:, :4], 0.1)[0],
        often.regression(y[:, :4], 0.1)[0],
    )


@fixed
@given(cases())
def test_what_is_given_is_summed_to_twenty_bits_in_any_batches(
    case: tuple[Array, Array, list[int]],
) -> None:
    x, y, cuts = case
    found = moments(x, y, *cuts)
    exact_x = [[Fraction(value) for value in row] for row in x.tolist()]
    allowed = TARGET * np.max(np.abs(y))
    for i, row in enumerate(y.tolist()):
        exact_y = [Fraction(value) for value in row]
        assert abs(found.given[i] - float(sum(exact_y))) <= allowed * len(row)
        for j, seen in enumerate(exact_x):
            cross = float(sum(a * b for a, b in zip(exact_y, seen, strict=True)))
            assert abs(found.cross[i, j] - cross) <= allowed * float(sum(map(abs, seen)))


def test_an_empty_batch_and_one_that_gives_nothing_but_zeros_change_nothing() -> None:
    rng = np.random.default_rng(0)
    x, y = steps(rng, 3, 10), rng.normal(size=(2, 10))
    found, more = moments(x, y), moments(x, y)
    more.add(np.zeros((3, 0)), np.zeros((2, 0)))
    assert np.array_equal(more.cross, found.cross)
    more.add(x, np.zeros((2, 10)))
    assert more.count == 20
    assert np.array_equal(more.cross, found.cross)
    assert np.array_equal(more.given, found.given)


def test_the_bits_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(1)
    x, y = steps(rng, 72, 6000), rng.normal(size=(16, 6000))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            made = moments(x, y, 2000, 5000)
            weight, bias = made.regression(np.ones((16, 72)), 0.02)
        found.append([made.first, made.second, made.given, made.cross, weight, bias])
    for one, two in zip(*found, strict=True):
        assert np.array_equal(one, two)


@fixed
@given(seed=seeds, scale=st.sampled_from([1.0, 0.25, 0.013]))
def test_h_is_that_of_the_reals_that_the_steps_stand_for(seed: int, scale: float) -> None:
    x = steps(np.random.default_rng(seed), 5, 40)
    found, expected = moments(x, x).hessian(scale), second_moments(scale * x.T)
    sizes = np.sqrt(np.diag(expected))
    assert np.array_equal(found, found.T)
    assert np.all(np.abs(found - expected) <= 100 * UNIT * np.outer(sizes, sizes))


@fixed
@given(seed=seeds, scale=st.sampled_from([1.0, 0.25, 0.013]))
def test_the_covariance_is_that_of_the_steps_to_the_last_bits(seed: int, scale: float) -> None:
    x = steps(np.random.default_rng(seed), 4, 30)
    whole = x.astype(np.int64).tolist()
    covariance = np.empty((4, 4))
    for i, a in enumerate(whole):
        for j, b in enumerate(whole):
            products = sum(p * q for p, q in zip(a, b, strict=True))
            covariance[i, j] = Fraction(30 * products - sum(a) * sum(b), 900) * Fraction(scale) ** 2
    diagonal = np.diag(covariance)
    expected = covariance + RIDGE * np.diag(np.where(diagonal > 0, diagonal, diagonal.mean()))
    found = moments(x, x).covariance(scale)
    assert np.array_equal(found, found.T)
    assert np.all(np.abs(found - expected) <= 6 * UNIT * np.abs(expected))


@fixed
@given(seed=seeds)
def test_the_covariance_is_what_the_best_bias_leaves_of_h(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = moments(steps(rng, 5, 40), np.zeros((1, 40)))
    hessian, covariance = seen.hessian(0.1), seen.covariance(0.1)
    complement = hessian[:-1, :-1] - np.outer(hessian[-1, :-1], hessian[-1, :-1]) / hessian[-1, -1]
    sizes = np.sqrt(np.diag(hessian)[:-1])
    assert np.all(np.abs(covariance - complement) <= 3 * RIDGE * np.outer(sizes, sizes))
    error = rng.normal(size=5)
    best = -error @ hessian[-1, :-1]
    left, (found,) = (
        [output_error(np.append(error, best + off)[None], factor(hessian))[0] for off in (0, 0.1)],
        output_error(error[None], factor(covariance)),
    )
    assert found == pytest.approx(left[0], rel=1e-9)
    assert left[1] > left[0]


CONSTANT = {
    "dead": [[0.0, 0, 0, 0], [1, 2, 3, 5]],
    "constant": [[7.0, 7, 7, 7], [1, 2, 3, 5]],
    "saturated": [[255.0, 255, 255, 255], [0, 0, 0, 1]],
    "duplicated": [[1.0, 2, 3, 5], [1, 2, 3, 5]],
    "constant, dead and duplicated": [[3.0, 3, 3, 3], [0, 0, 0, 0], [1, 2, 4, 4], [2, 4, 8, 8]],
    "all dead": [[0.0, 0, 0, 0], [0, 0, 0, 0]],
    "all constant": [[4.0, 4, 4, 4], [9, 9, 9, 9]],
    "seen once": [[4.0], [9.0]],
}


@pytest.mark.parametrize("rows", CONSTANT.values(), ids=CONSTANT)
@pytest.mark.parametrize("kind", ["hessian", "covariance"])
def test_h_and_covariance_are_definite_whatever_the_inputs(
    rows: list[list[float]], kind: str
) -> None:
    x = np.array(rows)
    form = getattr(moments(x, np.zeros((1, x.shape[1]))), kind)(0.1)
    r = factor(form)
    assert np.all(np.isfinite(r))
    assert np.all(np.diag(r) > 0)


def test_a_constant_input_has_no_variance_but_the_ridge() -> None:
    x = np.array([[200.0] * 3000, list(range(100)) * 30])
    covariance = moments(x, np.zeros((1, 3000))).covariance(0.1)
    assert covariance[0, 1] == covariance[1, 0] == 0
    assert covariance[0, 0] == pytest.approx(RIDGE * covariance[1, 1] / 2, rel=1e-9)


@fixed
@given(seed=seeds, scale=st.sampled_from([1.0, 0.02]))
def test_where_nothing_has_changed_regression_finds_the_weights_that_there_were(
    seed: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    weight, bias = random_layer(rng, 3, 5)
    x = steps(rng, 5, 200)
    seen = moments(x, scale * weight @ x + bias[:, None], 50, 100)
    found, found_bias = seen.regression(weight, scale)
    # What is given is known to 20 bits: the noise that this is, at the outputs of the layer.
    y = scale * weight @ x + bias[:, None]
    lost = (found - weight) @ (scale * x) + (found_bias - bias)[:, None]
    assert np.sqrt(np.mean(lost**2)) <= TARGET * np.max(np.abs(y))
    assert found == pytest.approx(weight, abs=1e-4 / scale)


def perturbed(seed: int, noise: float, scale: float) -> tuple[Array, Array, Array, Array]:
    """A layer, inputs that are off by what they have in common, and what they should give."""
    rng = np.random.default_rng(seed)
    weight, bias = random_layer(rng, 3, 5)
    was = steps(rng, 5, 800)
    x = np.rint(was + noise * rng.normal(size=(5, 1)) * rng.normal(size=(1, 800)))
    return weight, bias, x, scale * weight @ was + bias[:, None]


def squared(weight: Array, bias: Array, x: Array, y: Array) -> float:
    return float(np.mean((weight @ x + bias[:, None] - y) ** 2))


@fixed
@given(seed=seeds, noise=st.sampled_from([1.0, 5.0, 20.0]))
def test_regression_gives_more_nearly_what_it_should_for_inputs_that_have_changed(
    seed: int, noise: float
) -> None:
    scale = 0.05
    weight, _, x, y = perturbed(seed, noise, scale)
    seen = moments(x, y, 100)
    found, found_bias = seen.regression(weight, scale)
    best_bias = np.mean(y - scale * weight @ x, axis=1)
    reals = scale * x
    assert squared(found, found_bias, reals, y) < squared(weight, best_bias, reals, y)


def test_on_the_whole_regression_is_better_for_rows_that_it_has_not_seen() -> None:
    scale, before, after = 0.05, 0.0, 0.0
    for seed in range(30):
        weight, bias, x, y = perturbed(seed, 15.0, scale)
        seen = moments(x[:, :400], y[:, :400])
        found = seen.regression(weight, scale)
        before += squared(weight, bias, scale * x[:, 400:], y[:, 400:])
        after += squared(*found, scale * x[:, 400:], y[:, 400:])
    assert after < 0.9 * before


@fixed
@given(seed=seeds)
def test_regression_is_that_of_its_formula_and_gives_y_its_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = steps(rng, 4, 100), rng.normal(size=(2, 100))
    weight, _ = random_layer(rng, 2, 4)
    scale = 0.03
    reals, centred = scale * x, scale * (x - x.mean(axis=1, keepdims=True))
    cov, cross = centred @ centred.T / 100, (y - y.mean(axis=1, keepdims=True)) @ centred.T / 100
    damping = 0.01 * np.diag(np.diag(cov))
    expected = np.linalg.solve(cov + damping, (cross + weight @ damping).T).T
    seen = moments(x, y)
    found, bias = seen.regression(weight, scale)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert np.mean(found @ reals + bias[:, None], axis=1) == pytest.approx(
        y.mean(axis=1), abs=TARGET * np.max(np.abs(y))
    )


@pytest.mark.parametrize("value", [0.0, 7.0, 255.0])
def test_regression_keeps_the_weight_of_an_input_of_which_it_learns_nothing(value: float) -> None:
    rng = np.random.default_rng(2)
    weight, bias = random_layer(rng, 2, 4)
    x = steps(rng, 4, 300)
    x[1] = value
    seen = moments(x, 0.1 * weight @ x + bias[:, None])
    found, _ = seen.regression(weight, 0.1)
    assert found[:, 1] == pytest.approx(weight[:, 1], rel=0.02)


def test_regression_leaves_its_arguments_alone() -> None:
    rng = np.random.default_rng(3)
    x, (weight, _) = steps(rng, 3, 20), random_layer(rng, 2, 3)
    seen = moments(x, weight @ x)
    covariance = seen.covariance(1.0)
    before = weight.copy(), covariance.copy(), seen.cross.copy()
    seen.regression(weight, 1.0)
    for old, new in zip(before, (weight, covariance, seen.cross), strict=True):
        assert np.array_equal(old, new)
