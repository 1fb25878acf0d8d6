"""Which rows are picked, and the ranges of activations that are taken from them."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Array, Codes, Grid
from octet.errors import OctetError
from octet.layers import (
    Conv2d,
    Flatten,
    GlobalAveragePool,
    Linear,
    MaxPool,
    Quantize,
    Relu,
    Standardize,
    Weighted,
)
from octet.network import Network
from octet.quantizer import spool
from octet.quantizer.calibration import pick, with_grids
from octet.runtime import floating, integer
from octet.signature import Columns, Numbers, Pixels, Signature
from tests.octet.quantizer.cases import calibration, random_cnn, random_images, random_layer

fixed = settings(deadline=None, derandomize=True)
RANGES = ["minmax", "percentile", "mse"]
BINS = 4096  # of the histogram that percentile and mse go by
TAIL = 1e-4


def grids(network: Network) -> dict[int, Grid]:
    """The grid of the input as -1, and of what leaves each layer of the float network."""
    (entry,) = [layer for layer in network.layers if isinstance(layer, Quantize)]
    found = {-1: entry.grid}
    in_float = [layer for layer in network.layers if not isinstance(layer, Quantize)]
    for i, layer in enumerate(in_float):
        if isinstance(layer, Weighted | GlobalAveragePool) and layer.output is not None:
            found[i] = layer.output
    return found


def plain(found: dict[int, Grid]) -> dict[int, tuple[float, int, int]]:
    return {i: (float(g.scale), int(g.zero_point), g.bits) for i, g in found.items()}


def activations(network: Network, x: Pixels) -> dict[int, Array]:
    """What enters and what leaves each layer, whole: after the ReLU where one follows."""
    seen = floating.step(network.layers[0], x.astype(np.float64))
    found = {-1: seen}
    for i, layer in enumerate(network.layers[1:], 1):
        seen = floating.step(layer, seen)
        if isinstance(layer, Weighted | GlobalAveragePool):
            followed = isinstance([*network.layers, None][i + 1], Relu)
            found[i] = np.maximum(seen, 0) if followed else seen
    return found


def first_codes(network: Network, x: Pixels) -> Codes:
    """The codes with which the integers begin."""
    return next(integer.trace(network, x))[2]


def step_through(x: Array, grid: Grid) -> Array:
    """What is left of values on their way through the codes."""
    return affine.dequantize(affine.quantize(x, grid), grid)


@pytest.mark.parametrize("images", [1, 7, 100])
def test_as_many_rows_as_asked_are_picked_none_of_them_twice(images: int) -> None:
    rows = np.arange(100.0)[:, None]
    picked = pick(rows, calibration(images))[:, 0].tolist()
    assert len(picked) == len(set(picked)) == images
    assert set(picked) <= set(range(100))


def test_all_rows_are_the_training_rows_as_they_are() -> None:
    x = random_images(np.random.default_rng(0), 20)
    picked = pick(x, calibration(20))
    assert picked.dtype == np.uint8
    assert np.array_equal(picked, x)


def test_the_seed_decides_which_rows_are_picked() -> None:
    rows = np.arange(100.0)[:, None]
    first, again, other = (pick(rows, calibration(10, seed)).tolist() for seed in (3, 3, 4))
    assert first == again != other


def test_what_is_picked_does_not_depend_on_what_the_rows_hold() -> None:
    rng = np.random.default_rng(0)
    places, x = np.arange(50.0)[:, None], rng.normal(size=(50, 3))
    chosen = pick(places, calibration(8, 5))[:, 0].astype(int)
    assert np.array_equal(pick(x, calibration(8, 5)), x[chosen])


def test_every_row_has_the_same_chance() -> None:
    """Of 400 seeds each row is picked by some 100; 5 deviations are 43."""
    rows = np.arange(20.0)[:, None]
    counts = np.zeros(20)
    for seed in range(400):
        counts[pick(rows, calibration(5, seed))[:, 0].astype(int)] += 1
    assert np.all(np.abs(counts - 100) < 43)


@pytest.mark.parametrize("there", [0, 9])
def test_more_rows_than_there_are_are_refused_in_one_line(there: int) -> None:
    with pytest.raises(OctetError) as caught:
        pick(np.zeros((there, 2)), calibration(10))
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith("quant.calibration: got 10 rows to take; ")
    assert str(there) in message


@pytest.mark.parametrize("range_", RANGES)
def test_all_that_computes_gets_a_grid_of_uint8_and_weights_stay_in_float(range_: str) -> None:
    rng = np.random.default_rng(0)
    network = random_cnn(rng)
    found = with_grids(network, random_images(rng, 40), calibration(range_=range_))
    assert sorted(grids(found)) == [-1, 1, 4, 6, 7]
    assert [type(layer) for layer in found.layers] == [
        *(Standardize, Quantize, Conv2d, Relu, MaxPool, Conv2d, Relu, GlobalAveragePool, Linear)
    ]
    for grid in grids(found).values():
        assert (grid.bits, grid.scale.shape, grid.zero_point.dtype) == (8, (), np.uint8)
    for before, after in zip(network.layers[1:], found.layers[2:], strict=True):
        bare = replace(after, output=None) if hasattr(after, "output") else after
        if isinstance(before, Weighted):
            assert bare.weight is before.weight
            assert bare.bias is before.bias
        else:
            assert bare == before
    assert found.signature == network.signature


def test_minmax_spans_all_that_was_seen() -> None:
    rng = np.random.default_rng(1)
    network, x = random_cnn(rng), random_images(rng, 123)
    found = grids(with_grids(network, x, calibration()))
    for i, seen in activations(network, x).items():
        expected = affine.asymmetric(seen.min(), seen.max(), 8)
        assert plain({i: found[i]}) == plain({i: expected})


def test_percentile_leaves_out_one_value_in_ten_thousand_at_each_end() -> None:
    rng = np.random.default_rng(2)
    network, x = random_cnn(rng), random_images(rng, 400)
    found = grids(with_grids(network, x, calibration(range_="percentile")))
    for i, seen in activations(network, x).items():
        width = (seen.max() - seen.min()) / BINS
        ends = affine.dequantize(np.array([0, 255]), found[i])
        step = float(found[i].scale)
        # The ends of the grid are those of the range but for the rounding of its zero point.
        low, high = np.quantile(seen, [TAIL, 1 - TAIL], method="inverted_cdf")
        assert ends[0] == pytest.approx(min(low, 0), abs=width + step / 2)
        assert ends[1] == pytest.approx(max(high, 0), abs=width + step / 2)
        assert np.mean(seen < ends[0] - step / 2) <= TAIL
        assert np.mean(seen > ends[1] + step / 2) <= TAIL
        if found[i].zero_point == 0:  # the upper end alone has made the scale
            assert high * (1 - 1e-6) <= ends[1] <= (high + width) * (1 + 1e-6)


def test_percentile_does_cut_a_lone_outlier_off() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(30_000, 1))
    x[7], x[8] = 1000, -2000
    network = Network((random_layer(rng, 2, 1),), Signature(Columns(("a",)), Numbers("", "")))
    wide, narrow = (
        grids(with_grids(network, x, calibration(range_=range_)))[-1]
        for range_ in ("minmax", "percentile")
    )
    # The histogram spans the outliers, so a bin of it is 3000 / 4096 wide.
    assert float(wide.scale) == pytest.approx(3000 / 255, rel=1e-6)
    assert float(narrow.scale) * 255 < 2 * 4.5 + 3 * 3000 / BINS


def test_the_range_of_least_error_is_the_best_of_the_shrunk_ones() -> None:
    rng = np.random.default_rng(4)
    network, x = random_cnn(rng), random_images(rng, 100)
    heavy = random_layer(rng, 3, 5)
    heavy.weight[:] = rng.standard_cauchy((3, 5))
    network = replace(network, layers=(*network.layers[:-1], heavy))
    found = grids(with_grids(network, x, calibration(range_="mse")))
    for i, seen in activations(network, x).items():

        def lost(grid: Grid, seen: Array = seen) -> float:
            return float(np.sqrt(np.mean((step_through(seen, grid) - seen) ** 2)))

        every = [
            lost(affine.asymmetric(factor * seen.min(), factor * seen.max(), 8))
            for factor in np.linspace(0.3, 1, 71)
        ]
        # Each value counts as the middle of its bin: the distances to the grid of both candidates
        # are off by half a bin at most.
        assert lost(found[i]) <= min(every) + (seen.max() - seen.min()) / BINS


def test_the_range_of_least_error_is_smaller_where_few_values_are_far_out() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(20_000, 10))
    x[7, 3], x[8, 3] = 9, -9
    network = Network(
        (random_layer(rng, 2, 10),), Signature(Columns(tuple("abcdefghij")), Numbers("", ""))
    )
    wide, narrow = (
        grids(with_grids(network, x, calibration(range_=range_)))[-1]
        for range_ in ("minmax", "mse")
    )
    assert 0.4 * wide.scale < narrow.scale < 0.75 * wide.scale


@pytest.mark.parametrize("range_", RANGES)
def test_where_relu_follows_the_range_begins_at_0(range_: str) -> None:
    rng = np.random.default_rng(6)
    found = grids(with_grids(random_cnn(rng), random_images(rng, 60), calibration(range_=range_)))
    assert {i: int(grid.zero_point) for i, grid in found.items() if i in (1, 4, 6)} == {
        1: 0,
        4: 0,
        6: 0,
    }
    assert found[7].zero_point > 0  # the outputs of a linear layer are of both signs


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize(("mean", "std"), [(40.0, 70.0), (33.0, 78.5674), (0.0, 1.0), (128.0, 3.3)])
def test_where_the_mean_is_whole_the_codes_of_pixels_are_the_pixels(
    range_: str, mean: float, std: float
) -> None:
    rng = np.random.default_rng(7)
    network, x = random_cnn(rng), random_images(rng, 60)
    scaler = Standardize(np.array([mean]), np.array([std]))
    network = replace(network, layers=(scaler, *network.layers[1:]))
    found = with_grids(network, x, calibration(range_=range_))
    assert np.array_equal(first_codes(found, x), x)
    every = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)
    assert np.array_equal(first_codes(found, every), every)


@pytest.mark.parametrize("range_", RANGES)
def test_the_order_of_the_rows_makes_no_difference(range_: str) -> None:
    rng = np.random.default_rng(8)
    network, x = random_cnn(rng), random_images(rng, 130)
    first = plain(grids(with_grids(network, x, calibration(range_=range_))))
    again = plain(grids(with_grids(network, x[::-1], calibration(range_=range_))))
    assert first == again


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("together", [1, 7, 1000])
def test_the_size_of_a_batch_makes_no_difference(
    range_: str, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(9)
    network, x = random_cnn(rng), random_images(rng, 130)
    first = plain(grids(with_grids(network, x, calibration(range_=range_))))
    monkeypatch.setattr(spool, "_TOGETHER", together)
    assert plain(grids(with_grids(network, x, calibration(range_=range_)))) == first


def peak(work: Callable[[], object]) -> int:
    """The most memory that was in use at once during the work, in bytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("range_", RANGES)
