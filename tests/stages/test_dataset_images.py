"""The data file of images: what goes in comes out, and nothing else is taken for one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from octet.layers import Flatten, Linear
from octet.modelfile import storage
from octet.modelfile.arrays import dump_arrays
from octet.network import Network
from octet.signature import Classes, Columns, Images, Signature
from stages import paths
from stages.dataset import Dataset, dump_dataset, load_dataset

SYSTEM = "small"
PARTS = ("x_train", "y_train", "x_test", "y_test")
ROWS = {"train": 4, "test": 2}
SHAPE = (1, 3, 2)
WHITE = 16
CLASSES = tuple("0123456789")
HEADER = {"shape": list(SHAPE), "white": WHITE, "classes": list(CLASSES)}

fixed = settings(deadline=None, derandomize=True)


def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    x_train, x_test = (rng.integers(0, WHITE + 1, (n, *SHAPE), np.uint8) for n in ROWS.values())
    y_train, y_test = (rng.integers(0, len(CLASSES), n, np.uint8) for n in ROWS.values())
    return Dataset(
        x_train, y_train, x_test, y_test, Signature(Images(SHAPE, WHITE), Classes(CLASSES))
    )


def dumped(header: dict[str, Any] | None = None, **parts: npt.NDArray[Any] | None) -> bytes:
    """A data file with other parts than `dataset` has; None leaves one out."""
    whole = {name: getattr(dataset(), name) for name in PARTS} | parts
    given = {name: array for name, array in whole.items() if array is not None}
    return dump_arrays(HEADER if header is None else header, given)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in HEADER.items() if name != key}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = paths.data_path(SYSTEM)
    path.parent.mkdir()
    return path


def refusal(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    with pytest.raises(OctetError) as caught:
        load_dataset(SYSTEM)
    assert_one_line(file, str(caught.value))
    return str(caught.value)


def assert_one_line(file: Path, message: str) -> None:
    assert message.splitlines() == [message]
    assert message.startswith(f"{file}: ")


def test_what_is_written_is_what_is_read(file: Path) -> None:
    written = dataset()
    file.write_bytes(dump_dataset(written))
    read = load_dataset(SYSTEM)
    assert read.signature == written.signature
    for name in PARTS:
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name), strict=True)
        assert getattr(read, name).dtype == np.uint8


def test_the_helper_of_these_tests_writes_what_the_product_writes() -> None:
    assert dumped() == dump_dataset(dataset())


def test_black_and_white_and_every_label_are_read(file: Path) -> None:
    x = np.zeros((10, *SHAPE), np.uint8)
    x[3:] = WHITE
    y = np.arange(10, dtype=np.uint8)
    file.write_bytes(dumped(x_test=x, y_test=y))
    read = load_dataset(SYSTEM)
    np.testing.assert_array_equal(read.x_test, x)
    np.testing.assert_array_equal(read.y_test, y)


names = st.text(max_size=5).filter(lambda text: text.isprintable() and text == text.strip())


@fixed
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    white=st.integers(1, 255),
    classes=st.lists(names, min_size=1, max_size=12, unique=True),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_pixel_and_every_name_survives(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    white: int,
    classes: list[str],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, white + 1, (3, *shape), np.uint8), np.zeros(3, np.uint8)
    written = Dataset(x, y, x[:1], y[:1], Signature(Images(shape, white), Classes(tuple(classes))))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.getbasetemp())
        paths.data_path(SYSTEM).parent.mkdir(exist_ok=True)
        paths.data_path(SYSTEM).write_bytes(dump_dataset(written))
        read = load_dataset(SYSTEM)
    assert read.signature == written.signature
    for name in PARTS:
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name), strict=True)


def test_the_same_images_make_the_same_bytes_however_they_lie_in_memory() -> None:
    rows = dataset()
    strided = np.repeat(rows.x_test, 2, axis=0)[::2]
    scattered = replace(rows, x_train=np.asfortranarray(rows.x_train), x_test=strided)
    assert dump_dataset(scattered) == dump_dataset(rows)


def test_one_other_pixel_makes_other_bytes() -> None:
    other = dataset().x_train
    other[-1, -1, -1, -1] ^= 1
    changed = replace(dataset(), x_train=other)
    assert dump_dataset(changed) != dump_dataset(dataset())


@pytest.mark.parametrize(
    ("part", "array"),
    [
        ("x_train", np.zeros((3, *SHAPE), np.uint8)),
        ("x_train", np.zeros((4, 1, 2, 3), np.uint8)),
        ("x_train", np.zeros((4, 1, 3, 3), np.uint8)),
        ("x_train", np.zeros((4, 3, 3, 2), np.uint8)),
        ("x_train", np.zeros((4, 3, 2), np.uint8)),
        ("x_train", np.zeros((4, 3, 2, 1), np.uint8)),
        ("x_train", np.zeros((4, 6), np.uint8)),
        ("x_train", np.zeros(24, np.uint8)),
        ("x_train", np.array(0, np.uint8)),
        ("x_train", np.zeros((4, *SHAPE), np.int8)),
        ("x_train", np.zeros((4, *SHAPE), np.uint16)),
        ("x_train", np.zeros((4, *SHAPE), np.int64)),
        ("x_train", np.zeros((4, *SHAPE), np.float32)),
        ("x_train", np.zeros((4, *SHAPE))),
        ("x_train", np.zeros((4, *SHAPE), np.bool_)),
        ("y_train", np.zeros(5, np.uint8)),
        ("y_train", np.zeros((4, 1), np.uint8)),
        ("y_train", np.zeros((4, 10), np.uint8)),
        ("y_train", np.zeros(4, np.int64)),
        ("y_train", np.zeros(4)),
        ("y_train", np.array(0, np.uint8)),
        ("x_test", np.zeros((2, 1, 2, 3), np.uint8)),
        ("y_test", np.zeros(3, np.uint8)),
        ("y_test", np.zeros(2, np.float64)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.dtype}{value.shape}",
)
def test_a_part_of_another_shape_or_type_is_refused_with_what_is_allowed(
    file: Path, part: str, array: npt.NDArray[Any]
) -> None:
    message = refusal(file, dumped(**{part: array}))
    assert f"x_{part.partition('_')[2]}: got " in message
    assert f"{array.dtype} of shape {array.shape}" in message
    assert "allowed is uint8 of shape (rows, 1, 3, 2)" in message


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_part_without_rows_is_refused(file: Path, part: str) -> None:
    empty = {f"x_{part}": np.zeros((0, *SHAPE), np.uint8), f"y_{part}": np.zeros(0, np.uint8)}
    message = refusal(file, dumped(**empty))
    assert f"x_{part}: got " in message
    assert "at least one row" in message


@pytest.mark.parametrize("value", [WHITE + 1, 128, 255])
@pytest.mark.parametrize("part", ["x_train", "x_test"])
def test_a_pixel_brighter_than_white_is_refused(file: Path, part: str, value: int) -> None:
    array = getattr(dataset(), part)
    array[-1, -1, -1, -1] = value
    message = refusal(file, dumped(**{part: array}))
    assert message == f"{file}: {part}: got {value}; allowed are 0 to {WHITE}"


@pytest.mark.parametrize("value", [10, 255])
@pytest.mark.parametrize("part", ["y_train", "y_test"])
def test_a_label_of_no_class_is_refused(file: Path, part: str, value: int) -> None:
    array = getattr(dataset(), part)
    array[0] = value
    message = refusal(file, dumped(**{part: array}))
    assert message == f"{file}: {part}: got {value}; allowed are 0 to 9"


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(file: Path, part: str) -> None:
    message = refusal(file, dumped(**{part: None}))
    assert "not a data file of this project" in message
    assert part in message


@pytest.mark.parametrize("key", ["shape", "white"])
def test_a_header_that_lacks_a_key_is_refused(file: Path, key: str) -> None:
    message = refusal(file, dumped(without(key)))
    assert "not a data file of this project" in message
    assert key in message


def test_a_header_without_classes_is_not_that_of_images(file: Path) -> None:
    assert "not a data file of this project" in refusal(file, dumped(without("classes")))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("shape", value) for value in (None, 5, "abc", [], [1, 3], [1, 3, 2, 1])),
        *(("shape", [1, 3, side]) for side in (0, -2, 2.0, 2.5, True, None, "2")),
        *(("white", value) for value in (0, -1, 1.5, 16.0, None, True, "16", [16])),
        *(("classes", value) for value in (None, 10, "0123456789", [0, 1, 2], [None], {})),
    ],
    ids=repr,
)
def test_a_header_that_does_not_say_what_images_are_is_refused(
    file: Path, key: str, value: object
) -> None:
    assert "not a data file of this project" in refusal(file, dumped(HEADER | {key: value}))


def test_the_arrays_of_a_table_are_no_images(file: Path) -> None:
    rng = np.random.default_rng(0)
    parts = {"x_train": rng.normal(size=(4, 6)), "y_train": rng.normal(size=4)}
    assert "allowed is uint8 of shape (rows, 1, 3, 2)" in refusal(file, dumped(**parts))


def test_images_under_the_header_of_a_table_are_refused(file: Path) -> None:
    header = {"features": list("abcdef"), "target": "t", "unit": "u"}
    assert "allowed is float64 of shape (rows, 6)" in refusal(file, dumped(header))


def test_a_model_of_images_is_no_data_file(file: Path) -> None:
    layers = Flatten(), Linear(np.ones((10, 6), np.float32), np.zeros(10, np.float32))
    content = storage.dump_network(Network(layers, dataset().signature))
    assert "not a data file of this project" in refusal(file, content)


def test_a_table_is_not_taken_for_images(file: Path) -> None:
    header = {"features": ["a"], "target": "t", "unit": "u"}
    x, y = np.zeros((2, 1)), np.zeros(2)
    file.write_bytes(dumped(header, x_train=x, y_train=y, x_test=x, y_test=y))
    assert isinstance(load_dataset(SYSTEM).signature.inputs, Columns)


def test_no_beginning_of_a_file_is_taken_for_the_whole(file: Path) -> None:
    content = dumped()
    for length in range(len(content)):
        assert "not a whole .safetensors file" in refusal(file, content[:length])


@settings(fixed, max_examples=300)
@given(place=st.integers(0, len(dumped()) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_other_data_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    content = bytearray(dumped())
    content[place] = byte
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.getbasetemp())
        file = paths.data_path(SYSTEM)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        try:
            read = load_dataset(SYSTEM)
        except OctetError as error:
            assert_one_line(file, str(error))
        else:
            shapes = [getattr(read, name).shape for name in PARTS]
            assert shapes == [(4, *SHAPE), (4,), (2, *SHAPE), (2,)]
            assert max(read.x_train.max(), read.x_test.max()) <= read.signature.inputs.white
