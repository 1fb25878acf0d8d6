"""Networks of images in integers: near to the float network, and in the same bytes every time."""

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from octet.affine import Array, Grid
from octet.errors import OctetError
from octet.layers import Flatten, GlobalAveragePool, Layer, Quantize, Weighted
from octet.modelfile import storage
from octet.network import Network, label
from octet.parameters import Int32, Quantized, values
from octet.quantizer import Calibration, Config, calibration, quantize, quantize_apart
from octet.quantizer.hessian import Moments
from octet.quantizer.layer import for_integers, weights_only
from octet.runtime import floating, inference, integer
from octet.signature import Pixels
from tests.octet.quantizer.cases import (
    ROUNDINGS,
    config,
    digits,
    random_cnn,
    random_images,
    random_layer,
)

SHARING = [
    ("per_tensor", "asymmetric"),
    ("per_tensor", "symmetric"),
    ("per_channel", "symmetric"),
]
ROWS = 60


def integers(**changes: Any) -> Config:
    return config(
        **{
            "activations": "uint8",
            "calibration": Calibration(ROWS, 0, "minmax"),
            **changes,
        }
    )


def small(seed: int = 0, rows: int = ROWS) -> tuple[Network, Pixels]:
    rng = np.random.default_rng(seed)
    return random_cnn(rng), random_images(rng, rows)


def in_float(layers: tuple[Layer, ...]) -> list[Layer]:
    return [
        replace(layer, output=None) if isinstance(layer, Weighted | GlobalAveragePool) else layer
        for layer in layers
        if not isinstance(layer, Quantize)
    ]


def sqnr(reference: Array, outputs: Array) -> float:
    return 10 * float(np.log10(np.sum(reference**2) / np.sum((outputs - reference) ** 2)))


def entering(layers: tuple[Layer, ...], i: int) -> Grid:
    """The grid of what enters layer i."""
    grids = [
        layer.grid if isinstance(layer, Quantize) else layer.output
        for layer in layers[:i]
        if isinstance(layer, Quantize | Weighted | GlobalAveragePool)
    ]
    assert grids[-1] is not None
    return grids[-1]


def whole_moments(before: tuple[Layer, ...], network: Network, i: int, x: Pixels) -> Moments:
    """Moments of layer i behind ``before``, all rows at once."""
    rows = x.astype(np.float64)
    layer = network.layers[i]
    assert isinstance(layer, Weighted)
    grid = entering(before, len(before))
    steps = np.rint(floating.through(before, rows) / float(grid.scale))
    steps = layer.patches(steps)[:, 0]
    given = floating.through(network.layers[: i + 1], rows)
    flat, given = (a.swapaxes(0, 1).reshape(a.shape[1], -1) for a in (steps, given))
    seen = Moments(len(flat), len(given))
    seen.add(flat, given)
    return seen


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_all_layers_compute_in_integers_near_to_the_float_network(
    granularity: str, scheme: str, rounding: str, tmp_path: Path
) -> None:
    network, x = small()
    how = integers(granularity=granularity, scheme=scheme, rounding=rounding)
    found = quantize(network, x, how)
    assert isinstance(found.layers[1], Quantize)
    weighted = [layer for layer in found.layers if isinstance(layer, Weighted)]
    for layer in weighted:
        assert isinstance(layer.weight, Quantized)
        assert isinstance(layer.bias, Int32)
        assert layer.output is not None
    assert list(found.rounding) == ["1_conv2d", "4_conv2d", "7_linear"]
    assert {figures["rows"] for figures in found.rounding.values()} == {4, 5, 3}
    new = random_images(np.random.default_rng(1), 100)
    reference, outputs = inference.run(network, new), inference.run(found, new)
    assert sqnr(reference, outputs) > 20
    assert np.mean(np.argmax(reference, axis=1) == np.argmax(outputs, axis=1)) > 0.9
    # A file takes it, and gives back what computes the same.
    path = tmp_path / "model.safetensors"
    path.write_bytes(storage.dump_network(found))
    assert np.array_equal(inference.run(storage.load_network(path), new), outputs)


def test_the_digits_are_recognised_in_integers_as_in_float() -> None:
    network, data = digits()
    found = quantize(
        network,
        data.x_train,
        integers(
            granularity="per_channel",
            rounding="exact",
            range="mse",
            calibration=Calibration(300, 0, "mse"),
        ),
    )
    reference, outputs = inference.run(network, data.x_test), inference.run(found, data.x_test)
    in_float, in_codes = (
        np.mean(np.argmax(each, axis=1) == data.y_test) for each in (reference, outputs)
    )
    assert in_float > 0.95
    assert in_codes > in_float - 0.01
    assert np.mean(np.argmax(reference, axis=1) == np.argmax(outputs, axis=1)) > 0.98
    assert sqnr(reference, outputs) > 25