def test_memory_does_not_grow_with_the_number_of_images(range_: str) -> None:
    rng = np.random.default_rng(10)
    network, x = random_cnn(rng), random_images(rng, 2000)
    how = calibration(range_=range_)
    with_grids(network, x[:50], how)
    few, many = (peak(lambda rows=rows: with_grids(network, x[:rows], how)) for rows in (200, 2000))
    assert many < 1.05 * few


def test_a_layer_that_saw_no_data_is_named() -> None:
    network = random_cnn(np.random.default_rng(11))
    nothing = np.zeros((0, 1, 8, 8), np.uint8)
    with pytest.raises(OctetError, match=r"^the input: saw no data"):
        with_grids(network, nothing, calibration())


@pytest.mark.parametrize("range_", RANGES)
def test_activations_that_are_all_zero_have_a_grid(range_: str) -> None:
    rng = np.random.default_rng(12)
    network = random_cnn(rng)
    network.layers[1].bias[:] = -1e6
    found = grids(with_grids(network, random_images(rng, 40), calibration(range_=range_)))
    assert plain({1: found[1]}) == {1: (1.0, 0, 8)}


@pytest.mark.parametrize("range_", RANGES)
@settings(fixed, max_examples=25)
@given(value=st.floats(-1e6, 1e6))
def test_a_constant_input_has_a_grid_that_reaches_it(range_: str, value: float) -> None:
    x = np.full((5, 1), value)
    network = Network(
        (random_layer(np.random.default_rng(0), 2, 1),), Signature(Columns(("a",)), Numbers("", ""))
    )
    grid = grids(with_grids(network, x, calibration(range_=range_)))[-1]
    # Half a step, or 0 in place of what is too small for a float32 scale.
    assert np.all(np.abs(step_through(x, grid) - x) <= 0.5 * float(grid.scale) * (1 + 1e-6) + 1e-37)


def test_a_table_without_a_scaler_is_coded_from_its_first_layer_on() -> None:
    rng = np.random.default_rng(13)
    network = Network(
        (random_layer(rng), random_layer(rng, 2, 3)),
        Signature(Columns(tuple("abcd")), Numbers("", "")),
    )
    found = with_grids(network, rng.normal(size=(60, 4)), calibration())
    assert [type(layer) for layer in found.layers] == [Quantize, Linear, Linear]
    assert sorted(grids(found)) == [-1, 0, 1]


def test_a_layer_whose_rows_are_flattened_keeps_its_grid() -> None:
    rng = np.random.default_rng(14)
    network = random_cnn(rng)
    layers = (*network.layers[:-2], Flatten(), random_layer(rng, 3, 20))
    found = with_grids(replace(network, layers=layers), random_images(rng, 40), calibration())
    assert sorted(grids(found)) == [-1, 1, 4, 7]
