"""MNIST is the published one, byte by byte, or an error that says which file is not."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from octet.errors import OctetError
from stages.dataset import dump_dataset
from stages.load import readers
from stages.load.readers.mnist import SOURCES
from stages.load.readers.sources import MIRROR_VARIABLE, OutOfReachError, fetch
from stages.params.split import Split

END = "; put the original file there"
HTML = b"\n<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"
HOW = Split(test_size=0.2, random_state=42)


def assert_one_line(message: str, start: str) -> str:
    assert message.splitlines() == [message]
    assert message.startswith(start)
    assert message.endswith(END)
    return message


NAMES = [Path(source.mirrored).name for source in SOURCES]
TRAIN_X, TRAIN_Y, TEST_X, TEST_Y = NAMES


@pytest.fixture(scope="module")
def mnist() -> tuple[Path, ...]:
    """The four files, from wherever they are in reach."""
    try:
        return tuple(fetch(source) for source in SOURCES)
    except OutOfReachError as error:
        pytest.skip(str(error))


@pytest.fixture
def mirror(mnist: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of links to the four files, for a test to exchange some."""
    folder = tmp_path / Path(SOURCES[0].mirrored).parent
    folder.mkdir()
    for source, path in zip(SOURCES, mnist, strict=True):
        (tmp_path / source.mirrored).symlink_to(path.resolve())
    monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path))
    return folder


def mnist_refusal() -> str:
    with pytest.raises(OctetError) as caught:
        readers.read("mnist", HOW)
    return assert_one_line(str(caught.value), "")


def test_mnist_is_70_000_pictures_of_28_by_28_in_256_greys(mirror: Path) -> None:
    del mirror
    data = readers.read("mnist", HOW)
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
    first = dump_dataset(readers.read("mnist", HOW))
    assert dump_dataset(readers.read("mnist", Split(test_size=0.5, random_state=0))) == first


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
    assert message.endswith(f" bytes, got {found}; put the original file there")


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
