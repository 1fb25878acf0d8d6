"""Model files that hold no network: each array and each key that is wrong is refused by name."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octet.affine import Grid
from octet.layers import Conv2d, GlobalAveragePool, Layer, Linear, Quantize
from octet.modelfile.storage import dump_network, load_network
from octet.network import Network
from octet.parameters import Int32, Quantized
from octet.signature import Classes, Columns, Images, Numbers, Signature
from tests.octet.lies import FIRST, LAST, LIES, MEAN, QUANTIZE, RELU, SECOND, THIRD
from tests.octet.modelfiles import (
    GRANULARITIES,
    Parts,
    assert_same,
    is_refused,
    put,
    refusal,
    take_apart,
    weights_only,
)
from tests.octet.networks import (
    anything,
    images,
    in_array,
    in_float,
    of_text,
    one_output,
    unit,
    weighted,
)

NETWORKS = {
    **{granularity: weights_only(granularity) for granularity in GRANULARITIES},
    "images": images(0, bits=4),
    "images_in_float": in_float(images(0, bits=4)),
    "branches": anything(8, 4, per_channel=True),
    "array": in_array(),
    "text": of_text(),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture
def parts(file: Path) -> Callable[[str], Parts]:
    """What is in the file of one of the networks."""
    return lambda name: take_apart(file, NETWORKS[name])


def refused(parts: Parts) -> str:
    parts.write()
    return refusal(parts.file)


@every_network
def test_parts_written_unchanged_are_the_network(parts: Callable[[str], Parts], name: str) -> None:
    whole = parts(name)
    whole.write()
    assert_same(load_network(whole.file), NETWORKS[name])


@every_network
def test_an_array_that_is_not_there_is_refused_by_name(
    parts: Callable[[str], Parts], name: str
) -> None:
    broken = parts(name)
    for array in list(broken.arrays):
        broken.arrays["renamed"] = broken.arrays.pop(array)
        assert f"{array}: no such array in the file" in refused(broken)
        broken.arrays[array] = broken.arrays.pop("renamed")
    broken.arrays |= {"99.weight": np.ones(1), "0.weights": np.ones(1)}
    assert refused(broken) == "holds arrays that no layer names: 0.weights, 99.weight"


@every_network
def test_an_array_of_another_type_or_shape_is_refused_by_name(
    parts: Callable[[str], Parts], name: str
) -> None:
    broken = parts(name)
    for array, right in list(broken.arrays.items()):
        # Weights and biases in float may have either precision.
        real = array.endswith((".weight", ".bias"))
        either = {"f4", "f8"} if real else {right.dtype.str[1:]}
        for dtype in {"f2", "f4", "f8", "u1", "u2", "i1", "i4", "i8", "?"} - either:
            broken.arrays[array] = right.astype(dtype)
            assert f"{array}: got {np.dtype(dtype)} of shape {right.shape}; " in refused(broken)
        for shape in ((1, 1, 1, 1, *right.shape), (7,), (3, 2, 7)):
            broken.arrays[array] = np.full(shape, right.flat[0])
            message = refused(broken)
            assert array.removesuffix(".codes") in message
            assert "allowed is" in message or "packed codes: got" in message
        broken.arrays[array] = right


@every_network
def test_a_number_that_no_training_and_no_quantizer_makes_is_refused_by_name(
    parts: Callable[[str], Parts], name: str
) -> None:
    broken = parts(name)
    bad: dict[str, tuple[float, ...]] = {
        "scale": (0.0, -0.0, -1.0, 1e-39, np.nan, np.inf, -np.inf),
        "std": (0.0, -1.0, np.nan, np.inf),
        **dict.fromkeys(("mean", "weight", "bias"), (np.nan, np.inf, -np.inf)),
    }
    for array, right in list(broken.arrays.items()):
        for value in bad.get(array.split(".")[-1], ()):
            broken.arrays[array] = right.copy()
            broken.arrays[array].flat[-1] = value
            message = refused(broken)
            assert "must be positive" in message or f"got {value} at index [" in message
            assert array in message or array.split(".")[-1] in message
        broken.arrays[array] = right


ODD = [None, True, -1, 0, 2.5, 10**30, 10**400, float("nan"), "", "x\ny", [], [1], {}, {"bits": 4}]


@every_network
def test_whatever_stands_in_a_header_it_is_refused_in_one_line_or_is_kept(
    parts: Callable[[str], Parts], name: str
) -> None:
    changed = parts(name)
    right = copy.deepcopy(changed.header)
    accepted = 0
    for *path, last in list(_paths(right)):
        for value in (*ODD, "(nothing)"):
            changed.header = copy.deepcopy(right)
            section = changed.header
            for key in path:
                section = section[key]
            if value == "(nothing)":
                del section[last]
            else:
                section[last] = value
            changed.write()
            if not is_refused(changed.file):
                accepted += 1
                read = load_network(changed.file)
                put(changed.file, dump_network(read))
                assert_same(load_network(changed.file), read)
    # Few are networks: other classes and units, and what is known of the rounding.
    assert accepted < 0.2 * len(list(_paths(right))) * len(ODD)


def _paths(tree: Any) -> Iterator[tuple[Any, ...]]:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield (key,)
        yield from ((key, *rest) for rest in _paths(tree[key]))


@pytest.mark.parametrize("about", LIES)
def test_a_lie_in_the_header_is_named(parts: Callable[[str], Parts], about: str) -> None:
    for name, changes, message in LIES[about]:
        broken = parts(name)
        for place, value in changes.items():
            *path, last = (int(key) if key.isdigit() else key for key in place.split("."))
            section = broken.header
            for key in path:
                section = section[key]
            section[last] = value
        assert message in refused(broken), changes


@pytest.mark.parametrize("key", ["shape", "white", "classes", "rounding", "provenance"])
def test_a_header_without_one_of_its_keys_is_refused(
    parts: Callable[[str], Parts], key: str
) -> None:
    broken = parts("images")
    del broken.header[key]
    assert refused(broken).startswith("the header does not describe a network (KeyError(")


def test_a_file_of_data_is_no_model(parts: Callable[[str], Parts]) -> None:
    broken = parts("images")
    del broken.header["layers"]
    assert refused(broken) == "a file of Octet's, but no model: its header has no layers"


def test_a_convolution_on_a_table_is_refused(parts: Callable[[str], Parts]) -> None:
    broken = parts("images")
    del broken.header["classes"], broken.header["shape"], broken.header["white"]
    broken.header |= {"features": ["a", "b"], "target": "y", "unit": ""}
    wrong = "layer 2 (conv2d): got shape (2,); allowed is (channels, height, width)"
    assert refused(broken) == wrong


def test_images_are_no_outputs(parts: Callable[[str], Parts]) -> None:
    broken = parts("images")
    del broken.header["layers"][RELU:]
    broken.arrays = {name: a for name, a in broken.arrays.items() if int(name[0]) < RELU}
    assert refused(broken) == "the last layer gives shape (4, 8, 8); 3 classes take (3,)"


def test_layers_whose_widths_do_not_meet_are_refused(file: Path) -> None:
    layers = Linear(np.ones((2, 3)), np.ones(2)), Linear(np.ones((1, 4)), np.ones(1))
    put(file, dump_network(Network(layers, Signature(Columns(("a", "b", "c")), Numbers("", "")))))
    wrong, right = "float64 of shape (1, 4)", "float32 or float64 of shape (1, 2)"
    assert refusal(file) == f"layer 1 (linear): 1.weight: got {wrong}; allowed is {right}"


@pytest.mark.parametrize("above", [16, 17, 255])
def test_a_zero_point_above_the_codes_is_refused(parts: Callable[[str], Parts], above: int) -> None:
    narrow = parts("images")
    narrow.header["layers"][QUANTIZE]["bits"] = 4
    for layer in (FIRST, SECOND, THIRD, MEAN, LAST):
        narrow.header["layers"][layer]["output"] = 4
    zeros = sorted(name for name in narrow.arrays if name.endswith(".zero_point"))
    assert len(zeros) == 1 + 2 * 4 + 1
    for name in zeros:
        narrow.arrays[name] = np.full_like(narrow.arrays[name], 15)
    narrow.write()
    assert load_network(narrow.file).layers[QUANTIZE].grid.zero_point == 15
    for name in zeros:
        narrow.arrays[name].flat[-1] = above
        assert f"{name}: outside 0 … 2^4-1" in refused(narrow)
        narrow.arrays[name].flat[-1] = 15


def test_padding_bits_that_are_set_are_refused(file: Path) -> None:
    broken = take_apart(file, weights_only("per_tensor", bits=3))
    broken.arrays["1.weight.codes"][-1] |= 0x80
    assert "padding bits" in refused(broken)


def test_codes_between_the_layers_have_one_scale(parts: Callable[[str], Parts]) -> None:
    broken = parts("images")
    broken.arrays["2.output.scale"] = np.ones(4, np.float32)
    broken.arrays["2.output.zero_point"] = np.zeros(4, np.uint8)
    assert "2.output.scale: got float32 of shape (4,)" in refused(broken)


def with_layer(i: int, **changes: object) -> Network:
    """The network on images with other fields in one layer."""
    layers = list[Layer](images(0, bits=4).layers)
    layers[i] = replace(layers[i], **changes)
    return replace(images(0, bits=4), layers=tuple(layers))


def wide_weight(bits: int) -> Quantized:
    weight = images(0, bits=4).layers[FIRST].weight
    grid = Grid(weight.grid.scale, weight.grid.zero_point.astype(np.uint16), bits)
    return Quantized(weight.codes.astype(np.uint16), grid)


def weight_with_scales(*shape: int) -> Quantized:
    grid = Grid(np.ones(shape, np.float32), np.full(shape, 8, np.uint8), 4)
    return Quantized(images(0, bits=4).layers[FIRST].weight.codes, grid)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *[({"weight": wide_weight(bits)}, "codes have up to 8 bits") for bits in (9, 16)],
        *[
            # Whatever the bias claims, its scale is not in the file.
            (
                {
                    "weight": weight_with_scales(*shape),
                    "bias": Int32(np.zeros(4, np.int32), np.ones(4)),
                },
                "",
            )
            for shape in ((4, 2, 3, 3), (4, 2, 1, 1), (1, 2, 1, 1), (1, 2, 3, 3))
        ],
        ({"weight": np.zeros((4, 2, 3, 3), np.float32)}, "an int32 bias outside of integer layers"),
        ({"bias": np.zeros(4)}, "behind quantize, the weight must be in codes and the bias in"),
        ({"bias": Quantized(np.zeros(4, np.uint8), unit(0))}, "behind quantize, the weight must"),
        ({"output": None}, "a layer has a grid of its output where and only where"),
    ],
)
def test_an_integer_layer_that_is_not_all_integers_is_refused(
    file: Path, changes: dict[str, object], message: str
) -> None:
    put(file, dump_network(with_layer(FIRST, **changes)))
    assert refusal(file).startswith("layer 2 (conv2d): ")
    assert message in refusal(file)


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_up_to_the_last_of_int32_are_taken_and_no_larger_ones(file: Path, sign: int) -> None:
    network = images(0, bits=4)
    layer, grid = network.layers[FIRST], network.layers[QUANTIZE].grid
    assert isinstance(layer, Conv2d)
    steps = layer.weight.codes.astype(int) - layer.weight.grid.zero_point.astype(int)
    reach = max(int(grid.zero_point), 255 - int(grid.zero_point))
    room = 2**31 - 1 - np.abs(steps).sum(axis=(1, 2, 3)) * reach
    parts = take_apart(file, network)
    parts.arrays["2.bias.codes"] = (sign * room).astype(np.int32)
    parts.write()
    assert load_network(file).layers[FIRST].largest_sum(grid) == 2**31 - 1
    parts.arrays["2.bias.codes"][2] += sign
    assert refused(parts) == f"layer 2 (conv2d): sums up to {2**31} do not fit int32"


def test_scales_whose_product_float32_cannot_hold_are_refused(
    parts: Callable[[str], Parts], file: Path
) -> None:
    # Formula 2 of the integer runtime rounds it to float32: infinity, and infinity · 0 is no code.
    linear = take_apart(file, one_output(np.array([129, 127]), unit(0, 3e38), unit(0)))
    linear.arrays["1.weight.scale"] = np.array(3e38, np.float32)
    assert "the product of its scales is more than float32 holds" in refused(linear)
    mean = parts("images")
    mean.arrays[f"{MEAN}.output.scale"] = np.float32(2e-38)
    mean.arrays[f"{MEAN - 1}.output.scale"] = np.float32(3e38)
    assert "the product of its scales is more than float32 holds" in refused(mean)


def test_rows_of_more_than_a_million_numbers_are_refused(file: Path) -> None:
    start, parts = unit(0), weighted(np.random.default_rng(0), (1, 1), unit(0), 8, False)
    layers = (Quantize(start), GlobalAveragePool(output=unit(0)), Linear(*parts, output=unit(0)))
    for height, fits in ((2**8, True), (2**8 + 1, False)):
        shape = Signature(Images((1, height, 2**12), 255), Classes(("a",)))
        put(file, dump_network(Network(layers, shape)))
        assert is_refused(file) != fits


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\u2028"])
def test_a_name_of_two_lines_does_not_make_a_message_of_two_lines(
    parts: Callable[[str], Parts], separator: str
) -> None:
    surplus = parts("float")
    surplus.arrays[f"a{separator}b"] = np.ones(1)
    refused(surplus)


def test_a_file_with_one_wrong_bit_is_a_network_or_an_octet_error(file: Path) -> None:
    content = dump_network(weights_only("unified"))
    refused = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        put(file, damaged)
        refused += is_refused(file)
    assert len(content) / 2 < refused < len(content)
