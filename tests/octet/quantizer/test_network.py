"""Whole networks in codes: near to the float network, the codes of ONNX Runtime, the same bytes."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from threadpoolctl import threadpool_limits

from octet.affine import Array
from octet.exporters import onnx as export
from octet.layers import Softmax, Weighted, in_reals
from octet.modelfile import storage
from octet.network import flow, label, signals, sources
from octet.parameters import Int32, Quantized, values
from octet.quantizer import (
    Calibration,
    calibrate,
    quantize,
    quantize_apart,
    quantize_calibrated,
)
from octet.quantizer.calibration import pick
from octet.quantizer.hessian import Hessians, Moments, second_moments
from octet.quantizer.layer import for_integers, weights_only
from octet.quantizer.spool import Spool
from octet.runtime import floating, inference, integer
from tests.octet.networks import output_grid
from tests.octet.quantizer.cases import (
    GRANULARITIES,
    ROUNDINGS,
    config,
    digits,
)
from tests.octet.quantizer.networks import (
    NETWORKS,
    branches,
    images,
    integers,
    table,
)

SHARING = [
    ("per_tensor", "asymmetric"),
    ("per_tensor", "symmetric"),
    ("per_channel", "symmetric"),
]


def sqnr(reference: Array, outputs: Array) -> float:
    return 10 * float(np.log10(np.sum(reference**2) / np.sum((outputs - reference) ** 2)))


@pytest.mark.parametrize(("granularity", "scheme"), SHARING)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", NETWORKS)
def test_all_layers_compute_in_integers_near_to_the_float_network_and_as_onnxruntime(
    name: str, granularity: str, scheme: str, rounding: str, tmp_path: Path
) -> None:
    network, x = NETWORKS[name]()
    told: list[str] = []
    how = integers(granularity=granularity, scheme=scheme, rounding=rounding)
    quantized = quantize(network, x, how, told.append)
    weighted = [layer for layer in quantized.layers if isinstance(layer, Weighted)]
    for layer in weighted:
        assert isinstance(layer.weight, Quantized)
        assert isinstance(layer.bias, Int32)
    labels = [
        label(network.layers, i)
        for i, layer in enumerate(network.layers)
        if isinstance(layer, Weighted)
    ]
    assert list(quantized.rounding) == told == labels
    rows = [report["rows"] for report in quantized.rounding.values()]
    assert rows == [layer.outputs for layer in weighted]
    _, new = NETWORKS[name](1, 100)
    reference, outputs = inference.run(network, new), inference.run(quantized, new)
    assert sqnr(reference, outputs) > 20
    # A file takes it, and gives back what computes the same.
    path = tmp_path / "model.safetensors"
    path.write_bytes(storage.dump_network(quantized))
    assert np.array_equal(inference.run(storage.load_network(path), new), outputs)
    # Softmax is in float; all before it is in codes, and they are those of ONNX Runtime.
    kept = quantized.layers
    kept = kept[:-2] if isinstance(kept[-1], Softmax) else kept
    logits = replace(quantized, layers=kept)
    session = onnxruntime.InferenceSession(
        export.to_onnx(logits).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (given,) = session.run(None, {export.INPUT: new.astype(np.float64)})
    assert np.array_equal(given, inference.run(logits, new))


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("name", NETWORKS)
def test_weights_only_changes_nothing_but_the_weights(name: str, granularity: str) -> None:
    network, x = NETWORKS[name]()
    quantized = quantize(network, x, integers(granularity=granularity, activations="none"))
    assert not integer.is_integer(quantized)
    for before, after in zip(network.layers, quantized.layers, strict=True):
        if isinstance(after, Weighted):
            assert isinstance(after.weight, Quantized)
            assert isinstance(after.bias, Quantized)
            assert vars(replace(after, weight=before.weight, bias=before.bias)) == vars(before)
        else:
            assert after is before
    assert not any("largest_sum" in report for report in quantized.rounding.values())
    assert sqnr(inference.run(network, x), inference.run(quantized, x)) > 20


def moments(layer: Weighted, x: Array, y: Array, scale: float) -> list[Moments]:
    """Of what each group of a layer sees and should give, all rows at once."""
    seen = layer.patches(np.rint(x / scale))
    wanted = y.swapaxes(0, 1).reshape(layer.group_count, -1, *y.shape[:1], *y.shape[2:])
    each = []
    for g in range(layer.group_count):
        flat, given = (a[g].reshape(a.shape[1], -1) for a in (seen, wanted))
        each.append(Moments(len(flat), len(given)))
        each[-1].add(flat, given)
    return each


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("activations", ["uint8", "none"])
@pytest.mark.parametrize("name", ["images", "branches"])
def test_each_layer_is_quantized_on_what_it_sees(name: str, activations: str, apart: bool) -> None:
    network, x = NETWORKS[name](4)
    how = integers(rounding="gptq", bits=4, activations=activations)
    grids = calibrate(network, x, how.calibration).network
    quantized = quantize_apart(network, x, how, (4,))[4] if apart else quantize(network, x, how)
    codes = [layer for layer in quantized.layers if isinstance(layer, Weighted)]
    in_float = dict(flow(network.layers, x.astype(np.float64), floating.step))
    # What those before it give: in integers, or, where each is quantized apart, on the grids alone.
    in_integers = activations == "uint8" and not apart
    before, step = (quantized, integer.step) if in_integers else (grids, floating.step)
    seen = dict(flow(before.layers, x.astype(np.float64), step))
    places = [i for i, layer in enumerate(network.layers) if isinstance(layer, Weighted)]
    for i, layer in zip(places, codes, strict=True):
        at = i + 1  # behind the Quantize
        (source,) = sources(grids.layers)[at]
        entering = signals(grids)[source].grid
        scale = float(entering.scale)
        sums = moments(layer, in_reals(seen[source]), in_float[i], scale)
        name, bare = label(network.layers, i), network.layers[i]
        if activations == "uint8":
            expected, report = for_integers(bare, sums, entering, how, name)
        else:
            expected, report = weights_only(
                bare, Hessians([g.hessian(scale) for g in sums]), how, name
            )
        assert np.array_equal(layer.weight.codes, expected.weight.codes)
        # Batches have units of their own, which shows in the last bits of what is given.
        assert quantized.rounding[name] == pytest.approx(report, rel=1e-3)


def test_the_layers_of_a_table_see_its_numbers_as_they_are_and_widths_do_not_know_each_other() -> (
    None
):
    network, x = table(11)
    how = config(rounding="exact", bits=5)
    in_float = dict(flow(network.layers, x, floating.step))
    for bits, quantized in quantize_apart(network, x, how, (3, 6)).items():
        at_width, reports = replace(how, bits=bits), {}
        for i in (1, 2):
            name = label(network.layers, i)
            hessian = second_moments(in_float[i - 1])
            layer, reports[name] = weights_only(
                network.layers[i], Hessians([hessian]), at_width, name
            )
            assert quantized.layers[i].weight.codes.tolist() == layer.weight.codes.tolist()
            assert quantized.layers[i].bias.codes.tolist() == layer.bias.codes.tolist()
        assert quantized.rounding == quantize(network, x, at_width).rounding == reports


@pytest.mark.parametrize("rounding", ROUNDINGS[1:])
@pytest.mark.parametrize("name", ["images", "branches"])
def test_what_a_layer_gives_has_the_mean_of_what_it_should_give(name: str, rounding: str) -> None:
    network, x = NETWORKS[name](3)
    quantized = quantize(network, x, integers(rounding=rounding, bits=4))
    sums = [
        replace(layer, output=None) if isinstance(layer, Weighted) else layer
        for layer in quantized.layers
    ]
    wanted = dict(flow(network.layers, x.astype(np.float64), floating.step))
    actual = dict(flow(quantized.layers, x.astype(np.float64), floating.step))
    for i, layer in enumerate(sums):
        if isinstance(layer, Weighted):
            (source,) = sources(quantized.layers)[i]
            off = layer.reals(actual[source]) - wanted[i - 1]  # without the Quantize
            mean = np.mean(off, axis=(0, *range(2, off.ndim)))
            known = 2.0**-20 * np.max(np.abs(wanted[i - 1]))
            assert np.all(np.abs(mean) <= layer.bias.scale / 2 + known)


def test_the_digits_are_recognised_in_integers_as_in_float_and_more_bits_are_nearer() -> None:
    network, data = digits()
    how = integers(granularity="per_channel", calibration=Calibration(300))
    reference = inference.run(network, data.x_test)
    right = np.argmax(reference, axis=1) == data.y_test
    assert np.mean(right) > 0.95
    for rounding in ROUNDINGS:
        ratios = []
        for bits in (2, 3, 5, 8):
            range_ = "mse" if (rounding, bits) == ("exact", 8) else "minmax"
            way = replace(how, rounding=rounding, bits=bits, range=range_)
            outputs = inference.run(quantize(network, data.x_train, way), data.x_test)
            ratios.append(sqnr(reference, outputs))
        assert ratios == sorted(ratios)
        assert ratios[-1] > max(25, ratios[0] + 10)
    in_codes = np.argmax(outputs, axis=1)
    assert np.mean(in_codes == data.y_test) > np.mean(right) - 0.01
    assert np.mean(in_codes == np.argmax(reference, axis=1)) > 0.98


def test_only_the_calibration_rows_matter() -> None:
    network, x = images(7, rows=100)
    how = integers(calibration=Calibration(20, 3, "minmax"))
    chosen = {row.tobytes() for row in pick(x, how.calibration)}
    others = [i for i, row in enumerate(x) if row.tobytes() not in chosen]
    assert len(others) == 80
    changed = x.copy()
    changed[others] = 255
    first, second = (storage.dump_network(quantize(network, rows, how)) for rows in (x, changed))
    assert first == second


@pytest.mark.parametrize("activations", ["uint8", "none"])
def test_the_same_bytes_come_out_twice_and_on_any_number_of_threads_and_nothing_is_changed(
    activations: str,
) -> None:
    network, x = branches(5)
    before = storage.dump_network(network), x.copy()
    how = integers(activations=activations, granularity="per_channel", rounding="exact", bits=4)
    dumped = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            dumped.append(storage.dump_network(quantize(network, x, how)))
    assert dumped[0] == dumped[1]
    assert storage.dump_network(network) == before[0]
    assert np.array_equal(x, before[1])


@pytest.mark.parametrize("name", NETWORKS)
def test_several_ways_together_give_what_each_gives_alone(name: str) -> None:
    network, x = NETWORKS[name](6)
    ways = [
        integers(rounding=how, bits=bits)
        for bits, how in ((2, "gptq"), (8, "nearest"), (4, "exact"))
    ]
    together = quantize_calibrated(calibrate(network, x, ways[0].calibration), ways)
    for way, quantized in zip(ways, together, strict=True):
        alone = quantize(network, x, way)
        assert storage.dump_network(quantized) == storage.dump_network(alone)


@pytest.mark.parametrize("name", ["images", "branches"])
def test_memory_does_not_grow_with_the_number_of_images(name: str) -> None:
    network, x = NETWORKS[name](8, rows=1500)
    peaks = []
    for rows in (50, 150, 1500):  # the first only warms up
        how = integers(calibration=Calibration(rows, 0, "minmax"))
        tracemalloc.start()
        quantize(network, x, how)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]


def test_on_disk_is_only_what_a_layer_still_needs() -> None:
    network, x = branches()
    every = dict(flow(network.layers, x.astype(np.float64), floating.step))
    spool = Spool(x, network.layers, floating.step)
    # Behind the first branch, behind both, and where a layer's outputs are asked for besides.
    for stop, keep, kept in ((3, None, {2}), (4, None, {2, 3}), (5, 3, {3, 4}), (10, None, {9})):
        spool.advance(stop, keep)
        for place in range(-1, stop):
            if place in kept:
                rows = np.concatenate(list(spool.outputs(place)))
                assert np.array_equal(rows, every[place])
            else:
                with pytest.raises(KeyError):
                    next(spool.outputs(place))


@pytest.mark.parametrize(
    ("activations", "rounding"), [*(("uint8", how) for how in ROUNDINGS), ("none", "gptq")]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_one_calibration_row_is_enough(name: str, activations: str, rounding: str) -> None:
    network, x = NETWORKS[name](10)
    how = integers(
        rounding=rounding, activations=activations, calibration=Calibration(1, 0, "minmax")
    )
    assert np.all(np.isfinite(inference.run(quantize(network, x, how), x)))


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_layer_that_gives_nothing_but_zeros_and_a_filter_that_has_died_are_no_obstacles(
    rounding: str,
) -> None:
    network, x = images(11)
    network.layers[1].bias[:] = -100.0
    quantized = quantize(network, x, integers(rounding=rounding))
    outputs, reference = inference.run(quantized, x), inference.run(network, x)
    assert np.max(np.abs(outputs - reference)) < 2 * float(output_grid(quantized).scale)
    for left in (1e-6, 1e-9, 1e-12):
        network, x = images(14)
        network.layers[1].weight[2] *= left
        network.layers[1].bias[2] = 1.0
        layer = quantize(network, x, integers(granularity="per_channel")).layers[2]
        assert values(layer.bias)[2] == pytest.approx(1.0, rel=1e-3)
        assert np.all(np.abs(values(layer.weight)[2]) < 1e-5)
