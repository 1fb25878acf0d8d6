"""Reference statistics: what is counted, that a file holds it and no row, and lies about it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octet.cli import info
from octet.layers import Gridded, Quantize
from octet.modelfile.arrays import dump_arrays, load_arrays
from octet.modelfile.reference import Reference, Summary
from octet.modelfile.storage import dump_network, load_model, load_network, sizes
from octet.monitor.reference import numbers_of_inputs, run, take_reference
from octet.network import Network, label
from octet.runtime import inference, integer
from octet.signature import Arrays, Classes, Images
from tests.octet.modelfiles import put, refusal
from tests.octet.networks import anything, images, in_array, in_float, of_text, rows, table


def truth(network: Network, x: np.ndarray) -> np.ndarray:
    outputs = inference.run(network, x)
    if isinstance(network.signature.outputs, Classes):
        return (np.argmax(outputs, axis=1) + (np.arange(len(x)) % 7 == 0)) % outputs.shape[1]
    return outputs[:, 0] + np.linspace(-1, 1, len(x))


def taken(network: Network, count: int = 400) -> Reference:
    trained, held_out = rows(network, count, 1), rows(network, count, 2)
    return take_reference(
        network,
        (trained, truth(network, trained)),
        (held_out, truth(network, held_out)),
        in_float(network) if integer.is_integer(network) else network,
    )


def assert_alike(one: Reference, other: Reference) -> None:
    for mine, theirs in zip(one.summaries, other.summaries, strict=True):
        for field in Summary.__dataclass_fields__:
            assert np.array_equal(getattr(mine, field), getattr(theirs, field)), field


@pytest.fixture(scope="module", params=[images(0), table(0), in_array(), of_text()])
def network(request: pytest.FixtureRequest) -> Network:
    return request.param


def test_a_file_holds_it_and_predicts_as_without_it(file: Path, network: Network) -> None:
    put(file, dump_network(network))
    before = file.stat().st_size
    assert load_model(file)[1] is None
    assert "cannot watch it" in info.table(info.describe(file))
    reference = taken(network)
    put(file, content := dump_network(network, reference))
    again, read = load_model(file)
    assert read is not None
    assert dump_network(again, read) == content
    assert dump_network(again) == dump_network(network)
    assert read.rows == 400
    by_name = sorted(reference.summaries, key=lambda one: (one.group, one.name))
    ours = sorted(read.summaries, key=lambda one: (one.group, one.name))
    assert_alike(Reference(tuple(by_name)), Reference(tuple(ours)))
    assert (sizes(file).file, sizes(file).reference) == (before, file.stat().st_size - before)
    assert "knows 400 rows that it was not trained on" in info.table(info.describe(file))


def test_the_order_of_rows_changes_nothing(network: Network) -> None:
    x = rows(network, 1500, 2)
    y, order = truth(network, x), np.random.default_rng(0).permutation(1500)
    one = take_reference(network, (x, y), (x, y), network)
    assert_alike(one, take_reference(network, (x, y), (x[order], y[order]), network))


def test_no_row_can_be_read_back(network: Network) -> None:
    x = rows(network, 400, 1)
    reference = take_reference(network, (x, None), (rows(network, 400, 2), None))
    watched = numbers_of_inputs(network.signature.inputs, x)
    for one in reference.summaries:
        if (one.group, one.name) in watched and not one.categories:
            numbers = watched[one.group, one.name]
            assert not np.isin(one.points, numbers).any()
            inside = numbers[numbers != one.gap] if one.gap is not None else numbers
            assert np.bincount(replace(one, gap=None).bins(inside)).min() >= 10


@pytest.mark.parametrize("count", [1, 2, 25])
def test_few_rows_make_few_bins(count: int) -> None:
    for one in taken(in_array(), count).summaries:
        assert len(one.points) <= max(1, count // 10 - 1) or one.group == "clipping"
        assert one.counts.sum() == count


@pytest.mark.parametrize("seed", range(12))
def test_what_is_clipped_is_counted_at_every_layer_with_a_grid(seed: int) -> None:
    network = anything(seed, 8, per_channel=True) if seed else images(0)
    x = 3 * rows(network, 70) if isinstance(network.signature.inputs, Arrays) else rows(network, 70)
    with np.errstate(all="ignore"):
        outputs, clipped = run(network, x)
        assert np.array_equal(outputs, inference.run(network, x))
    expected = {}
    for i, layer, value in integer.trace(network, x):
        if isinstance(layer, Quantize | Gridded):
            grid = layer.grid
            ends = {0, grid.top} - {int(grid.zero_point)}
            expected["clipping", label(network.layers, i)] = [
                sum(int(code) in ends for code in row.ravel()) for row in value
            ]
    assert clipped.keys() == expected.keys()
    for key, numbers in expected.items():
        assert clipped[key].tolist() == numbers


def test_summaries_of_images_are_what_they_are_called() -> None:
    x = np.random.default_rng(0).integers(0, 4, (50, 1, 5, 7)).astype(np.uint8)
    numbers = numbers_of_inputs(Images((1, 5, 7), 3), x)
    flat = x.reshape(50, -1)
    for name, wanted in {
        "mean": flat.mean(axis=1),
        "contrast": flat.std(axis=1),
        "black": (flat == 0).mean(axis=1),
        "white": (flat == 3).mean(axis=1),
    }.items():
        assert np.allclose(numbers["inputs", name], wanted), name


# Of the header's part, the counts or the points: what to make of them, and a part of the message.
LIES = [
    ("spec", lambda spec: {"secrets": spec["inputs"]}, "reference: got 'secrets'; allowed are inp"),
    ("spec", lambda _: {}, "reference: got 0 summaries; allowed are 1 to 1000"),
    ("spec", lambda _: [], "the header does not describe a network"),
    ("spec", lambda _: {"inputs": {"a": -1}}, "got -1 for an integer of at least 0"),
    ("spec", lambda _: {"inputs": {"a": 10**30}}, "reference: allowed are up to 32 bins"),
    ("spec", lambda _: {"inputs": {"a": 3}}, "reference.points: got float"),
    ("spec", lambda _: None, "holds arrays that no layer names: reference.counts, reference.poin"),
    ("counts", lambda counts: counts * 0, "reference.counts: each summary counts every row"),
    ("counts", lambda counts: counts + np.arange(len(counts), dtype=np.uint16), "each summary cou"),
    ("counts", lambda counts: counts.astype(np.float32), "reference.counts: got float32"),
    ("counts", lambda counts: counts[1:], "reference.counts: got uint16 of shape"),
    ("points", lambda points: points[::-1].copy(), "reference.points: those of a summary must ris"),
    ("points", lambda points: points * np.nan, "reference.points: got nan"),
]


HAS_CODES = (Gridded, Quantize)


def renamed(network: Network, group: str, name: str) -> bytes:
    """A model file whose first summary of a group is of another name."""
    reference = taken(network)
    first = next(i for i, one in enumerate(reference.summaries) if one.group == group)
    summaries = [*reference.summaries]
    summaries[first] = replace(summaries[first], name=name)
    return dump_network(network, Reference(tuple(summaries)))


@pytest.mark.parametrize("group", ["inputs", "clipping", "outputs", "disagreement", "errors"])
@pytest.mark.parametrize("name", ["99_conv2d", "a\nb", "black"])
def test_a_summary_of_nothing_that_the_network_has_is_refused(
    file: Path, group: str, name: str
) -> None:
    put(file, renamed(table(0), group, name))
    assert f"reference: {group}: got " in (said := refusal(file, load_model))
    assert "which the network has not; a damaged model file" in said
    assert "\n" not in said


def test_layers_without_codes_and_float_networks_have_no_clipping(file: Path) -> None:
    quantized = table(0)
    clipping = next(one for one in taken(quantized).summaries if one.group == "clipping")
    in_reals = in_float(quantized)
    reference = Reference((*taken(in_reals).summaries, clipping))
    put(file, dump_network(in_reals, reference))
    assert "reference: clipping: got " in refusal(file, load_model)
    layers = images(0).layers
    bare = [label(layers, i) for i, one in enumerate(layers) if not isinstance(one, HAS_CODES)]
    put(file, renamed(images(0), "clipping", bare[0]))
    assert "reference: clipping: got " in refusal(file, load_model)


@pytest.mark.parametrize(("part", "change", "message"), LIES)
def test_what_a_file_claims_that_is_not_so_is_refused(
    file: Path, part: str, change: Callable[[Any], Any], message: str
) -> None:
    put(file, dump_network(table(0), taken(table(0))))
    header, arrays = load_arrays(file)
    if part == "spec":
        header["reference"] = change(header["reference"])
    else:
        arrays[f"reference.{part}"] = change(arrays[f"reference.{part}"])
    put(file, dump_arrays(header, arrays))
    assert message in refusal(file, load_network)
