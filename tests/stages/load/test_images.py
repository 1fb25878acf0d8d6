"""Images are the published ones, byte by byte, or an error that says which file is not."""

import gzip
import hashlib
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from octet.errors import OctetError
from octet.signature import Pixels
from stages.dataset import Dataset, dump_dataset
from stages.load import images
from stages.load.images import IMAGES, MNIST, read_idx
from stages.load.sources import MIRROR_VARIABLE, OutOfReachError, fetch
from stages.load.tables import TABLES
from stages.params.split import Split
from stages.params.systems import DataName

SHAPE = (5, 4, 3)
END = "; put the original file there"
HTML = b"\n<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"
HOW = Split(test_size=0.2, random_state=42)


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
    """What is said to be found in a file of these bytes, packed."""
    return refusal_of_packed(file, gzip.compress(content), shape)


def refusal_of_packed(file: Path, packed: bytes, shape: tuple[int, ...] = SHAPE) -> str:
    file.write_bytes(packed)
    with pytest.raises(OctetError) as caught:
        read_idx(file, shape, hashlib.sha256(WHOLE).hexdigest())
    expected = " × ".join(map(str, shape))
    start = f"{file}: expected an IDX file of {expected} bytes, found "
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
    expected, found = (hashlib.sha256(each).hexdigest() for each in (WHOLE, content))
    assert refusal(file, bytes(content)) == f"bytes with SHA-256 {found}, not {expected}"


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
        assert_one_line(str(error), f"{file}: expected an IDX file of 5 × 4 × 3 bytes, found ")
    else:
        np.testing.assert_array_equal(found, pixels())


def test_every_data_set_that_params_allows_can_be_loaded() -> None:
    assert sorted([*IMAGES, *TABLES]) == sorted(get_args(DataName))


def digits(split: Split = HOW) -> Dataset:
    return images.load("digits", split)


def test_digits_are_what_scikit_learn_carries_shuffled() -> None:
    data, bunch = digits(), load_digits()
    rows = [
        (image.tobytes(), int(label))
        for image, label in [
            *zip(data.x_train, data.y_train, strict=True),
            *zip(data.x_test, data.y_test, strict=True),
        ]
    ]
    expected = bunch.images.astype(np.uint8)
    assert sorted(rows) == sorted(
        (image.tobytes(), int(label)) for image, label in zip(expected, bunch.target, strict=True)
    )
    assert rows != sorted(rows)


def test_digits_are_8_by_8_in_16_greys_of_10_classes() -> None:
    data = digits()
    assert data.x_train.shape == (1437, 1, 8, 8)
    assert data.x_test.shape == (360, 1, 8, 8)
    assert (data.y_train.shape, data.y_test.shape) == ((1437,), (360,))
    for part in (data.x_train, data.y_train, data.x_test, data.y_test):
        assert part.dtype == np.uint8
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert (x.min(), x.max()) == (0, data.signature.inputs.white)
        assert set(y.tolist()) == set(range(10))
    assert data.signature.inputs.white == 16
    assert data.signature.shape == (1, 8, 8)
    assert data.signature.outputs.classes == tuple("0123456789")


def test_a_seed_splits_the_digits_alike_every_time_and_another_seed_otherwise() -> None:
    first, again = digits(), digits()
    other = digits(Split(test_size=0.2, random_state=43))
    assert dump_dataset(first) == dump_dataset(again)
    assert first.y_test.tolist() != other.y_test.tolist()


@pytest.mark.parametrize(("test_size", "rows"), [(0.1, 180), (0.5, 899)])
def test_the_share_of_digits_held_out_is_that_of_params(test_size: float, rows: int) -> None:
    data = digits(Split(test_size=test_size, random_state=0))
    assert (len(data.x_train), len(data.x_test)) == (1797 - rows, rows)


@pytest.mark.parametrize("test_size", [0.9995, 1e-9])
def test_a_split_that_leaves_no_digits_on_one_side_is_refused(test_size: float) -> None:
    with pytest.raises(OctetError, match=r"split\.test_size: .* of 1797 rows"):
        digits(Split(test_size=test_size, random_state=0))


