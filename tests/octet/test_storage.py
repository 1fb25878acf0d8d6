"""Model files: what was written is read, the same bytes each time, and nothing else passes."""

import json
import math
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Grid
from octet.arrays import dump_arrays, load_arrays
from octet.errors import OctetError
from octet.network import Array, Columns, Linear, Network, Quantized, Standardize, values
from octet.storage import dump_network, load_network, sizes

ROOT = Path(__file__).parents[2]
GRANULARITIES = ["float", "per_tensor", "per_channel", "per_parameter", "unified"]

fixed = settings(deadline=None, derandomize=True)


def linear(rng: np.random.Generator, shape: tuple[int, int], granularity: str, bits: int) -> Linear:
    """A random layer; the bias has 8 bits of its own unless its grid is the weight's."""
    weight, bias = rng.normal(size=shape), rng.normal(size=shape[0])
    if granularity == "float":
        return Linear(weight, bias)
    match granularity:
        case "per_channel":
            ends = weight.min(axis=1, keepdims=True), weight.max(axis=1, keepdims=True)
        case "per_parameter":
            ends = weight, weight
        case _:
            ends = min(weight.min(), bias.min()), max(weight.max(), bias.max())
    grid = affine.asymmetric(*ends, bits)
    own = affine.asymmetric(bias, bias, 8)
    bias_grid = {"unified": grid, "per_parameter": own}.get(
        granularity, affine.asymmetric(bias.min(), bias.max(), 8)
    )
    return Linear(
        Quantized(affine.quantize(weight, grid), grid),
        Quantized(affine.quantize(bias, bias_grid), bias_grid),
    )


def network(granularity: str, bits: int = 4, widths: tuple[int, ...] = (3, 2)) -> Network:
    """Standardized inputs and a linear layer from each width to the next."""
    rng = np.random.default_rng(bits)
    features = tuple(f"feature {i}, µm" for i in range(widths[0]))
    scaler = Standardize(rng.normal(size=widths[0]), rng.uniform(0.1, 9, widths[0]))
    layers = [linear(rng, (after, before), granularity, bits) for before, after in pairwise(widths)]
    figures = {"output_error": 0.1 + 0.2, "rows": 2, "b": 1e-300}
    rounding = {} if granularity == "float" else {"0_linear": figures, "1_linear": {"rows": 1}}
    return Network((scaler, *layers), Columns(features, "price", "100,000 $"), rounding)


def assert_same(one: Network, other: Network) -> None:
    assert one.signature == other.signature
    assert one.rounding == other.rounding
    assert len(one.layers) == len(other.layers)
    for a, b in zip(one.layers, other.layers, strict=True):
        assert type(a) is type(b)
        for key in vars(a):
            if getattr(a, key) is not None or getattr(b, key) is not None:
                assert_same_parameter(getattr(a, key), getattr(b, key))


