"""California Housing is the published table, number by number, or an error."""

import hashlib
import io
import re
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import pytest

from octet.affine import Array
from octet.errors import OctetError
from stages.load import readers
from stages.load.readers import DATA_SETS, california
from stages.load.readers.california import SOURCE
from stages.load.readers.sources import MIRROR_VARIABLE, OutOfReachError, fetch
from stages.params.split import Split

ROWS, COLUMNS = 20_640, 9
MEMBER = "CaliforniaHousing/cal_housing.data"
RAW = "a2f4f55ff91c67e60391318ea4d61d247d09f8fef119ec6f44a1eb727d7f1f7b"
FEATURES = "c8f43774aa27b7ec034e60db31b6124e12b4a0d42b55b0c8eb1320089e2ebc37"
TARGET = "ae80bb98487c04d7383ed8aecda8e207583dfd3e66f6679fded97597c3f6c87e"
HTML = b"\n<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"


Damage = Callable[[bytes], bytes]


def digest(array: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, "<f8").tobytes()).hexdigest()


@pytest.fixture(scope="module")
def published() -> bytes:
    """The California table as text, from wherever it is in reach."""
    try:
        path = fetch(SOURCE)
    except OutOfReachError as error:
        pytest.skip(str(error))
    if path.suffix != ".tgz":
        return path.read_bytes()
    with tarfile.open(path) as archive:
        member = archive.extractfile(MEMBER)
        assert member is not None
        return member.read()


@pytest.fixture
def mirrored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test puts its own California table."""
    monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path))
    path = tmp_path / SOURCE.mirrored
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test puts its own archive of it."""
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    path = tmp_path / "octet" / SOURCE.filename
    path.parent.mkdir(parents=True)
    return path


def table() -> tuple[Array, Array]:
    [source] = DATA_SETS["california_housing"].sources
    return california.read_table(fetch(source))


def put_archive(
    path: Path, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch, keep: int | None = None
) -> None:
    """Write a .tgz of one member, or its first bytes, and take its digest for the published one."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    archived = made.getvalue()[:keep]
    path.write_bytes(archived)
    source = replace(SOURCE, sha256=hashlib.sha256(archived).hexdigest())
    data_set = replace(DATA_SETS["california_housing"], sources=(source,))
    monkeypatch.setitem(DATA_SETS, "california_housing", data_set)


def refusal() -> str:
    with pytest.raises(OctetError) as caught:
        table()
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def test_california_has_the_published_digests(published: bytes, mirrored: Path) -> None:
    mirrored.write_bytes(published)
    x, y = table()
    assert x.shape == (ROWS, 8)
    assert (digest(x), digest(y)) == (FEATURES, TARGET)


def test_california_has_the_columns_that_its_names_say(published: bytes, mirrored: Path) -> None:
    mirrored.write_bytes(published)
    x, y = table()
    data = readers.read("california_housing", Split(test_size=0.2, random_state=42))
    assert (len(data.x_train), len(data.x_test)) == (16_512, 4_128)
    raw = np.loadtxt(io.BytesIO(published), delimiter=",")
    assert digest(raw) == RAW
    column = dict(zip(data.signature.inputs.features, x.T, strict=True))
    households = raw[:, 6]
    np.testing.assert_array_equal(column["MedInc"], raw[:, 7])
    np.testing.assert_array_equal(column["HouseAge"], raw[:, 2])
    np.testing.assert_array_equal(column["AveRooms"], raw[:, 3] / households)
    np.testing.assert_array_equal(column["AveBedrms"], raw[:, 4] / households)
    np.testing.assert_array_equal(column["Population"], raw[:, 5])
    np.testing.assert_array_equal(column["AveOccup"], raw[:, 5] / households)
    np.testing.assert_array_equal(column["Latitude"], raw[:, 1])
    np.testing.assert_array_equal(column["Longitude"], raw[:, 0])
    np.testing.assert_array_equal(y, raw[:, 8] / 100_000)


def test_the_archive_holds_the_same_table(
    published: bytes, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_archive(cached, MEMBER, published, monkeypatch)
    x, y = table()
    assert (digest(x), digest(y)) == (FEATURES, TARGET)


def test_line_ends_are_no_difference(published: bytes, mirrored: Path) -> None:
    mirrored.write_bytes(published.replace(b"\r\n", b"\n").rstrip())
    assert digest(table()[0]) == FEATURES


def one_digit(text: bytes) -> bytes:
    """The same table with one of its digits raised by one."""
    place = text.index(b"8", len(text) // 2)
    return text[:place] + b"9" + text[place + 1 :]


def exchanged(text: bytes) -> bytes:
    first, second, *rest = text.splitlines(keepends=True)
    return b"".join([second, first, *rest])


@pytest.mark.parametrize("damage", [one_digit, exchanged])
def test_another_table_of_that_shape_is_refused_with_both_digests(
    published: bytes, mirrored: Path, damage: Damage
) -> None:
    changed = damage(published)
    mirrored.write_bytes(changed)
    found = digest(np.loadtxt(io.BytesIO(changed), delimiter=","))
    assert refusal() == (
        f"{mirrored}: expected numbers with SHA-256 {RAW}, got {found}; put the original file there"
    )


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda text: b"".join(text.splitlines(keepends=True)[:-1]), "20639 of 9 "),
        (lambda text: text.splitlines(keepends=True)[0] + text, "20641 of 9 "),
        (lambda text: re.sub(rb"(?m)(?=\r?$)(?<=\d)", b",1", text), "20640 of 10 "),
        (lambda text: text.replace(b",", b";"), "could not convert string"),
        (lambda text: text[: text.rindex(b",")], "the number of columns changed from 9 to 8"),
        (lambda text: text[: len(text) // 2], ""),
        (lambda _: HTML, "an HTML page "),
        (lambda _: b"", "0 "),
        (lambda _: b"\r\n\r\n", "0 "),
        (lambda _: bytes(range(256)) * 8, "could not convert string"),
    ],
    ids=[
        *("missing row", "extra row", "extra column", "semicolons", "cut in the last row"),
        *("cut in the middle", "HTML page", "empty", "blank", "binary"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(
    published: bytes, mirrored: Path, damage: Damage, found: str
) -> None:
    content = damage(published)
    mirrored.write_bytes(content)
    message = refusal()
    start = f"{mirrored}: expected {ROWS} rows of {COLUMNS} comma-separated numbers, got {found}"
    assert message.startswith(start)
    assert message.endswith(f"({len(content)} bytes); put the original file there")


@pytest.mark.parametrize(
    ("name", "keep"),
    [("elsewhere/cal_housing.data", None), (MEMBER, 400), (MEMBER, 0)],
    ids=["another member", "truncated", "empty"],
)
def test_an_archive_that_does_not_hold_the_table_is_refused(
    cached: Path, name: str, keep: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(0).normal(size=(100, COLUMNS))
    content = "\n".join(",".join(map(str, row)) for row in rows.tolist()).encode()
    put_archive(cached, name, content, monkeypatch, keep)
    start = f"{cached}: expected {ROWS} rows of {COLUMNS} comma-separated numbers, got "
    assert refusal().startswith(start)