@pytest.mark.parametrize(("part", "name"), [("images", "pixels"), ("target", "labels")])
def test_other_digits_are_refused(part: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bunch = load_digits()
    bunch[part].flat[7] += 1
    monkeypatch.setattr(images, "load_digits", lambda: bunch)
    with pytest.raises(OctetError) as caught:
        digits()
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"scikit-learn's digits: {name}: expected numbers with SHA-256 ")


NAMES = [Path(source.mirrored).name for source in MNIST]
TRAIN_X, TRAIN_Y, TEST_X, TEST_Y = NAMES


@pytest.fixture(scope="module")
def mnist() -> tuple[Path, ...]:
    """The four files, from wherever they are in reach."""
    try:
        return tuple(fetch(source) for source in MNIST)
    except OutOfReachError as error:
        pytest.skip(str(error))


@pytest.fixture
def mirror(mnist: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of links to the four files, for a test to exchange some."""
    folder = tmp_path / Path(MNIST[0].mirrored).parent
    folder.mkdir()
    for source, path in zip(MNIST, mnist, strict=True):
        (tmp_path / source.mirrored).symlink_to(path.resolve())
    monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path))
    return folder


def mnist_refusal() -> str:
    with pytest.raises(OctetError) as caught:
        images.load("mnist", HOW)
    return assert_one_line(str(caught.value), "")


def test_mnist_is_70_000_pictures_of_28_by_28_in_256_greys(mirror: Path) -> None:
    del mirror
    data = images.load("mnist", HOW)
    assert data.x_train.shape == (60_000, 1, 28, 28)
    assert data.x_test.shape == (10_000, 1, 28, 28)
    assert (data.y_train.shape, data.y_test.shape) == ((60_000,), (10_000,))
    parts: list[npt.NDArray[Any]] = [data.x_train, data.y_train, data.x_test, data.y_test]
    assert all(part.dtype == np.uint8 for part in parts)
    assert data.signature.shape == (1, 28, 28)
    assert (
        (data.x_train.max(), data.x_test.max()) == (255, 255) == (data.signature.inputs.white,) * 2
    )
    assert data.signature.outputs.classes == tuple("0123456789")
    # As LeCun's page has it, the first labels; and how many there are of each digit.
    assert data.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.y_test[:5].tolist() == [7, 2, 1, 0, 4]
    counts = np.bincount(data.y_test).tolist()
    assert counts == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_mnist_is_the_same_bytes_every_time_and_is_not_split(mirror: Path) -> None:
    del mirror
    first = dump_dataset(images.load("mnist", HOW))
    assert dump_dataset(images.load("mnist", Split(test_size=0.5, random_state=0))) == first


@pytest.mark.parametrize(
    ("name", "instead", "found"),
    [
        (TRAIN_X, TRAIN_Y, "magic number 00 00 08 01, not 00 00 08 03"),
        (TRAIN_Y, TRAIN_X, "magic number 00 00 08 03, not 00 00 08 01"),
        (TEST_Y, TEST_X, "magic number 00 00 08 03, not 00 00 08 01"),
        (TRAIN_X, TEST_X, "10000 × 28 × 28"),
        (TRAIN_Y, TEST_Y, "10000"),
        (TEST_X, TRAIN_X, "60000 × 28 × 28"),
        (TEST_Y, TRAIN_Y, "60000"),
    ],
)
def test_a_swapped_file_in_the_mirror_is_named(
    mirror: Path, name: str, instead: str, found: str
) -> None:
    content = (mirror / instead).resolve()
    (mirror / name).unlink()
    (mirror / name).symlink_to(content)
    message = mnist_refusal()
    assert message.startswith(f"{mirror / name}: expected an IDX file of ")
    assert message.endswith(f" bytes, found {found}; put the original file there")


Damage = Callable[[Path], None]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def html(path: Path) -> None:
    path.write_bytes(HTML)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def relabelled(path: Path) -> None:
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] = 9 - content[-1]
    path.write_bytes(gzip.compress(content, 1))


@pytest.mark.parametrize("damage", [truncate, empty, html, folder, dangling, relabelled])
def test_a_damaged_file_in_the_mirror_is_named_and_not_replaced(
    mirror: Path, damage: Damage
) -> None:
    path = mirror / TEST_Y
    original = path.resolve()
    path.unlink()
    shutil.copy(original, path)
    damage(path)
    assert mnist_refusal().startswith(f"{path}: ")
