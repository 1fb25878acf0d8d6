"""Which rows are picked, and the grids of activations that are taken from them."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Array, Codes, Grid
from octet.errors import OctetError
from octet.layers import Add, Dequantize, Gridded, Linear, Quantize, Relu, Standardize
from octet.network import Network, flow
from octet.quantizer import Calibration, spool
from octet.quantizer.calibration import pick, with_grids
from octet.runtime import floating, integer
from octet.signature import Columns, Numbers, Pixels, Signature
from tests.octet.quantizer.cases import branched, random_cnn, random_images, random_layer

fixed = settings(deadline=None, derandomize=True)
RANGES = ["minmax", "percentile", "mse"]
BINS = 4096  # of the histogram that percentile and mse go by
TAIL = 1e-4
NETWORKS = {"chain": random_cnn, "branched": branched}


def grids(network: Network) -> dict[int, Grid]:
    """The grid of the input as 0, and of what leaves each layer of the float network."""
    in_float = [x for x in network.layers if not isinstance(x, Quantize | Dequantize)]
    (entry,) = [layer.grid for layer in network.layers if isinstance(layer, Quantize)]
    return {0: entry} | {
        i: layer.output
        for i, layer in enumerate(in_float)
        if isinstance(layer, Gridded) and layer.output is not None
    }


def plain(by_place: dict[int, Grid]) -> dict[int, tuple[float, int, int]]:
    return {i: (float(g.scale), int(g.zero_point), g.bits) for i, g in by_place.items()}


def activations(network: Network, x: Pixels, shown: dict[int, int]) -> dict[int, Array]:
    """What leaves the layers, all rows at once; a layer is shown by what another leaves of it."""
    every = dict(flow(network.layers, x.astype(np.float64), floating.step))
    return {i: every[shown.get(i, i)] for i in [0, *gridded(network)]}


def gridded(network: Network) -> list[int]:
    return [i for i, layer in enumerate(network.layers) if isinstance(layer, Gridded)]


# Of each network: what clips the layers that are clipped, and are needed by nobody else.
SHOWN = {"chain": {1: 2, 4: 5}, "branched": {1: 2, 4: 5}}


def table(*layers: Linear) -> Network:
    features = tuple(f"x{i}" for i in range(layers[0].weight.shape[1]))
    return Network(layers, Signature(Columns(features), Numbers("", "")))


@pytest.mark.parametrize("rows", [1, 7, 100, None])
def test_rows_are_picked_by_the_seed_none_of_them_twice_and_in_their_order(
    rows: int | None,
) -> None:
    x = np.arange(100.0)[:, None]
    picked, again, other = (pick(x, Calibration(rows, seed)) for seed in (3, 3, 4))
    assert len(set(picked[:, 0])) == len(picked) == (rows or 100)
    assert np.array_equal(picked, np.sort(picked, axis=0))
    assert np.array_equal(picked, again)
    assert np.array_equal(picked, other) == (rows in (100, None))
    # Whatever the rows hold.
    values = np.random.default_rng(0).normal(size=(100, 3))
    chosen = picked[:, 0].astype(int)
    assert np.array_equal(pick(values, Calibration(rows, 3)), values[chosen])


def test_where_nobody_says_how_many_a_thousand_are_enough() -> None:
    assert len(pick(np.zeros((5000, 1)), Calibration())) == 1000


def test_every_row_has_the_same_chance() -> None:
    """Of 400 seeds each row is picked by some 100; 5 deviations are 43."""
    rows, counts = np.arange(20.0)[:, None], np.zeros(20)
    for seed in range(400):
        counts[pick(rows, Calibration(5, seed))[:, 0].astype(int)] += 1
    assert np.all(np.abs(counts - 100) < 43)


@pytest.mark.parametrize("there", [0, 9])
def test_more_rows_than_there_are_are_refused(there: int) -> None:
    with pytest.raises(OctetError, match=f"^quant.calibration: got 10 rows .* 1 to {there}, "):
        pick(np.zeros((there, 2)), Calibration(10))


def test_a_layer_that_saw_no_data_is_named() -> None:
    with pytest.raises(OctetError, match=r"^the input: saw no data"):
        with_grids(random_cnn(np.random.default_rng(11)), np.zeros((0, 1, 8, 8)), Calibration())


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("name", NETWORKS)
def test_all_that_computes_gets_a_grid_of_uint8_and_nothing_else_changes(
    name: str, range_: str
) -> None:
    rng = np.random.default_rng(0)
    network = NETWORKS[name](rng)
    calibrated = with_grids(network, random_images(rng, 40), Calibration(range=range_))
    assert sorted(grids(calibrated)) == [0, *gridded(network)]
    for grid in grids(calibrated).values():
        assert (grid.bits, grid.scale.shape, grid.zero_point.dtype) == (8, (), np.uint8)
    kinds = [layer.kind for layer in calibrated.layers]
    assert kinds[:2] == ["standardize", "quantize"]
    assert kinds[-2:] == {"chain": ["global_average_pool", "linear"]}.get(
        name, ["dequantize", "softmax"]
    )
    stayed = [x for x in calibrated.layers if not isinstance(x, Quantize | Dequantize)]
    for before, after in zip(network.layers, stayed, strict=True):
        bare = replace(after, output=None) if isinstance(after, Gridded) else after
        assert vars(bare) == vars(before)
    assert calibrated.signature == network.signature


@pytest.mark.parametrize("name", NETWORKS)
def test_minmax_spans_all_that_was_seen_or_what_a_clip_leaves_of_it(name: str) -> None:
    rng = np.random.default_rng(1)
    network, x = NETWORKS[name](rng), random_images(rng, 123)
    by_place = grids(with_grids(network, x, Calibration(range="minmax")))
    for i, seen in activations(network, x, SHOWN[name]).items():
        assert plain({i: by_place[i]}) == plain({i: affine.asymmetric(seen.min(), seen.max(), 8)})


@pytest.mark.parametrize("range_", RANGES)
def test_a_layer_that_is_clipped_begins_at_0_unless_another_needs_what_is_below(
    range_: str,
) -> None:
    rng = np.random.default_rng(6)
    network, x = branched(rng), random_images(rng, 60)
    alone = grids(with_grids(network, x, Calibration(range=range_)))
    assert alone[1].zero_point == alone[4].zero_point == 0
    # The second branch takes the convolution itself now, past its clip.
    layers = list(network.layers)
    layers[1] = replace(layers[1], name="raw")
    layers[4] = Add(inputs=("raw", "left"))
    both = grids(with_grids(replace(network, layers=tuple(layers)), x, Calibration(range=range_)))
    assert both[1].zero_point > 0


def test_percentile_leaves_out_one_value_in_ten_thousand_at_each_end() -> None:
    rng = np.random.default_rng(2)
    network, x = random_cnn(rng), random_images(rng, 400)
    by_place = grids(with_grids(network, x, Calibration(range="percentile")))
    for i, seen in activations(network, x, SHOWN["chain"]).items():
        width = (seen.max() - seen.min()) / BINS
        ends = affine.dequantize(np.array([0, 255]), by_place[i])
        step = float(by_place[i].scale)
        # The ends of the grid are those of the range but for the rounding of its zero point.
        low, high = np.quantile(seen, [TAIL, 1 - TAIL], method="inverted_cdf")
        assert ends[0] == pytest.approx(min(low, 0), abs=width + step / 2)
        assert ends[1] == pytest.approx(max(high, 0), abs=width + step / 2)
        assert np.mean(seen < ends[0] - step / 2) <= TAIL
        assert np.mean(seen > ends[1] + step / 2) <= TAIL
        if by_place[i].zero_point == 0:  # the upper end alone has made the scale
            assert high * (1 - 1e-6) <= ends[1] <= (high + width) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("range_", "rows", "outliers", "narrower"),
    # The histogram spans the outliers, so a bin of it is 3000 / 4096 wide.
    [
        ("percentile", (30_000, 1), (1000, -2000), (0, (9 + 3 * 3000 / BINS) / 3000)),
        ("mse", (20_000, 10), (9, -9), (0.4, 0.75)),
    ],
)
def test_lone_outliers_are_cut_off(
    range_: str,
    rows: tuple[int, int],
    outliers: tuple[float, float],
    narrower: tuple[float, float],
) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=rows)
    x[7, 0], x[8, 0] = outliers
    network = table(random_layer(rng, 2, rows[1]))
    wide, narrow = (
        float(with_grids(network, x, Calibration(len(x), range=each)).layers[0].grid.scale)
        for each in ("minmax", range_)
    )
    assert wide == pytest.approx((max(outliers) - min(outliers)) / 255, rel=1e-6)
    assert narrower[0] * wide < narrow < narrower[1] * wide


def test_the_range_of_least_error_is_the_best_of_the_shrunk_ones() -> None:
    rng = np.random.default_rng(4)
    network, x = random_cnn(rng), random_images(rng, 100)
    heavy = Linear(rng.standard_cauchy((3, 5)), rng.normal(size=3))
    network = replace(network, layers=(*network.layers[:-1], heavy))
    by_place = grids(with_grids(network, x, Calibration(range="mse")))
    for i, seen in activations(network, x, SHOWN["chain"]).items():

        def lost(grid: Grid, seen: Array = seen) -> float:
            through = affine.dequantize(affine.quantize(seen, grid), grid)
            return float(np.sqrt(np.mean((through - seen) ** 2)))

        every = [
            lost(affine.asymmetric(factor * seen.min(), factor * seen.max(), 8))
            for factor in np.linspace(0.3, 1, 71)
        ]
        # Each value counts as the middle of its bin: the distances to the grid of both candidates
        # are off by half a bin at most.
        assert lost(by_place[i]) <= min(every) + (seen.max() - seen.min()) / BINS


def first_codes(network: Network, x: Pixels) -> Codes:
    """The codes with which the integers begin."""
    return next(integer.trace(network, x))[2]


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize(("mean", "std"), [(40.0, 70.0), (33.0, 78.5674), (0.0, 1.0), (128.0, 3.3)])
def test_where_the_mean_is_whole_the_codes_of_pixels_are_the_pixels(
    range_: str, mean: float, std: float
) -> None:
    rng = np.random.default_rng(7)
    network, x = random_cnn(rng), random_images(rng, 60)
    scaler = Standardize(np.array([mean]), np.array([std]))
    network = replace(network, layers=(scaler, *network.layers[1:]))
    calibrated = with_grids(network, x, Calibration(range=range_))
    every = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)
    for pixels in (x, every):
        assert np.array_equal(first_codes(calibrated, pixels), pixels)


@pytest.mark.parametrize("range_", RANGES)
def test_neither_the_order_of_the_rows_nor_the_size_of_a_batch_makes_a_difference(
    range_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(8)
    network, x = branched(rng), random_images(rng, 130)
    first = plain(grids(with_grids(network, x, Calibration(range=range_))))
    assert plain(grids(with_grids(network, x[::-1], Calibration(range=range_)))) == first
    for together in (1, 7, 1000):
        monkeypatch.setattr(spool, "_TOGETHER", together)
        assert plain(grids(with_grids(network, x, Calibration(range=range_)))) == first


@pytest.mark.parametrize("range_", RANGES)
def test_memory_does_not_grow_with_the_number_of_images(range_: str) -> None:
    rng = np.random.default_rng(10)
    network, x = random_cnn(rng), random_images(rng, 2000)
    peaks = []
    for rows in (50, 200, 2000):  # the first only warms up
        tracemalloc.start()
        with_grids(network, x[:rows], Calibration(range=range_))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.05 * peaks[1]


@pytest.mark.parametrize("range_", RANGES)
def test_activations_that_are_all_zero_have_a_grid(range_: str) -> None:
    rng = np.random.default_rng(12)
    network = random_cnn(rng)
    network.layers[1].bias[:] = -1e6
    by_place = grids(with_grids(network, random_images(rng, 40), Calibration(range=range_)))
    assert plain({1: by_place[1]}) == {1: (1.0, 0, 8)}


@pytest.mark.parametrize("range_", RANGES)
@settings(fixed, max_examples=25)
@given(value=st.floats(-1e6, 1e6))
def test_a_constant_input_has_a_grid_that_reaches_it(range_: str, value: float) -> None:
    x = np.full((5, 1), value)
    network = table(random_layer(np.random.default_rng(0), 2, 1))
    entry = with_grids(network, x, Calibration(range=range_)).layers[0]
    # Half a step, or 0 in place of what is too small for a float32 scale.
    allowed = 0.5 * float(entry.grid.scale) * (1 + 1e-6) + 1e-37
    assert np.all(np.abs(entry.reals(x) - x) <= allowed)


def test_who_takes_the_scaler_or_the_input_by_name_takes_its_codes() -> None:
    rng = np.random.default_rng(13)
    x, features = rng.normal(size=(60, 4)), tuple("abcd")
    square, last = random_layer(rng, 4, 4), random_layer(rng, 2, 4)
    for head, name in (
        ((Standardize(np.zeros(4), np.ones(4), name="scaled"),), "scaled"),
        ((), "input"),
    ):
        layers = (*head, replace(square, name="left"), Add(inputs=(name, "left")), Relu(), last)
        network = Network(layers, Signature(Columns(features), Numbers("", "")))
        calibrated = with_grids(network, x, Calibration())
        kinds = [layer.kind for layer in calibrated.layers]
        assert kinds == [
            *(each.kind for each in head),
            "quantize",
            "linear",
            "add",
            "relu",
            "linear",
        ]
        # All inputs of the sum are in codes: what a layer takes by name is what is before it.
        assert calibrated.layers[-3].inputs[0] == calibrated.layers[len(head)].name
    past = replace(
        network, layers=(*network.layers[:0], Standardize(np.zeros(4), np.ones(4)), *layers)
    )
    with pytest.raises(OctetError, match="takes the input by its name, as it was before"):
        with_grids(past, x, Calibration())
