"""Model files that hold no network: each array and each key that is wrong is refused by name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.layers import Linear
from octet.modelfile.storage import dump_network, load_network
from octet.network import Network
from octet.signature import Columns, Numbers, Signature
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
from tests.octet.networks import one_output, unit

fixed = settings(deadline=None, derandomize=True)


@pytest.fixture
def parts(file: Path) -> Callable[..., Parts]:
    """The parts of a network of 3 inputs, 2 outputs and 4 bits."""
    return lambda granularity, bits=4: take_apart(file, weights_only(granularity, bits))


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
    assert_same(load_network(whole.file), weights_only(granularity))


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


@pytest.mark.parametrize("key", ["features", "target", "unit", "rounding", "provenance"])
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
    put(file, dump_network(Network(layers, Signature(Columns(("a", "b", "c")), Numbers("", "")))))
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


@pytest.mark.parametrize("granularity", ["float", "per_channel", "unified"])
@settings(fixed, max_examples=200)
@given(data=st.data())
def test_a_file_with_wrong_bytes_is_a_network_or_an_octet_error(
    file: Path, granularity: str, data: st.DataObject
) -> None:
    content = bytearray(dump_network(weights_only(granularity)))
    places = st.integers(0, len(content) - 1)
    flips = st.dictionaries(places, st.integers(1, 255), min_size=1, max_size=4)
    for place, flip in data.draw(flips).items():
        content[place] ^= flip
    put(file, content)
    is_refused(file)


def test_a_file_with_one_wrong_bit_is_a_network_or_an_octet_error(file: Path) -> None:
    content = dump_network(weights_only("unified"))
    refused = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        put(file, damaged)
        refused += is_refused(file)
    assert len(content) / 2 < refused < len(content)


def test_scales_whose_product_float32_cannot_hold_are_refused(file: Path) -> None:
    # Formula 2 of the integer runtime rounds it to float32: infinity, and infinity · 0 is no code.
    network = one_output(np.array([129, 127]), unit(0, 3e38), unit(0))
    parts = take_apart(file, network)
    parts.arrays["1.weight.scale"] = np.array(3e38, np.float32)
    parts.write()
    refusal(parts.file)
