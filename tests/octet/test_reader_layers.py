"""Model files of integer networks on images: each lie about a layer is refused in one line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Grid
from octet.layers import Conv2d, GlobalAveragePool, Linear, Quantize
from octet.modelfile.storage import dump_network, load_network
from octet.network import Network
from octet.parameters import Int32, Quantized
from octet.runtime import integer
from octet.signature import Classes, Images, Signature
from tests.octet.modelfiles import (
    Parts,
    assert_same,
    is_refused,
    put,
    refusal,
    take_apart,
    weights_only,
)
from tests.octet.networks import KINDS, images, in_float, rows, unit, weighted

# Where the layers of `images` stand; what enters the second convolution is (4, 4, 4).
QUANTIZE, FIRST, RELU, POOL, SECOND, THIRD, MEAN, LAST = 1, 2, 3, 4, 5, 7, 8, 9
WEIGHTED = [FIRST, SECOND, THIRD, LAST]

NO_SIZE = [0, -1, True, False, 3.0, "3", None, [3], {}]
NO_SCALE = [0.0, -0.0, -1.0, 1e-39, np.nan, np.inf, -np.inf]

fixed = settings(deadline=None, derandomize=True)


@pytest.fixture
def cnn(file: Path) -> Parts:
    """The parts of a network with every kind of integer layer, its weights of 4 bits."""
    return take_apart(file, images(0, bits=4))


@pytest.fixture
def reals(file: Path) -> Parts:
    """The parts of that network in float, where layer 1 is the first convolution."""
    return take_apart(file, in_float(images(0, bits=4)))


def refused(parts: Parts) -> str:
    parts.write()
    return refusal(parts.file)


def with_layer(network: Network, i: int, **changes: object) -> Network:
    """The network with other fields in one layer."""
    layers = [*network.layers]
    layers[i] = replace(layers[i], **changes)
    return replace(network, layers=tuple(layers))


def grids(parts: Parts) -> list[str]:
    """The names of the grids in a file."""
    return sorted(name.removesuffix(".scale") for name in parts.arrays if name.endswith(".scale"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_what_was_written_is_read(file: Path, kind: str, per_channel: bool, bits: int) -> None:
    written = KINDS[kind](bits, bits, per_channel)
    put(file, dump_network(written))
    read = load_network(file)
    assert_same(read, written)
    assert dump_network(read) == file.read_bytes()
    x = rows(written, 5)
    assert integer.run(read, x).tobytes() == integer.run(written, x).tobytes()


def test_parts_written_unchanged_are_the_network(cnn: Parts, file: Path) -> None:
    cnn.write()
    assert_same(load_network(file), images(0, bits=4))


@pytest.mark.parametrize("side", NO_SIZE)
@pytest.mark.parametrize("layer", [FIRST, POOL])
def test_a_side_that_is_no_positive_integer_is_refused(
    cnn: Parts, layer: int, side: object
) -> None:
    cnn.header["layers"][layer]["side"] = side
    assert f"got {side!r} for an integer of at least 1" in refused(cnn)


@pytest.mark.parametrize("padding", NO_SIZE[1:])
def test_a_padding_that_is_no_integer_from_0_on_is_refused(cnn: Parts, padding: object) -> None:
    cnn.header["layers"][FIRST]["padding"] = padding
    assert f"got {padding!r} for an integer of at least 0" in refused(cnn)


@pytest.mark.parametrize("outputs", NO_SIZE)
@pytest.mark.parametrize("layer", WEIGHTED)
def test_outputs_that_are_no_positive_integer_are_refused(
    cnn: Parts, layer: int, outputs: object
) -> None:
    cnn.header["layers"][layer]["outputs"] = outputs
    wrong = f"layer {layer}: outputs: got {outputs!r}; allowed are 1 to {2**20}"
    assert refused(cnn) == wrong


@pytest.mark.parametrize("padding", [3, 4, 10**9])
def test_a_padding_as_wide_as_the_kernel_is_refused(cnn: Parts, padding: int) -> None:
    cnn.header["layers"][FIRST]["padding"] = padding
    wrong = f"layer 2: a kernel of 3 with padding {padding} on shape (2, 8, 8)"
    assert refused(cnn) == wrong


@pytest.mark.parametrize("side", [5, 6, 10**9, 10**30])
def test_a_kernel_larger_than_the_image_is_refused(cnn: Parts, side: int) -> None:
    cnn.header["layers"][SECOND]["side"] = side
    wrong = f"layer 5: a kernel of {side} with padding 0 on shape (4, 4, 4)"
    assert refused(cnn) == wrong


@pytest.mark.parametrize(("key", "value"), [("side", 1), ("side", 2), ("side", 4)])
def test_a_kernel_that_the_weights_do_not_have_is_refused(cnn: Parts, key: str, value: int) -> None:
    cnn.header["layers"][FIRST][key] = value
    refused(cnn)


@pytest.mark.parametrize("value", [10**9, 10**30])
@pytest.mark.parametrize("network", [images(0), in_float(images(0)), images(0, 4, False)])
def test_sizes_beyond_all_memory_are_refused_before_any_is_taken(
    file: Path, network: Network, value: int
) -> None:
    first = next(i for i, layer in enumerate(network.layers) if isinstance(layer, Conv2d))
    for lie in ({"side": value, "padding": value - 1}, {"outputs": value}):
        parts = take_apart(file, network)
        parts.header["layers"][first] |= lie
        refused(parts)
    parts = take_apart(file, network)
    parts.header["shape"] = [value, 8, 8]
    refused(parts)


@pytest.mark.parametrize("side", [3, 5, 16, 10**30])
def test_tiles_that_do_not_fill_the_image_are_refused(cnn: Parts, side: int) -> None:
    cnn.header["layers"][POOL]["side"] = side
    wrong = f"layer 4: got shape (4, 8, 8); tiles of {side} by {side} do not fill it"
    assert refused(cnn) == wrong


@pytest.mark.parametrize("shape", [[2, 7, 8], [2, 8, 7]])
def test_tiles_must_fill_both_sides_of_the_image(cnn: Parts, shape: list[int]) -> None:
    cnn.header["shape"] = shape
    assert "tiles of 2 by 2 do not fill it" in refused(cnn)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_the_last_layer_has_one_output_per_class(cnn: Parts, count: int) -> None:
    cnn.header["classes"] = [str(i) for i in range(count)]
    assert refused(cnn) == f"the last layer gives shape (3,); {count} classes take ({count},)"


def test_images_are_no_outputs(cnn: Parts) -> None:
    del cnn.header["layers"][RELU:]
    cnn.arrays = {name: a for name, a in cnn.arrays.items() if int(name.split(".")[0]) < RELU}
    assert refused(cnn) == "the last layer gives shape (4, 8, 8); 3 classes take (3,)"


def test_a_second_quantize_is_refused(cnn: Parts) -> None:
    cnn.header["layers"][RELU] = cnn.header["layers"][QUANTIZE]
    cnn.arrays["3.scale"], cnn.arrays["3.zero_point"] = np.float32(1), np.uint8(0)
    assert refused(cnn) == "layer 3: a second quantize"


def test_a_standardize_behind_quantize_is_refused(cnn: Parts) -> None:
    cnn.header["layers"][RELU] = cnn.header["layers"][0]
    cnn.arrays["3.mean"], cnn.arrays["3.std"] = np.zeros(4), np.ones(4)
    assert refused(cnn) == "layer 3: standardize behind quantize"


def test_integer_layers_without_a_quantize_are_refused(cnn: Parts) -> None:
    cnn.header["layers"][QUANTIZE] = {"kind": "relu"}
    del cnn.arrays["1.scale"], cnn.arrays["1.zero_point"]
    assert refused(cnn) == "2.bias: an int32 bias outside of integer layers"


@pytest.mark.parametrize("granularity", ["float", "per_tensor", "per_channel"])
def test_an_int32_bias_in_a_network_that_computes_in_float_is_refused(
    file: Path, granularity: str
) -> None:
    parts = take_apart(file, weights_only(granularity))
    parts.header["layers"][1]["bias"] = {"bits": 32}
    parts.arrays["1.bias.codes"] = np.zeros(2, np.int32)
    assert refused(parts) == "1.bias: an int32 bias outside of integer layers"


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.float32, np.uint8])
def test_bias_codes_of_another_dtype_are_refused(cnn: Parts, dtype: type) -> None:
    cnn.arrays["2.bias.codes"] = np.zeros(4, dtype)
    assert refused(cnn).startswith(f"2.bias.codes: got {np.dtype(dtype)} of shape (4,)")


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5,), (4, 1)])
def test_bias_codes_of_another_shape_are_refused(cnn: Parts, shape: tuple[int, ...]) -> None:
    cnn.arrays["2.bias.codes"] = np.zeros(shape, np.int32)
    assert refused(cnn).startswith(f"2.bias.codes: got int32 of shape {shape}")


@pytest.mark.parametrize("layer", [*WEIGHTED, MEAN])
def test_an_integer_layer_without_a_grid_of_its_output_is_refused(cnn: Parts, layer: int) -> None:
    del cnn.header["layers"][layer]["output"]
    del cnn.arrays[f"{layer}.output.scale"], cnn.arrays[f"{layer}.output.zero_point"]
    assert refused(cnn).startswith(f"layer {layer}: a layer has a grid of its output where and")


@pytest.mark.parametrize("layer", [i - 1 for i in (*WEIGHTED, MEAN)])
def test_a_float_layer_with_a_grid_of_its_output_is_refused(reals: Parts, layer: int) -> None:
    reals.header["layers"][layer]["output"] = 8
    reals.arrays[f"{layer}.output.scale"] = np.float32(1)
    reals.arrays[f"{layer}.output.zero_point"] = np.uint8(0)
    assert refused(reals).startswith(f"layer {layer}: a layer has a grid of its output where and")


@pytest.mark.parametrize("bits", [1, 9, 16, 0, -8, True, 8.0, "8", None])
@pytest.mark.parametrize(
    ("layer", "key"), [(QUANTIZE, "bits"), (FIRST, "output"), (MEAN, "output")]
)
def test_codes_between_the_layers_have_2_to_8_bits(
    cnn: Parts, layer: int, key: str, bits: object
) -> None:
    cnn.header["layers"][layer][key] = bits
    name = str(layer) if key == "bits" else f"{layer}.output"
    assert refused(cnn) == f"{name}: got {bits!r} bits; allowed are 2 to 8"


@pytest.mark.parametrize("bits", [9, 16])
@pytest.mark.parametrize("layer", [FIRST, LAST])
def test_weights_of_more_than_8_bits_are_refused_in_an_integer_layer(
    file: Path, layer: int, bits: int
) -> None:
    network = images(0, bits=4)
    weight = network.layers[layer].weight
    grid = Grid(weight.grid.scale, weight.grid.zero_point.astype(np.uint16), bits)
    wide = Quantized(weight.codes.astype(np.uint16), grid)
    put(file, dump_network(with_layer(network, layer, weight=wide)))
    assert refusal(file).startswith(f"{layer}.weight: among integer layers, codes have up to 8")


@pytest.mark.parametrize("shape", [(4, 2, 3, 3), (4, 2, 1, 1), (1, 2, 1, 1), (1, 2, 3, 3)])
def test_a_scale_within_an_output_is_refused_in_an_integer_layer(
    file: Path, shape: tuple[int, ...]
) -> None:
    network = images(0, bits=4)
    grid = Grid(np.ones(shape, np.float32), np.full(shape, 8, np.uint8), 4)
    weight = Quantized(network.layers[FIRST].weight.codes, grid)
    # Whatever the bias claims, its scale is not in the file.
    bias = Int32(np.zeros(4, np.int32), np.ones(4))
    put(file, dump_network(with_layer(network, FIRST, weight=weight, bias=bias)))
    refusal(file)


@pytest.mark.parametrize("layer", [FIRST, LAST])
def test_an_integer_layer_with_weights_in_float_is_refused(file: Path, layer: int) -> None:
    network = images(0, bits=4)
    weight = network.layers[layer].weight.codes.astype(np.float32)
    put(file, dump_network(with_layer(network, layer, weight=weight)))
    refusal(file)


@pytest.mark.parametrize("layer", [FIRST, LAST])
def test_an_integer_layer_with_a_bias_not_in_int32_is_refused(file: Path, layer: int) -> None:
    network = images(0, bits=4)
    outputs = len(network.layers[layer].bias.codes)
    grid = Grid(np.array(1, np.float32), np.array(0, np.uint8), 8)
    for bias in (np.zeros(outputs), Quantized(np.zeros(outputs, np.uint8), grid)):
        put(file, dump_network(with_layer(network, layer, bias=bias)))
        assert refusal(file).startswith(f"layer {layer}: behind quantize, the weight must be in")


@pytest.mark.parametrize("bad", NO_SCALE)
def test_a_scale_that_no_quantizer_makes_is_refused(cnn: Parts, bad: float) -> None:
    assert len(grids(cnn)) == 1 + 2 * len(WEIGHTED) + 1
    for name in grids(cnn):
        right = cnn.arrays[f"{name}.scale"].copy()
        cnn.arrays[f"{name}.scale"].flat[-1] = bad
        assert refused(cnn) == f"{name}.scale: must be positive and finite"
        cnn.arrays[f"{name}.scale"] = right


@pytest.mark.parametrize("above", [16, 17, 255])
def test_a_zero_point_above_the_codes_is_refused(cnn: Parts, above: int) -> None:
    cnn.header["layers"][QUANTIZE]["bits"] = 4
    cnn.arrays["1.zero_point"] = np.array(15, np.uint8)
    for layer in (*WEIGHTED, MEAN):
        cnn.header["layers"][layer]["output"] = 4
        cnn.arrays[f"{layer}.output.zero_point"] = np.array(15, np.uint8)
    cnn.write()
    load_network(cnn.file)
    for name in grids(cnn):
        right = cnn.arrays[f"{name}.zero_point"].copy()
        cnn.arrays[f"{name}.zero_point"].flat[-1] = above
        assert refused(cnn) == f"{name}.zero_point: outside 0 … 2^4-1"
        cnn.arrays[f"{name}.zero_point"] = right


@pytest.mark.parametrize("shape", [(1,), (4,), (1, 4, 1, 1)])
def test_codes_between_the_layers_have_one_scale(cnn: Parts, shape: tuple[int, ...]) -> None:
    cnn.arrays["2.output.scale"] = np.ones(shape, np.float32)
    cnn.arrays["2.output.zero_point"] = np.zeros(shape, np.uint8)
    assert refused(cnn).startswith(f"2.output.scale: got float32 of shape {shape}")


@pytest.mark.parametrize("layer", WEIGHTED)
@pytest.mark.parametrize("bias", [2**31 - 1, 2**31 - 2, -(2**31), 1 - 2**31])
def test_sums_that_do_not_fit_int32_are_refused(cnn: Parts, layer: int, bias: int) -> None:
    cnn.arrays[f"{layer}.bias.codes"][-1] = bias
    message = refused(cnn)
    assert message.startswith(f"layer {layer}: sums up to ")
    assert message.endswith(" do not fit int32")


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_up_to_the_last_of_int32_are_taken(file: Path, sign: int) -> None:
    network = images(0, bits=4)
    layer, grid = network.layers[FIRST], network.layers[QUANTIZE].grid
    none = replace(layer, bias=replace(layer.bias, codes=np.zeros(4, np.int32)))
    reach = max(int(grid.zero_point), 255 - int(grid.zero_point))
    room = 2**31 - 1 - np.abs(integer.steps(none)).sum(axis=1) * reach
    parts = take_apart(file, network)
    parts.arrays["2.bias.codes"] = (sign * room).astype(np.int32)
    parts.write()
    assert integer.largest_sum(load_network(file).layers[FIRST], grid) == 2**31 - 1
    parts.arrays["2.bias.codes"][2] += sign
    assert refused(parts) == f"layer 2: sums up to {2**31} do not fit int32"


def test_rows_of_more_than_a_million_numbers_are_refused(file: Path) -> None:
    start, (weight, bias) = unit(0), weighted(np.random.default_rng(0), (1, 1), unit(0), 8, False)
    layers = (Quantize(start), GlobalAveragePool(unit(0)), Linear(weight, bias, unit(0)))
    for height, fits in ((2**8, True), (2**8 + 1, False)):
        put(
            file,
            dump_network(
                Network(layers, Signature(Images((1, height, 2**12), 255), Classes(("a",))))
            ),
        )
        assert is_refused(file) != fits


def test_a_layer_that_sees_more_numbers_than_memory_should_hold_is_refused(cnn: Parts) -> None:
    # Every layer has few weights, and what comes between them would be large.
    cnn.header["shape"] = [2, 512, 512]
    assert refused(cnn) == f"layer 2: {512 * 512 * 18} numbers at once; allowed are {2**22}"


def test_a_mean_whose_scales_multiply_to_an_infinity_is_refused(cnn: Parts) -> None:
    cnn.arrays[f"{MEAN}.output.scale"] = np.float32(2e-38)
    cnn.arrays[f"{MEAN - 1}.output.scale"] = np.float32(3e38)
    assert "the product of its scales is more than float32 holds" in refused(cnn)


def test_a_linear_layer_on_an_image_is_refused(cnn: Parts) -> None:
    cnn.header["layers"][MEAN] = {"kind": "relu"}
    assert refused(cnn) == "layer 9 (linear): got shape (6, 2, 2); allowed is one axis"


@pytest.mark.parametrize(
    ("flat", "message"),
    [
        (RELU, "layer 4: got shape (256,)"),
        (POOL, "layer 5: got shape (256,)"),
        (THIRD, "layer 8: got shape (12,)"),
    ],
)
def test_what_takes_images_is_refused_behind_flatten(cnn: Parts, flat: int, message: str) -> None:
    cnn.header["layers"][flat] = {"kind": "flatten"}
    assert refused(cnn) == f"{message}; allowed is (channels, height, width)"


def test_a_convolution_on_a_table_is_refused(cnn: Parts) -> None:
    del cnn.header["classes"], cnn.header["shape"], cnn.header["white"]
    cnn.header |= {"features": ["a", "b"], "target": "y", "unit": ""}
    assert refused(cnn) == "layer 2: got shape (2,); allowed is (channels, height, width)"


@pytest.mark.parametrize(
    "shape",
    [[], [2], [8, 8], [2, 8, 8, 1], None, 2, "288", {}, ["2", "8", "8"]]
    + [[2, 8, size] for size in NO_SIZE],
)
def test_a_shape_that_is_no_image_is_refused(cnn: Parts, shape: object) -> None:
    cnn.header["shape"] = shape
    assert refused(cnn).startswith("the header does not describe a network (")


@pytest.mark.parametrize("white", [*NO_SIZE, 255.0])
def test_a_white_that_is_no_positive_integer_is_refused(cnn: Parts, white: object) -> None:
    cnn.header["white"] = white
    assert f"got {white!r} for an integer of at least 1" in refused(cnn)


@pytest.mark.parametrize(
    "classes", [[1, 2, 3], ["a", "b", 3], ["a", None, "c"], "abc", None, 3, {}, {"a": 1}]
)
def test_classes_that_are_not_strings_are_refused(cnn: Parts, classes: object) -> None:
    cnn.header["classes"] = classes
    assert "names must be strings" in refused(cnn)


@pytest.mark.parametrize("key", ["shape", "white", "classes", "rounding", "provenance"])
def test_a_header_without_one_of_its_keys_is_refused(cnn: Parts, key: str) -> None:
    del cnn.header[key]
    assert refused(cnn).startswith("the header does not describe a network (KeyError(")


def test_a_file_of_data_is_no_model(cnn: Parts) -> None:
    del cnn.header["layers"]
    assert refused(cnn) == "a file of Octet's, but no model: its header has no layers"


def keys_of_layers() -> list[tuple[int, str]]:
    """Each key of each layer in the header of `images`."""
    numbered = ["kind", "outputs", "weight", "bias", "output"]
    keys = {QUANTIZE: ["kind", "bits"], POOL: ["kind", "side"], MEAN: ["kind", "output"]}
    keys |= {i: [*numbered, "side", "padding"] for i in (FIRST, SECOND, THIRD)}
    keys[LAST] = numbered
    return [(layer, key) for layer, each in keys.items() for key in each]


@pytest.mark.parametrize(("layer", "key"), keys_of_layers())
def test_a_layer_without_one_of_its_keys_is_refused(cnn: Parts, layer: int, key: str) -> None:
    del cnn.header["layers"][layer][key]
    refused(cnn)


@pytest.mark.parametrize("value", [None, True, -1, 2.5, 10**30, float("nan"), "x", [], {}])
@pytest.mark.parametrize(("layer", "key"), keys_of_layers())
def test_a_layer_with_nonsense_for_a_value_is_refused(
    cnn: Parts, layer: int, key: str, value: object
) -> None:
    cnn.header["layers"][layer][key] = value
    refused(cnn)


@pytest.mark.parametrize("kind", ["Conv2d", "conv1d", "", "relu\n", 3, None, ["relu"]])
def test_an_unknown_kind_of_layer_is_refused_by_name(cnn: Parts, kind: object) -> None:
    cnn.header["layers"][RELU]["kind"] = kind
    assert refused(cnn).startswith("layer 3: unknown kind ")


def test_a_missing_array_is_refused_by_name(cnn: Parts) -> None:
    for name in sorted(cnn.arrays):
        array = cnn.arrays.pop(name)
        assert refused(cnn) == f"{name}: no such array in the file"
        cnn.arrays[name] = array


def test_arrays_that_no_layer_names_are_refused(cnn: Parts) -> None:
    cnn.arrays |= {"3.weight": np.ones(1), "2.bias.scale": np.ones(4, np.float32)}
    assert refused(cnn) == "holds arrays that no layer names: 2.bias.scale, 3.weight"


@pytest.mark.parametrize("network", [images(0), in_float(images(0))], ids=["integers", "reals"])
@settings(fixed, max_examples=150)
@given(data=st.data())
def test_a_file_with_wrong_bytes_is_a_network_or_an_octet_error(
    file: Path, network: Network, data: st.DataObject
) -> None:
    content = bytearray(dump_network(network))
    length = 8 + int.from_bytes(content[:8], "little")
    # Half of the damage is done to the header, which is the smaller part.
    places = st.one_of(st.integers(0, length - 1), st.integers(0, len(content) - 1))
    flips: dict[int, Any] = data.draw(
        st.dictionaries(places, st.integers(1, 255), min_size=1, max_size=3)
    )
    for place, flip in flips.items():
        content[place] ^= flip
    put(file, content)
    is_refused(file)
