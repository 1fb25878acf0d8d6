"""The float network: least squares to the last bit, whatever the solver left there."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from octet import blocks
from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Layer, Linear, Standardize
from octet.network import Network
from octet.parameters import values
from octet.runtime import floating
from octet.signature import Columns, Numbers, Signature
from stages.dataset import Dataset
from stages.load import readers
from stages.params.split import Split
from stages.train import exact, linear
from stages.train.linear import refine
from stages.train.triangle import triangle

SEEDS = range(6)


def dataset(x: Array, y: Array, weights: Array | None = None) -> Dataset:
    names = tuple(f"f{i}" for i in range(x.shape[1]))
    signature = Signature(Columns(names), Numbers("target", "unit"))
    return Dataset(x, y, x[:2], y[:2], signature, weights)


def fit(data: Dataset, standardize: bool) -> Network:
    return Network(linear.fit(data, standardize), data.signature)


def problem(seed: int) -> tuple[Array, Array]:
    """Features of unlike units, some of them correlated, and a noisy target."""
    rng = np.random.default_rng(seed)
    rows, features = int(rng.integers(20, 51)), int(rng.integers(3, 6))
    x = rng.normal(size=(rows, features))
    x[:, 1] = x[:, 0] + 0.01 * x[:, 1]
    x = x * 10.0 ** rng.integers(-2, 3, features) + rng.normal(size=features) * 10
    y = x @ rng.normal(size=features) + rng.normal(size=rows)
    return x, y


def diabetes() -> Dataset:
    return readers.read("diabetes", Split(test_size=0.2, random_state=42))


def refined(x: Array, y: Array, noise: float, seed: int) -> Array:
    """The coefficients where floats are off by so much: the centre and the triangle, that is."""
    rng = np.random.default_rng(seed)
    centre = x.mean(axis=0) * (1 + noise * rng.uniform(-1, 1, x.shape[1]))
    root = triangle([np.column_stack([np.ones(len(x)), x - centre])])
    root = root * (1 + noise * rng.uniform(-1, 1, root.shape))
    sums = exact.products(np.column_stack([np.ones(len(x)), x, y]), np.ones(len(x)))
    return refine(sums, centre, np.zeros(len(centre)), root)


def exactly(x: Array, y: Array, alpha: float = 0, weights: Array | None = None) -> Array:
    """The normal equations, solved in fractions; only the result is rounded."""
    counts = [Fraction(count) for count in (np.ones(len(y)) if weights is None else weights)]
    rows = [[Fraction(1), *map(Fraction, row)] for row in x.tolist()]
    target = [Fraction(value) for value in y.tolist()]
    size = len(rows[0])
    system = [
        [sum(c * row[i] * row[j] for c, row in zip(counts, rows, strict=True)) for j in range(size)]
        + [sum(c * row[i] * value for c, row, value in zip(counts, rows, target, strict=True))]
        for i in range(size)
    ]
    for i in range(1, size):
        system[i][i] += Fraction(alpha)
    for i in range(size):
        pivot = next(k for k in range(i, size) if system[k][i])
        system[i], system[pivot] = system[pivot], system[i]
        for k in range(size):
            if k != i:
                factor = system[k][i] / system[i][i]
                system[k] = [a - factor * b for a, b in zip(system[k], system[i], strict=True)]
    return np.array([float(system[i][size] / system[i][i]) for i in range(size)])


def coefficients(network: Network) -> Array:
    """Intercept first, of the last layer."""
    return of_layer(network.layers[-1])


def of_layer(last: Layer) -> Array:
    assert isinstance(last, Linear)
    weight, bias = values(last.weight), values(last.bias)
    assert weight.shape[0] == bias.shape[0] == 1
    return np.concatenate([bias, weight[0]])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_elimination_of_these_tests_solves_a_problem_with_a_known_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 10, size=(20, 3)).astype(np.float64)
    known = rng.integers(-9, 10, size=4).astype(np.float64)
    np.testing.assert_array_equal(exactly(x, known[0] + x @ known[1:]), known)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fit_is_the_least_squares_solution_correctly_rounded(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = problem(seed)
    expected = exactly(x, y)
    np.testing.assert_array_equal(coefficients(fit(dataset(x, y), standardize=False)), expected)
    # Neither the order of the rows makes a difference, nor that of the features, ...
    rng = np.random.default_rng(seed)
    rows, features = rng.permutation(len(x)), rng.permutation(x.shape[1])
    turned = coefficients(fit(dataset(x[rows][:, features], y[rows]), standardize=False))
    np.testing.assert_array_equal(turned, expected[[0, *(1 + features)]])
    # ... nor noise in what floats are good for, ...
    for noise in range(5):
        np.testing.assert_array_equal(refined(x, y, 1e-9, noise), expected)
    # ... nor how many rows are looked at together.
    monkeypatch.setattr(blocks, "NUMBERS", 7 * x.shape[1])
    np.testing.assert_array_equal(coefficients(fit(dataset(x, y), standardize=False)), expected)
    network = fit(dataset(x, y), standardize=True)
    scaler = network.layers[0]
    assert isinstance(scaler, Standardize)
    np.testing.assert_array_equal(coefficients(network), exactly((x - scaler.mean) / scaler.std, y))


@pytest.mark.parametrize("alpha", [1e-7, 0.3, 50.0])
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_a_ridge_is_the_least_penalized_sum_of_squares_correctly_rounded(
    seed: int, alpha: float
) -> None:
    x, y = problem(seed)
    x = np.column_stack([x, x[:, 0] - 3 * x[:, 2]])  # least squares would refuse it
    (last,) = linear.fit(dataset(x, y), standardize=False, alpha=alpha)
    got = of_layer(last)
    np.testing.assert_array_equal(got, exactly(x, y, alpha))
    model = Ridge(alpha, solver="svd").fit(x, y)
    np.testing.assert_allclose(got, [model.intercept_, *model.coef_], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [0, 0.3])
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_a_row_counts_by_its_weight(
    seed: int, alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    (x, y), rng = problem(seed), np.random.default_rng(seed)
    real, whole = 10.0 ** rng.uniform(-3, 3, len(y)), rng.integers(1, 9, len(y)) + 0.0
    again = dataset(np.repeat(x, whole.astype(int), axis=0), np.repeat(y, whole.astype(int)))
    for rows in (len(y), 7):
        monkeypatch.setattr(blocks, "NUMBERS", rows * x.shape[1])
        (last,) = linear.fit(dataset(x, y, real), standardize=False, alpha=alpha)
        np.testing.assert_array_equal(of_layer(last), exactly(x, y, alpha, real))
        # A row that is there so many times is the same to the last bit, ...
        (last,) = linear.fit(dataset(x, y, whole), standardize=False, alpha=alpha)
        (repeated,) = linear.fit(again, standardize=False, alpha=alpha)
        np.testing.assert_array_equal(of_layer(last), of_layer(repeated))
        # ... but for the scaler, whose sums are rounded in the order of the rows.
        scaler, last = linear.fit(dataset(x, y, whole), standardize=True, alpha=alpha)
        expected, _ = linear.fit(again, standardize=True, alpha=alpha)
        assert isinstance(scaler, Standardize)
        assert isinstance(expected, Standardize)
        np.testing.assert_allclose(scaler.mean, expected.mean, rtol=1e-12)
        np.testing.assert_allclose(scaler.std, expected.std, rtol=1e-12)
        scaled = (x - scaler.mean) / scaler.std
        np.testing.assert_array_equal(of_layer(last), exactly(scaled, y, alpha, whole))


def test_weights_that_are_all_one_are_none() -> None:
    x, y = problem(0)
    ones, none = (fit(dataset(x, y, w), standardize=True).layers for w in (np.ones(len(y)), None))
    assert repr(ones) == repr(none)


@pytest.mark.parametrize("size", [1e-15, 1e15])
def test_least_squares_do_not_know_the_unit_of_weights(size: float) -> None:
    x, y = problem(0)
    expected = coefficients(fit(dataset(x, y), standardize=False))
    weights = np.full(len(y), size)
    found = coefficients(fit(dataset(x, y, weights), standardize=False))
    np.testing.assert_array_equal(found, expected)


def test_noise_makes_no_difference_on_real_data() -> None:
    data = diabetes()
    expected = refined(data.x_train, data.y_train, 0, 0)
    np.testing.assert_array_equal(refined(data.x_train, data.y_train, 1e-9, 0), expected)


@pytest.mark.parametrize("standardize", [False, True])
def test_a_fit_is_scikit_learns_to_1e_9(standardize: bool) -> None:
    data = diabetes()
    x = data.x_train
    model = LinearRegression()
    whole = make_pipeline(StandardScaler(), model) if standardize else make_pipeline(model)
    whole.fit(x, data.y_train)
    network = fit(data, standardize)
    expected = [model.intercept_, *model.coef_]
    np.testing.assert_allclose(coefficients(network), expected, rtol=1e-9)
    np.testing.assert_allclose(
        floating.run(network, data.x_test)[:, 0], whole.predict(data.x_test), rtol=1e-9
    )


@pytest.mark.parametrize("power", [-60, -20, 20, 60])
def test_the_unit_of_the_target_is_that_of_every_coefficient_and_of_a_feature_of_its_own(
    power: int,
) -> None:
    x, y = problem(0)
    straight = coefficients(fit(dataset(x, y), standardize=True))
    scaled = coefficients(fit(dataset(x, y * 2.0**power), standardize=True))
    np.testing.assert_array_equal(scaled, straight * 2.0**power)
    unit = np.ones(x.shape[1])
    unit[0] = 2.0 ** (power / 2)
    straight = coefficients(fit(dataset(x, y), standardize=False))
    scaled = coefficients(fit(dataset(x * unit, y), standardize=False))
    np.testing.assert_array_equal(scaled * [1, *unit], straight)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("power", [-500, 500])
def test_features_of_any_size_are_fitted_or_refused(power: int, standardize: bool) -> None:
    x, y = problem(0)
    try:
        network = fit(dataset(x * 2.0**power, y), standardize)
    except OctetError:
        return
    expected = floating.run(fit(dataset(x, y), standardize), x)
    np.testing.assert_allclose(floating.run(network, x * 2.0**power), expected, rtol=1e-9)


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_a_feature_far_from_zero_is_fitted_as_exactly_as_any(offset: float) -> None:
    x, y = problem(0)
    x[:, 0] += offset
    found = coefficients(fit(dataset(x, y), standardize=False))
    np.testing.assert_array_equal(found, exactly(x, y))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    known=st.lists(st.integers(-1000, 1000).filter(bool), min_size=3, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_target_that_is_linear_in_whole_numbers_is_found_exactly(
    known: list[int], seed: int
) -> None:
    x = np.random.default_rng(seed).integers(-50, 51, size=(40, len(known) - 1)).astype(np.float64)
    y = known[0] + x @ np.array(known[1:], np.float64)
    network = fit(dataset(x, y), standardize=False)
    np.testing.assert_array_equal(coefficients(network), known)
    np.testing.assert_array_equal(floating.run(network, x)[:, 0], y)


@pytest.mark.parametrize("known", [[5, 1, 0], [5, 0, 0], [0, 1, -1], [0, 0, -1], [0, 0, 0]])
def test_a_coefficient_of_exactly_zero_is_found_as_zero(known: list[int]) -> None:
    x = np.random.default_rng(0).integers(-50, 51, size=(40, 2)).astype(np.float64)
    y = known[0] + x @ np.array(known[1:], np.float64)
    found = coefficients(fit(dataset(x, y), standardize=False))
    np.testing.assert_array_equal(found, known)


def test_the_scaler_becomes_the_first_layer_and_without_one_the_linear_layer_is_all() -> None:
    data = diabetes()
    network = fit(data, standardize=True)
    scaler, linear = network.layers
    assert isinstance(scaler, Standardize)
    assert isinstance(linear, Linear)
    expected = StandardScaler().fit(data.x_train)
    np.testing.assert_array_equal(scaler.mean, expected.mean_)
    np.testing.assert_array_equal(scaler.std, expected.scale_)
    (linear,) = fit(data, standardize=False).layers
    assert isinstance(linear, Linear)


def test_the_data_are_not_changed() -> None:
    x, y = problem(0)
    before = x.copy(), y.copy()
    fit(dataset(x, y), standardize=True)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


def noise(low: float, high: float) -> Array:
    """What is the same number to whoever wrote the table, computed in two ways."""
    return np.where(np.random.default_rng(0).random(200) < 0.5, low, high)


# What a column is made of: the others, and the features that are named as what determines it.
DETERMINED = {
    "zero": (lambda _: np.zeros(200), "got 0 in every training row, "),
    "constant": (lambda _: np.full(200, 0.1), "got 0.1 in every training row, "),
    "0.3 and 0.1 + 0.2": (lambda _: noise(0.3, 0.1 + 0.2), "got 0.3 in every training row, "),
    "large, rounded": (lambda _: noise(3e8, 1e9 * (0.1 + 0.2)), "got 3e+08 in every training row"),
    "small, rounded": (lambda _: noise(3e-9, 1e-9 * (1 + 2)), "got 3e-09 in every training row"),
    "copy": (lambda x: x[:, 0], "f0 and a constant determine it "),
    "another unit": (lambda x: x[:, 0] * 1.8 + 32, "f0 and a constant determine it "),
    "far from zero": (lambda x: x[:, 0] + 1e9, "f0 and a constant determine it "),
    "sum": (lambda x: x.sum(axis=1), "f0, f1, f2 and a constant determine it "),
    "share of 100": (lambda x: 100 - x[:, 0] - x[:, 1] / 3, "f0, f1 and a constant determine it "),
}


def independent() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 3)) * [1, 100, 0.01] + [0, 1e4, 5], rng.normal(size=200)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("kind", DETERMINED)
def test_a_feature_that_is_constant_or_determined_by_others_is_refused_by_its_name(
    kind: str, standardize: bool
) -> None:
    x, y = independent()
    column, expected = DETERMINED[kind]
    with pytest.raises(OctetError) as caught:
        fit(dataset(np.column_stack([x, column(x)]), y), standardize)
    assert str(caught.value).startswith(f"feature f3: {expected}")


def test_all_indicators_of_a_category_are_one_too_many() -> None:
    x, y = independent()
    indicators = np.eye(4)[np.random.default_rng(0).integers(0, 4, 200)]
    with pytest.raises(OctetError, match=r"^feature f6: f3, f4, f5 and a constant determine it "):
        fit(dataset(np.column_stack([x, indicators]), y), standardize=True)
    fit(dataset(np.column_stack([x, indicators[:, 1:]]), y), standardize=True)


@pytest.mark.parametrize("features", [30, 100])
def test_a_sum_of_many_features_is_one_whatever_their_units(features: int) -> None:
    rng = np.random.default_rng(features)
    x = rng.normal(size=(5000, features)) * 10.0 ** rng.integers(-3, 4, features)
    x += rng.normal(size=features) * 100
    last = (x * rng.normal(size=features)).sum(axis=1)
    with pytest.raises(OctetError, match=f"^feature f{features}: .* more and a constant"):
        fit(dataset(np.column_stack([x, last]), rng.normal(size=5000)), standardize=True)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(
    "column",
    [
        1e6 + np.arange(200.0),  # numbers of rows
        1.7e18 + 1e9 * np.sin(np.arange(200.0)),  # nanoseconds, all of one second
        1 + 1e-10 * np.sin(np.arange(200.0)),
        1e-300 * np.sin(np.arange(200.0)),
        (np.arange(200) == 7).astype(np.float64),
    ],
)
def test_a_feature_that_varies_little_or_in_one_row_is_fitted_as_scikit_learn_fits_it(
    column: Array, standardize: bool
) -> None:
    x, y = independent()
    x = np.column_stack([x, column])
    ours = floating.run(fit(dataset(x, y), standardize), x)[:, 0]
    scaled = x / np.abs(x).max(axis=0)  # scikit-learn takes 1e-300 for nothing
    theirs = make_pipeline(StandardScaler(), LinearRegression()).fit(scaled, y).predict(scaled)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("rows", [2, 3])
def test_fewer_rows_than_coefficients_are_refused(rows: int) -> None:
    x, y = problem(0)
    features = x.shape[1]
    assert features > rows - 1
    with pytest.raises(OctetError, match=f"^got {rows} training rows for {features} features; "):
        fit(dataset(x[:rows], y[:rows]), standardize=True)
