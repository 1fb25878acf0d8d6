"""Model files: what was written is read, the same bytes each time, and its sizes are counted."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Grid
from octet.layers import Linear
from octet.modelfile.arrays import load_arrays
from octet.modelfile.storage import dump_network, load_network, sizes
from octet.network import Network
from octet.parameters import Quantized, values
from octet.signature import Columns, Numbers, Signature
from tests.octet.modelfiles import GRANULARITIES, assert_same, put, weights_only
from tests.octet.networks import KINDS, anything, in_float

ROOT = Path(__file__).parents[2]

fixed = settings(deadline=None, derandomize=True)


@fixed
@given(
    written=st.one_of(
        st.builds(
            lambda granularity, bits, widths: weights_only(granularity, bits, tuple(widths)),
            st.sampled_from(GRANULARITIES),
            st.integers(2, 16),
            st.lists(st.integers(1, 5), min_size=2, max_size=4),
        ),
        st.builds(anything, st.integers(0, 2**32 - 1), st.integers(2, 8), st.booleans()),
    )
)
def test_what_was_written_is_read(file: Path, written: Network) -> None:
    put(file, dump_network(written))
    read = load_network(file)
    assert_same(read, written)
    assert dump_network(read) == file.read_bytes()


def test_the_extreme_floats_survive(file: Path) -> None:
    extremes = np.array([[5e-324, -0.0, 1.7976931348623157e308, 0.1, -1e-310]])
    layer = Linear(extremes, np.array([np.nextafter(1, 2)]))
    written = Network((layer,), Signature(Columns(tuple("abcde")), Numbers("", "")))
    put(file, dump_network(written))
    assert_same(load_network(file), written)


def test_an_array_need_not_be_contiguous(file: Path) -> None:
    weight = np.arange(24.0).reshape(4, 6)[::2, ::-1].T
    put(
        file,
        dump_network(
            Network((Linear(weight, np.ones(6)),), Signature(Columns(("a", "b")), Numbers("", "")))
        ),
    )
    assert np.array_equal(values(load_network(file).layers[0].weight), weight)


def test_a_grid_that_two_parameters_share_stays_one_object_and_is_stored_once(file: Path) -> None:
    put(file, dump_network(weights_only("unified")))
    layer = load_network(file).layers[1]
    assert layer.weight.grid is layer.bias.grid
    _, arrays = load_arrays(file)
    assert [name for name in sorted(arrays) if "scale" in name] == ["1.weight.scale"]
    assert [name for name in sorted(arrays) if "zero_point" in name] == ["1.weight.zero_point"]


def test_like_grids_are_stored_once(file: Path) -> None:
    model = weights_only("unified")
    layer = model.layers[1]
    grid = layer.bias.grid
    apart = Linear(layer.weight, Quantized(layer.bias.codes, replace(grid)))
    put(file, dump_network(replace(model, layers=(model.layers[0], apart))))
    read = load_network(file).layers[1]
    assert read.weight.grid is read.bias.grid


def test_grids_are_read_as_they_were_written(file: Path) -> None:
    smallest = np.finfo(np.float32).smallest_normal
    grid = Grid(np.float32([[smallest], [np.finfo(np.float32).max]]), np.uint16([[0], [511]]), 9)
    layer = Linear(Quantized(np.uint16([[0], [511]]), grid), np.zeros(2))
    written = Network((layer,), Signature(Columns(("a",)), Numbers("", "")))
    put(file, dump_network(written))
    assert_same(load_network(file), written)


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_the_same_network_makes_the_same_bytes(granularity: str) -> None:
    model = weights_only(granularity)
    again = replace(model, rounding=dict(reversed(model.rounding.items())))
    assert {dump_network(again) for _ in range(20)} == {dump_network(model)}


@pytest.mark.parametrize("seed", ["0", "4294967295"])
def test_another_process_makes_the_same_bytes(tmp_path: Path, seed: str) -> None:
    code = (
        "import sys; from pathlib import Path; from octet.modelfile import storage\n"
        "for network in map(storage.load_network, map(Path, sys.argv[1:])):\n"
        "    sys.stdout.buffer.write(storage.dump_network(network))"
    )
    contents = [dump_network(weights_only(granularity)) for granularity in GRANULARITIES]
    paths = [tmp_path / granularity for granularity in GRANULARITIES]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", code, *paths],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"".join(contents)


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_sizes_are_what_the_definitions_count(file: Path, granularity: str) -> None:
    content = dump_network(weights_only(granularity, bits=4, widths=(5, 3)))
    put(file, content)
    weights, biases = 15, 3
    grids = {"float": 0, "per_tensor": 2, "per_channel": 4, "per_parameter": 18, "unified": 1}
    bias_bits = 4 if granularity == "unified" else 8
    found = sizes(file)
    assert found.scaler == 2 * 5 * 8
    assert found.file == len(content)
    assert found.scales == grids[granularity] * (4 + 1)
    if granularity == "float":
        assert (found.floats, found.codes) == ((weights + biases) * 8, 0)
    else:
        codes = math.ceil(weights * 4 / 8) + math.ceil(biases * bias_bits / 8)
        assert (found.floats, found.codes) == (0, codes)


def test_a_zero_point_of_more_than_8_bits_takes_two_bytes(file: Path) -> None:
    put(file, dump_network(weights_only("unified", bits=9)))
    assert sizes(file).scales == 4 + 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_convolutional_network_in_float_keeps_its_precision(
    file: Path, dtype: type[np.floating]
) -> None:
    written = in_float(KINDS["images"](0), dtype)
    put(file, dump_network(written))
    assert_same(load_network(file), written)
    weights = 4 * 2 * 9 + 3 * 4 * 9 + 6 * 3 + 3 * 6
    assert sizes(file).floats == (weights + 4 + 3 + 6 + 3) * np.dtype(dtype).itemsize


def test_the_scale_of_an_int32_bias_is_not_in_the_file(file: Path) -> None:
    put(file, dump_network(KINDS["table"](0)))
    _, arrays = load_arrays(file)
    assert "1.weight.scale" not in arrays
    assert {name for name in arrays if name.startswith("2.")} == {
        *("2.weight.codes", "2.weight.scale", "2.weight.zero_point", "2.bias.codes"),
        *("2.output.scale", "2.output.zero_point"),
    }


def test_sizes_of_an_integer_network_are_what_the_definitions_count(file: Path) -> None:
    put(file, dump_network(KINDS["images"](0, bits=3, per_channel=True)))
    found = sizes(file)
    weights, biases = (4 * 2 * 9, 3 * 4 * 9, 6 * 3, 3 * 6), (4, 3, 6, 3)
    assert found.floats == 0
    assert found.codes == sum(math.ceil(n * 3 / 8) for n in weights) + 4 * sum(biases)
    # One grid for each output channel, one for the input, one behind each layer that computes.
    assert found.scales == (sum(biases) + 1 + 5) * (4 + 1)
    assert found.scaler == 2 * 2 * 8
    assert found.file == file.stat().st_size
