"""An IDX file is read as it was published, or refused with what is wrong in it."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from octet.signature import Pixels
from stages.load.readers.idx import read_idx

SHAPE = (5, 4, 3)
END = "; put the original file there"
HTML = b"\n<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"


def idx(array: Pixels) -> bytes:
    """An array as a file of the format, not yet packed."""
    lengths = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def pixels(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


WHOLE = idx(pixels())
HEADER = 4 + 4 * len(SHAPE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "images.gz"


def read(file: Path, content: bytes, shape: tuple[int, ...] = SHAPE) -> Pixels:
    """What is read from a file of these bytes, were they the published ones."""
    file.write_bytes(gzip.compress(content))
    return read_idx(file, shape, hashlib.sha256(content).hexdigest())


def refusal(file: Path, content: bytes, shape: tuple[int, ...] = SHAPE) -> str:
    """What is said of a file of these bytes, packed."""
    return refusal_of_packed(file, gzip.compress(content), shape)


def refusal_of_packed(file: Path, packed: bytes, shape: tuple[int, ...] = SHAPE) -> str:
    file.write_bytes(packed)
    with pytest.raises(OctetError) as caught:
        read_idx(file, shape, hashlib.sha256(WHOLE).hexdigest())
    expected = " × ".join(map(str, shape))
    start = f"{file}: expected an IDX file of {expected} bytes, got "
    message = assert_one_line(str(caught.value), start)
    return message.removeprefix(start).removesuffix(END)


def assert_one_line(message: str, start: str) -> str:
    assert message.splitlines() == [message]
    assert message.startswith(start)
    assert message.endswith(END)
    return message


def test_what_is_in_the_file_is_read(file: Path) -> None:
    np.testing.assert_array_equal(read(file, WHOLE), pixels(), strict=True)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_shape_is_read(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, ...], seed: int
) -> None:
    array, file = pixels(shape, seed), tmp_path_factory.getbasetemp() / "any.gz"
    np.testing.assert_array_equal(read(file, idx(array), shape), array, strict=True)


def test_the_lengths_are_read_as_big_endian(file: Path) -> None:
    array = pixels((258,))
    assert idx(array)[4:8] == b"\0\0\1\2"
    np.testing.assert_array_equal(read(file, idx(array), (258,)), array, strict=True)


def test_another_packing_of_the_same_bytes_is_as_good(file: Path) -> None:
    half = len(WHOLE) // 2
    file.write_bytes(gzip.compress(WHOLE[:half], 1) + gzip.compress(WHOLE[half:], 9))
    found = read_idx(file, SHAPE, hashlib.sha256(WHOLE).hexdigest())
    np.testing.assert_array_equal(found, pixels())


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (HTML, "no whole gzip file (Not a gzipped file"),
        (WHOLE, "no whole gzip file (Not a gzipped file"),
        (b"PK\3\4" * 9, "no whole gzip file (Not a gzipped file"),
        (gzip.compress(WHOLE)[:1], "no whole gzip file ("),
        (gzip.compress(WHOLE)[:5], "no whole gzip file ("),
        (gzip.compress(WHOLE) + HTML, "no whole gzip file ("),
        (gzip.compress(WHOLE)[:10] + b"\xff" * 40, "no whole gzip file ("),
    ],
    ids=[
        *("HTML page", "unpacked", "zip archive", "one byte", "half of the gzip header"),
        *("tail", "no deflate"),
    ],
)
def test_what_is_no_gzip_file_is_refused(file: Path, packed: bytes, reason: str) -> None:
    assert refusal_of_packed(file, packed).startswith(reason)


@pytest.mark.parametrize("packed", [b"", gzip.compress(b"")], ids=["bare", "packed"])
def test_an_empty_file_is_not_said_to_have_a_magic_number_of_no_bytes(
    file: Path, packed: bytes
) -> None:
    assert not refusal_of_packed(file, packed).startswith("magic number ,")


def test_no_beginning_of_a_file_is_taken_for_the_whole(file: Path) -> None:
    packed = gzip.compress(WHOLE)
    for length in range(1, len(packed)):
        assert refusal_of_packed(file, packed[:length]).startswith("no whole gzip file (")


def test_a_file_whose_check_sum_does_not_fit_is_refused(file: Path) -> None:
    packed = bytearray(gzip.compress(WHOLE))
    packed[-8] ^= 1
    assert refusal_of_packed(file, bytes(packed)).startswith("no whole gzip file (CRC check failed")


@pytest.mark.parametrize(
    ("magic", "shown"),
    [
        (b"\0\0\x08\2", "00 00 08 02"),
        (b"\0\0\x09\3", "00 00 09 03"),
        (b"\0\0\x0d\3", "00 00 0d 03"),
        (b"\1\0\x08\3", "01 00 08 03"),
        (b"\3\x08\0\0", "03 08 00 00"),
        (b"\n<!D", "0a 3c 21 44"),
    ],
)
def test_another_magic_number_is_refused(file: Path, magic: bytes, shown: str) -> None:
    found = refusal(file, magic + WHOLE[4:])
    assert found == f"magic number {shown}, not 00 00 08 03"


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_file_that_ends_in_its_magic_number_is_refused(file: Path, length: int) -> None:
    assert refusal(file, WHOLE[:length]).startswith("magic number ")


def test_images_where_labels_should_be_are_told_apart_by_their_magic_number(file: Path) -> None:
    assert refusal(file, WHOLE, (5,)) == "magic number 00 00 08 03, not 00 00 08 01"
    labels = idx(pixels((5,)))
    assert refusal(file, labels) == "magic number 00 00 08 01, not 00 00 08 03"


@pytest.mark.parametrize(
    "shape", [(4, 4, 3), (6, 4, 3), (5, 3, 4), (5, 4, 4), (0, 4, 3), (2**32 - 1, 4, 3), (60, 1, 1)]
)
def test_other_lengths_are_refused(file: Path, shape: tuple[int, ...]) -> None:
    content = WHOLE[:4] + struct.pack(">3I", *shape) + WHOLE[HEADER:]
    assert refusal(file, content) == " × ".join(map(str, shape))


def test_the_other_set_of_the_same_kind_is_refused_by_its_count(file: Path) -> None:
    assert refusal(file, idx(pixels((10, 4, 3)))) == "10 × 4 × 3"


@pytest.mark.parametrize("length", range(5, HEADER))
def test_a_file_that_ends_in_its_header_is_refused(file: Path, length: int) -> None:
    assert refusal(file, WHOLE[:length])


@pytest.mark.parametrize("missing", [1, 2, 59])
def test_too_few_bytes_are_counted(file: Path, missing: int) -> None:
    assert refusal(file, WHOLE[:-missing]) == f"{60 - missing} bytes behind the header"


def test_no_bytes_behind_the_header_are_counted_too(file: Path) -> None:
    assert refusal(file, WHOLE[:HEADER]) == "0 bytes behind the header"


@pytest.mark.parametrize("surplus", [1, 60, 1 << 20])
def test_too_many_bytes_are_refused(file: Path, surplus: int) -> None:
    assert refusal(file, WHOLE + bytes(surplus)) == "more bytes behind the header"


@pytest.mark.parametrize("place", [HEADER, len(WHOLE) - 1])
def test_other_pixels_are_refused_with_both_digests(file: Path, place: int) -> None:
    content = bytearray(WHOLE)
    content[place] ^= 1
    expected, other = (hashlib.sha256(each).hexdigest() for each in (WHOLE, content))
    assert refusal(file, bytes(content)) == f"bytes with SHA-256 {other}, not {expected}"


def test_a_folder_is_refused_by_the_operating_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=str(tmp_path)):
        read_idx(tmp_path, SHAPE, "")


def test_a_missing_file_is_refused_by_the_operating_system(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(file, SHAPE, "")


@settings(deadline=None, derandomize=True, max_examples=200)
@given(place=st.integers(0, len(gzip.compress(WHOLE, mtime=0)) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_of_the_packed_file_is_no_other_picture(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    packed = bytearray(gzip.compress(WHOLE, mtime=0))
    packed[place] = byte
    file = tmp_path_factory.getbasetemp() / "changed.gz"
    file.write_bytes(packed)
    try:
        found = read_idx(file, SHAPE, hashlib.sha256(WHOLE).hexdigest())
    except OctetError as error:
        assert_one_line(str(error), f"{file}: expected an IDX file of 5 × 4 × 3 bytes, got ")
    else:
        np.testing.assert_array_equal(found, pixels())