def test_more_bits_are_nearer_to_the_float_network() -> None:
    network, data = digits()
    reference = inference.run(network, data.x_test)

    def ratio(bits: int, rounding: str) -> float:
        how = integers(granularity="per_channel", rounding=rounding, bits=bits)
        found = quantize(network, data.x_train, how)
        return sqnr(reference, inference.run(found, data.x_test))

    for rounding in ROUNDINGS:
        ratios = [ratio(bits, rounding) for bits in (2, 3, 5, 8)]
        assert ratios == sorted(ratios)
        assert ratios[-1] > ratios[0] + 10


@pytest.mark.parametrize("rounding", ROUNDINGS[1:])
def test_what_a_layer_gives_has_the_mean_of_what_it_should_give(rounding: str) -> None:
    network, x = small(3)
    found = quantize(network, x, integers(rounding=rounding, bits=4))
    rows = x.astype(np.float64)
    for i, layer in enumerate(found.layers):
        if isinstance(layer, Weighted):
            sums = replace(layer, output=None)
            given = floating.through((*found.layers[:i], sums), rows)
            should = floating.through(network.layers[:i], rows)  # without the Quantize
            others = (0, *range(2, given.ndim))
            off = np.mean(given - should, axis=others)
            allowed = layer.bias.scale / 2 + 2.0**-20 * np.max(np.abs(should))
            assert np.all(np.abs(off) <= allowed)


def test_each_layer_is_quantized_on_what_those_before_it_give_in_codes() -> None:
    network, x = small(4)
    how = integers(rounding="gptq", bits=4)
    found = quantize(network, x, how)
    for i, layer in enumerate(found.layers):
        if isinstance(layer, Weighted):
            before = found.layers[:i]
            seen = whole_moments(before, network, i - 1, x)
            name = label(found.layers, i)
            bare = replace(network.layers[i - 1], output=layer.output)
            expected, figures = for_integers(bare, [seen], entering(found.layers, i), how, name)
            assert np.array_equal(layer.weight.codes, expected.weight.codes)
            assert layer.output is expected.output
            # Batches have units of their own, which shows in the last bits of what is given.
            assert found.rounding[name] == pytest.approx(figures, rel=1e-3)


@pytest.mark.parametrize("activations", ["uint8", "none"])
def test_apart_each_layer_is_quantized_as_if_it_were_the_only_one(activations: str) -> None:
    network, x = small(5)
    how = integers(rounding="gptq", activations=activations)
    coded = calibration.with_grids(network, x, how.calibration)
    for bits, found in quantize_apart(network, x, how, (6, 3)).items():
        at_width = replace(how, bits=bits)
        layers = [layer for layer in found.layers if not isinstance(layer, Quantize)]
        for i, layer in enumerate(layers):
            if isinstance(layer, Weighted):
                grid, name = entering(coded.layers, i + 1), f"{i}_{type(layer).__name__.lower()}"
                seen = whole_moments(coded.layers[: i + 1], network, i, x)
                bare = network.layers[i]
                if activations == "uint8":
                    expected, _ = for_integers(bare, [seen], grid, at_width, name)
                else:
                    hessian = seen.hessian(float(grid.scale))
                    expected, _ = weights_only(bare, [hessian], at_width, name)
                assert layer.weight.grid.bits == bits
                assert np.array_equal(layer.weight.codes, expected.weight.codes)


@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel", "per_parameter", "unified"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_weights_only_leaves_no_grids_of_activations(granularity: str, rounding: str) -> None:
    network, x = small(6)
    how = integers(granularity=granularity, rounding=rounding, activations="none")
    found = quantize(network, x, how)
    assert not integer.is_integer(found)
    assert [type(layer) for layer in found.layers] == [type(layer) for layer in network.layers]
    for layer in found.layers:
        assert getattr(layer, "output", None) is None
        if isinstance(layer, Weighted):
            assert isinstance(layer.weight, Quantized)
            assert isinstance(layer.bias, Quantized)
    assert list(found.rounding) == ["1_conv2d", "4_conv2d", "7_linear"]
    assert not any("largest_sum" in figures for figures in found.rounding.values())
    assert sqnr(inference.run(network, x), inference.run(found, x)) > 25


