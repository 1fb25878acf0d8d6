"""The .safetensors file itself: arrays and a header, or one line that says what is wrong."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from octet.modelfile.arrays import dump_arrays, load_arrays, map_arrays
from octet.modelfile.storage import dump_network, load_network, sizes
from tests.octet import modelfiles
from tests.octet.modelfiles import put, weights_only

fixed = settings(deadline=None, derandomize=True)
READERS = load_arrays, map_arrays, load_network, sizes


def refusal(path: Path) -> str:
    """What is said of this file, the same by all that read it."""
    (message,) = {modelfiles.refusal(path, load) for load in READERS}
    return message


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


def test_a_missing_file_is_refused_with_what_makes_it(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path / "model.safetensors")
        == "no such file; if it is one of the pipeline's, `dvc repro` makes it"
    )


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "not a whole .safetensors file" in refusal(tmp_path)


@pytest.mark.parametrize("granularity", ["float", "per_channel"])
def test_a_file_that_was_cut_anywhere_is_refused(file: Path, granularity: str) -> None:
    content = dump_network(weights_only(granularity))
    for length in range(len(content)):
        put(file, content[:length])
        assert "not a whole .safetensors file" in refusal(file)


def test_a_file_with_bytes_behind_its_end_is_refused(file: Path) -> None:
    content = dump_network(weights_only("per_tensor"))
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
    for metadata in ({}, {"__metadata__": {"octet": "{}"}}):
        header = json.dumps({**metadata, "0.weight": tensor}).encode()
        put(file, struct.pack("<Q", len(header)) + header + bytes(16 * size // 8))
        if not metadata:
            refusal(file)
        elif dtype != "F16":  # which NumPy has
            with pytest.raises(OctetError):
                map_arrays(file)


def test_the_bytes_are_those_that_safetensors_writes_and_may_stay_in_the_file(
    tmp_path: Path,
) -> None:
    types = "?", "u1", "i1", "i2", "u2", "f2", "i4", "u4", "f4", "f8", "i8", "u8"
    arrays = {f"é{i}": np.arange(2 * i).astype(dtype) for i, dtype in enumerate(types)}
    arrays |= {
        "none": np.zeros((0, 3)),
        "one": np.array(2.5),
        "by columns": np.ones((300_000, 2)).T,
    }
    header = {"names": ['"é\\', "\u2028\x7f"]}
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    content = dump_arrays(header, arrays)
    in_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    assert content == safetensors.numpy.save(in_order, {"octet": text})
    path = tmp_path / "arrays.safetensors"
    path.write_bytes(content)
    read, mapped = map_arrays(path)
    path.unlink()
    assert read == header
    assert mapped.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(mapped[name], array, strict=True)
        assert not mapped[name].flags.writeable