def assert_same_parameter(one: Array | Quantized, other: Array | Quantized) -> None:
    if isinstance(one, Quantized):
        assert isinstance(other, Quantized)
        assert one.grid.bits == other.grid.bits
        pairs = [
            (one.codes, other.codes),
            (one.grid.scale, other.grid.scale),
            (one.grid.zero_point, other.grid.zero_point),
        ]
    else:
        pairs = [(one, other)]
    for a, b in pairs:
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one model after the other is written."""
    return tmp_path_factory.mktemp("models") / "model.safetensors"


def put(file: Path, content: bytes) -> None:
    """Write a new file: on ext4 to write over an old one is a wait for the disk."""
    file.unlink(missing_ok=True)
    file.write_bytes(content)


def refusal(path: Path) -> str:
    """The error about this model file: one line that begins with its name."""
    with pytest.raises(OctetError) as caught:
        load_network(path)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("granularity", GRANULARITIES)
@fixed
@given(bits=st.integers(2, 16), widths=st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_what_was_written_is_read(
    file: Path, granularity: str, bits: int, widths: list[int]
) -> None:
    written = network(granularity, bits, tuple(widths))
    put(file, dump_network(written))
    read = load_network(file)
    assert_same(read, written)
    assert dump_network(read) == file.read_bytes()


def test_the_extreme_floats_survive(file: Path) -> None:
    extremes = np.array([[5e-324, -0.0, 1.7976931348623157e308, 0.1, -1e-310]])
    layer = Linear(extremes, np.array([np.nextafter(1, 2)]))
    written = Network((layer,), Columns(tuple("abcde"), "", ""))
    put(file, dump_network(written))
    assert_same(load_network(file), written)


def test_an_array_need_not_be_contiguous(file: Path) -> None:
    weight = np.arange(24.0).reshape(4, 6)[::2, ::-1].T
    put(file, dump_network(Network((Linear(weight, np.ones(6)),), Columns(("a", "b"), "", ""))))
    assert np.array_equal(values(load_network(file).layers[0].weight), weight)


def test_a_grid_that_two_parameters_share_stays_one_object_and_is_stored_once(file: Path) -> None:
    put(file, dump_network(network("unified")))
    layer = load_network(file).layers[1]
    assert layer.weight.grid is layer.bias.grid
    _, arrays = load_arrays(file)
    assert [name for name in sorted(arrays) if "scale" in name] == ["1.weight.scale"]
    assert [name for name in sorted(arrays) if "zero_point" in name] == ["1.weight.zero_point"]


def test_like_grids_are_stored_once(file: Path) -> None:
    model = network("unified")
    layer = model.layers[1]
    grid = layer.bias.grid
    apart = Linear(layer.weight, Quantized(layer.bias.codes, replace(grid)))
    put(file, dump_network(replace(model, layers=(model.layers[0], apart))))
    read = load_network(file).layers[1]
    assert read.weight.grid is read.bias.grid


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_the_same_network_makes_the_same_bytes(granularity: str) -> None:
    model = network(granularity)
    again = replace(model, rounding=dict(reversed(model.rounding.items())))
    assert {dump_network(again) for _ in range(20)} == {dump_network(model)}


@pytest.mark.parametrize("seed", ["0", "1", "4294967295"])
def test_another_process_makes_the_same_bytes(tmp_path: Path, seed: str) -> None:
    code = (
        "import sys; from pathlib import Path; from octet import storage\n"
        "for network in map(storage.load_network, map(Path, sys.argv[1:])):\n"
        "    sys.stdout.buffer.write(storage.dump_network(network))"
    )
    contents = [dump_network(network(granularity)) for granularity in GRANULARITIES]
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
    content = dump_network(network(granularity, bits=4, widths=(5, 3)))
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
    put(file, dump_network(network("unified", bits=9)))
    assert sizes(file).scales == 4 + 2


def test_a_missing_file_is_refused_with_what_makes_it(tmp_path: Path) -> None:
    assert refusal(tmp_path / "model.safetensors") == "no such file; `dvc repro` makes it"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "not a whole .safetensors file" in refusal(tmp_path)


@pytest.mark.parametrize("granularity", ["float", "per_channel"])
def test_a_file_that_was_cut_anywhere_is_refused(file: Path, granularity: str) -> None:
    content = dump_network(network(granularity))
    for length in range(len(content)):
        put(file, content[:length])
        assert "not a whole .safetensors file" in refusal(file)


def test_a_file_with_bytes_behind_its_end_is_refused(file: Path) -> None:
    content = dump_network(network("per_tensor"))
    for more in (b"\0", b"\n", content):
        put(file, content + more)
        assert "not a whole .safetensors file" in refusal(file)


@fixed
@given(content=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(file: Path, content: bytes) -> None:
    put(file, content)
    refusal(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"\x80\x04\x95 a pickle",
        b"<!doctype html>\n<html>\n</html>\n",
        b"PK\x03\x04 an npz",
        b"\x93NUMPY\x01\0",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2) + b"[]",
    ],
)
def test_a_file_of_another_kind_is_refused(file: Path, content: bytes) -> None:
    put(file, content)
    refusal(file)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"octet": ""},
        {"octet": "not JSON"},
        {"octet": "[]"},
        {"octet": "null"},
        {"octet": "NaN"},
        {"octet": '"network"'},
        {"octet": "1" * 5000},
        pytest.param({"octet": "[" * 100_000}, id="deeply nested"),
    ],
)
def test_safetensors_without_our_header_are_refused(
    file: Path, metadata: dict[str, str] | None
) -> None:
    put(file, safetensors.numpy.save({"0.weight": np.ones((1, 3))}, metadata))
    assert refusal(file) == "a .safetensors file, but without this project's header"


@pytest.mark.parametrize(
    "dtype", ["F16", "BF16", "C64", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F6_E2M3", "F4"]
)
def test_dtypes_of_other_projects_are_refused(file: Path, dtype: str) -> None:
    size = {"F16": 16, "BF16": 16, "C64": 64, "F6_E2M3": 6, "F4": 4}.get(dtype, 8)
    tensor = {"dtype": dtype, "shape": [16], "data_offsets": [0, 16 * size // 8]}
    header = json.dumps({"0.weight": tensor}).encode()
    put(file, struct.pack("<Q", len(header)) + header + bytes(16 * size // 8))
    refusal(file)


@dataclass
class Parts:
    """What is in a model file, to be changed and written again."""

    file: Path
    header: Any
    arrays: dict[str, Any]

    def write(self) -> None:
        put(self.file, dump_arrays(self.header, self.arrays))


@pytest.fixture
def parts(file: Path) -> Callable[..., Parts]:
    """The parts of a network of 3 inputs, 2 outputs and 4 bits."""

    def take_apart(granularity: str, bits: int = 4) -> Parts:
        put(file, dump_network(network(granularity, bits)))
        header, arrays = load_arrays(file)
        return Parts(file, header, {name: array.copy() for name, array in arrays.items()})

    return take_apart


def arrays_of(granularity: str) -> list[str]:
    """The arrays in the file of such a network."""
    parameters = {"float": [""], "unified": [".codes"]}.get(
        granularity, [".codes", ".scale", ".zero_point"]
    )
    shared = ["1.weight.scale", "1.weight.zero_point"] if granularity == "unified" else []
    both = [f"1.{name}{part}" for name in ("weight", "bias") for part in parameters]
    return ["0.mean", "0.std", *both, *shared]


each_array = pytest.mark.parametrize(
    ("granularity", "name"), [(kind, name) for kind in GRANULARITIES for name in arrays_of(kind)]
)


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_parts_written_unchanged_are_the_network(
    parts: Callable[..., Parts], granularity: str
) -> None:
    whole = parts(granularity)
    assert sorted(whole.arrays) == sorted(arrays_of(granularity))
    whole.write()
    assert_same(load_network(whole.file), network(granularity))


@each_array
def test_a_missing_array_is_refused_by_name(
    parts: Callable[..., Parts], granularity: str, name: str
) -> None:
    broken = parts(granularity)
    array = broken.arrays.pop(name)
    broken.write()
    assert refusal(broken.file) == f"{name}: no such array in the file"
    broken.arrays["renamed"] = array
    broken.write()
    assert refusal(broken.file) == f"{name}: no such array in the file"


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_surplus_arrays_are_refused_by_name(parts: Callable[..., Parts], granularity: str) -> None:
    broken = parts(granularity)
    broken.arrays |= {"2.weight": np.ones(1), "0.weight": np.ones(1)}
    broken.write()
    assert refusal(broken.file) == "holds arrays that no layer names: 0.weight, 2.weight"


@each_array
def test_an_array_of_another_dtype_is_refused(
    parts: Callable[..., Parts], granularity: str, name: str
) -> None:
    broken = parts(granularity)
    right = broken.arrays[name]
    # Weights and biases in float may have either precision.
    either = {"f4", "f8"} if name.endswith(("weight", "bias")) else {right.dtype.str[1:]}
    for dtype in {"f2", "f4", "f8", "u1", "u2", "i1", "i8", "?"} - either:
        broken.arrays[name] = right.astype(dtype)
        broken.write()
        assert refusal(broken.file).startswith(f"{name}: got {np.dtype(dtype)} of shape")


@each_array
def test_an_array_of_another_shape_is_refused(
    parts: Callable[..., Parts], granularity: str, name: str
) -> None:
    broken = parts(granularity)
    right = broken.arrays[name]
    for shape in ((1, 1, 1, *right.shape), (7,), (3, 2)):
        broken.arrays[name] = np.full(shape, right.flat[0])
        broken.write()
        message = refusal(broken.file)
        assert message.startswith(name.removesuffix(".codes"))
        assert "allowed is" in message or "packed codes: got 7 bytes" in message


@pytest.mark.parametrize("name", ["0.mean", "0.std", "1.weight", "1.bias"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_float_that_is_not_finite_is_refused(
    parts: Callable[..., Parts], name: str, bad: float
) -> None:
    broken = parts("float")
    broken.arrays[name].flat[-1] = bad
    broken.write()
    assert refusal(broken.file).startswith(f"{name}: got {bad} at index [")


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_a_deviation_that_is_not_positive_is_refused(
    parts: Callable[..., Parts], bad: float
) -> None:
    broken = parts("float")
    broken.arrays["0.std"][1] = bad
    broken.write()
    assert refusal(broken.file) == "0.std: every value must be positive"


@pytest.mark.parametrize("granularity", ["per_tensor", "per_parameter"])
@pytest.mark.parametrize("name", ["1.weight.scale", "1.bias.scale"])
@pytest.mark.parametrize("bad", [0.0, -0.0, -1.0, 1e-39, np.nan, np.inf, -np.inf])
def test_a_scale_that_no_quantizer_makes_is_refused(
    parts: Callable[..., Parts], granularity: str, name: str, bad: float
) -> None:
    broken = parts(granularity)
    broken.arrays[name].flat[-1] = bad
    broken.write()
    assert refusal(broken.file) == f"{name}: must be positive and finite"


@pytest.mark.parametrize("bits", [4, 9])
def test_a_zero_point_outside_the_codes_is_refused(parts: Callable[..., Parts], bits: int) -> None:
    changed = parts("per_channel", bits)
    changed.arrays["1.weight.zero_point"][1, 0] = 2**bits
    changed.write()
    assert refusal(changed.file) == f"1.weight.zero_point: outside 0 … 2^{bits}-1"
    changed.arrays["1.weight.zero_point"][1, 0] = 2**bits - 1
    changed.write()
    assert load_network(changed.file).layers[1].weight.grid.zero_point[1, 0] == 2**bits - 1


def test_padding_bits_that_are_set_are_refused(parts: Callable[..., Parts]) -> None:
    broken = parts("per_tensor", bits=3)
    broken.arrays["1.weight.codes"][-1] |= 0x80
    broken.write()
    assert "padding bits" in refusal(broken.file)


ODD = [None, True, 3, -1, 2.5, 10**30, 10**400, float("nan"), "", "x", [], [1], {}, {"bits": 4}]
FITTING: dict[str, list[object]] = {
    "rounding": [{}, {"0_linear": {"bits": 4}}],
    "rounding.1_linear": [{}, {"bits": 4}],
    "rounding.1_linear.rows": [3, -1, 2.5, 10**30],
}
PLACES = ["features", "layers", "layers.0", "layers.1", "rounding", "rounding.1_linear.rows"]
PLACES += [f"layers.1.{key}" for key in ("kind", "outputs", "weight", "bias")]
PLACES += [f"layers.1.{name}.{key}" for name in ("weight", "bias") for key in ("bits", "grid")]


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("place", PLACES)
def test_a_header_that_describes_no_network_is_refused(
    parts: Callable[..., Parts], place: str, value: object
) -> None:
    changed = parts("unified")
    *path, last = place.split(".")
    section = changed.header
    for key in path:
        section = section[int(key) if key.isdigit() else key]
    section[int(last) if last.isdigit() else last] = value
    changed.write()
    if value in FITTING.get(place, []):
        load_network(changed.file)
    else:
        refusal(changed.file)


@pytest.mark.parametrize("key", ["layers", "features", "target", "unit", "rounding"])
def test_a_header_without_one_of_its_keys_is_refused(parts: Callable[..., Parts], key: str) -> None:
    broken = parts("unified")
    del broken.header[key]
    broken.write()
    assert f"does not describe a network (KeyError('{key}'))" in refusal(broken.file)


@pytest.mark.parametrize("bits", [0, 1, 3, 5, 8, 9, 17, -4, 4.0, "4"])
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_width_that_the_arrays_do_not_have_is_refused(
    parts: Callable[..., Parts], name: str, bits: object
) -> None:
    broken = parts("unified")
    broken.header["layers"][1][name]["bits"] = bits
    broken.write()
    assert refusal(broken.file).startswith("1.")


@pytest.mark.parametrize(("granularity", "bits"), [("per_tensor", 4), ("per_channel", 8)])
def test_a_grid_shared_by_codes_of_another_width_or_shape_is_refused(
    parts: Callable[..., Parts], granularity: str, bits: int
) -> None:
    broken = parts(granularity, bits)
    broken.header["layers"][1]["bias"]["grid"] = "1.weight"
    del broken.arrays["1.bias.scale"], broken.arrays["1.bias.zero_point"]
    broken.write()
    assert "is shared by codes of 8 bits and shape (2,)" in refusal(broken.file)


def test_layers_whose_widths_do_not_meet_are_refused(file: Path) -> None:
    layers = Linear(np.ones((2, 3)), np.ones(2)), Linear(np.ones((1, 4)), np.ones(1))
    put(file, dump_network(Network(layers, Columns(("a", "b", "c"), "", ""))))
    wrong, right = "float64 of shape (1, 4)", "float32 or float64 of shape (1, 2)"
    assert refusal(file) == f"1.weight: got {wrong}; allowed is {right}"


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\u2028"])
def test_a_name_of_two_lines_does_not_make_a_message_of_two_lines(
    parts: Callable[..., Parts], separator: str
) -> None:
    name = f"a{separator}b"
    surplus = parts("float")
    surplus.arrays[name] = np.ones(1)
    surplus.write()
    refusal(surplus.file)
    unknown = parts("unified")
    unknown.header["layers"][1]["weight"]["grid"] = name
    unknown.write()
    refusal(unknown.file)


def is_refused(file: Path) -> bool:
    """Whether a damaged file is refused, as it should be, or is a network all the same."""
    try:
        load_network(file)
    except OctetError as error:
        message = str(error)
    else:
        return False
    assert message.splitlines() == [message]
    assert message.startswith(f"{file}: ")
    return True


@pytest.mark.parametrize("granularity", ["float", "per_channel", "unified"])
@settings(fixed, max_examples=200)
@given(data=st.data())
def test_a_file_with_wrong_bytes_is_a_network_or_an_octet_error(
    file: Path, granularity: str, data: st.DataObject
) -> None:
    content = bytearray(dump_network(network(granularity)))
    places = st.integers(0, len(content) - 1)
    flips = st.dictionaries(places, st.integers(1, 255), min_size=1, max_size=4)
    for place, flip in data.draw(flips).items():
        content[place] ^= flip
    put(file, content)
    is_refused(file)


def test_a_file_with_one_wrong_bit_is_a_network_or_an_octet_error(file: Path) -> None:
    content = dump_network(network("unified"))
    refused = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        put(file, damaged)
        refused += is_refused(file)
    assert len(content) / 2 < refused < len(content)


def test_an_array_file_gives_back_its_header_and_arrays(file: Path) -> None:
    header = {"b": [1, 2.5, None, "ü"], "a": {"x": 1}}
    arrays = {"y": np.arange(3, dtype=np.uint16), "x": np.array(1.5, np.float32)}
    content = dump_arrays(header, arrays)
    assert dump_arrays(dict(reversed(header.items())), dict(reversed(arrays.items()))) == content
    put(file, content)
    read_header, read_arrays = load_arrays(file)
    assert read_header == header
    for name, array in arrays.items():
        assert read_arrays[name].dtype == array.dtype
        assert np.array_equal(read_arrays[name], array)


def test_grids_are_read_as_they_were_written(file: Path) -> None:
    smallest = np.finfo(np.float32).smallest_normal
    grid = Grid(np.float32([[smallest], [np.finfo(np.float32).max]]), np.uint16([[0], [511]]), 9)
    layer = Linear(Quantized(np.uint16([[0], [511]]), grid), np.zeros(2))
    written = Network((layer,), Columns(("a",), "", ""))
    put(file, dump_network(written))
    assert_same(load_network(file), written)