def test_only_the_calibration_rows_matter() -> None:
    network, x = small(7, rows=100)
    how = integers(calibration=Calibration(20, 3, "minmax"))
    chosen = {row.tobytes() for row in calibration.pick(x, how.calibration)}
    others = [i for i, row in enumerate(x) if row.tobytes() not in chosen]
    assert len(others) == 80
    changed = x.copy()
    changed[others] = 255
    first, second = (storage.dump_network(quantize(network, rows, how)) for rows in (x, changed))
    assert first == second


@pytest.mark.parametrize("activations", ["uint8", "none"])
def test_the_same_bytes_come_out_twice_and_on_any_number_of_threads(activations: str) -> None:
    network, data = digits()
    how = integers(
        activations=activations, granularity="per_channel", rounding="exact", range="mse", bits=4
    )
    dumped = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            dumped.append(storage.dump_network(quantize(network, data.x_train, how)))
    assert dumped[0] == dumped[1]


def test_memory_does_not_grow_with_the_number_of_images() -> None:
    network, x = small(8, rows=1500)
    peaks = []
    for rows in (50, 150, 1500):  # the first only warms up
        how = integers(calibration=Calibration(rows, 0, "minmax"))
        tracemalloc.start()
        quantize(network, x, how)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_flattened_images_are_quantized_like_pooled_ones(rounding: str) -> None:
    network, x = small(9)
    rng = np.random.default_rng(9)
    layers = (*network.layers[:-2], Flatten(), random_layer(rng, 3, 20))
    network = replace(network, layers=layers)
    found = quantize(network, x, integers(rounding=rounding))
    assert sqnr(inference.run(network, x), inference.run(found, x)) > 20


@pytest.mark.parametrize(
    ("activations", "rounding"), [*(("uint8", how) for how in ROUNDINGS), ("none", "gptq")]
)
def test_one_calibration_image_is_enough(activations: str, rounding: str) -> None:
    network, x = small(10)
    how = integers(
        rounding=rounding,
        activations=activations,
        calibration=Calibration(1, 0, "minmax"),
    )
    found = quantize(network, x, how)
    assert np.all(np.isfinite(inference.run(found, x)))


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_layer_that_gives_nothing_but_zeros_is_no_obstacle(rounding: str) -> None:
    network, x = small(11)
    network.layers[1].bias[:] = -100.0
    found = quantize(network, x, integers(rounding=rounding))
    outputs, reference = inference.run(found, x), inference.run(network, x)
    assert np.max(np.abs(outputs - reference)) < 2 * float(integer.output_grid(found).scale)


@pytest.mark.parametrize("activations", ["uint8", "none"])
@pytest.mark.parametrize("value", [0.0, 0.7])
def test_a_layer_that_was_never_trained_is_named(activations: str, value: float) -> None:
    network, x = small(12)
    network.layers[4].weight[:] = value
    for work in (quantize, lambda *given: quantize_apart(*given, (8,))):
        with pytest.raises(OctetError, match=rf"^layer 4_conv2d: weight: got {value:g} for every"):
            work(network, x, integers(activations=activations))


@pytest.mark.parametrize("activations", ["uint8", "none"])
@pytest.mark.parametrize("part", ["weight", "bias"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_named(activations: str, part: str, bad: float) -> None:
    network, x = small(13)
    getattr(network.layers[4], part).flat[1] = bad
    with pytest.raises(OctetError, match=rf"^layer 4_conv2d: {part}: got {bad} at index"):
        quantize(network, x, integers(activations=activations))


@pytest.mark.parametrize("left", [1e-6, 1e-9, 1e-12])
def test_a_filter_that_has_died_is_its_bias(left: float) -> None:
    network, x = small(14)
    network.layers[1].weight[2] *= left
    network.layers[1].bias[2] = 1.0
    made = quantize(network, x, integers(granularity="per_channel"))
    layer = made.layers[2]
    assert values(layer.bias)[2] == pytest.approx(1.0, rel=1e-3)
    assert np.all(np.abs(values(layer.weight)[2]) < 1e-5)


def test_more_calibration_images_than_there_are_are_refused() -> None:
    network, x = small(15)
    how = integers(calibration=Calibration(ROWS + 1, 0, "minmax"))
    for work in (quantize, lambda *given: quantize_apart(*given, (8,))):
        with pytest.raises(
            OctetError, match=f"got {ROWS + 1} rows to take; allowed are 1 to {ROWS}"
        ):
            work(network, x, how)


def test_a_network_is_not_quantized_twice() -> None:
    network, x = small(16)
    once = quantize(network, x, integers())
    for work in (quantize, lambda *given: quantize_apart(*given, (8,))):
        with pytest.raises(OctetError, match="quantized already"):
            work(once, x, integers())
