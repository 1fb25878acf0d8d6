"""A file that params.yaml names is the one that was pinned, or one line says what to do."""

from pathlib import Path

import pytest

from octet.errors import OctetError
from stages.pinned import MIRROR_VARIABLE, OutOfReachError, digest_of, pinned

WHERE = "systems.mine.model"
NAME = "nets/mine.onnx"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Beside a repository without files, which is where the test runs."""
    (tmp_path / "top").mkdir()
    monkeypatch.chdir(tmp_path / "top")
    monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path / "mirror"))
    return tmp_path / "mirror"


def put(folder: Path, content: bytes) -> Path:
    file = folder / NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_the_repository_comes_before_the_mirror(mirror: Path) -> None:
    there = put(mirror, b"mirrored")
    assert pinned(NAME, digest_of(there), WHERE) == there
    here = put(Path(), b"own")
    assert pinned(NAME, digest_of(here), WHERE) == here


def test_another_file_than_was_pinned_is_refused_with_its_digest(mirror: Path) -> None:
    digest = digest_of(put(mirror, b"new"))
    with pytest.raises(OctetError) as caught:
        pinned(NAME, "0" * 64, WHERE)
    assert str(caught.value).startswith(f"params.yaml: {WHERE}.sha256: got {'0' * 64}, but ")
    assert digest in str(caught.value)


def test_what_is_nowhere_or_no_file_is_named(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutOfReachError, match=f"got {NAME}, which is not below .*, nor below "):
        pinned(NAME, "0" * 64, WHERE)
    (mirror / NAME).mkdir(parents=True)
    with pytest.raises(OctetError, match="allowed is a regular file"):
        pinned(NAME, "0" * 64, WHERE)
    monkeypatch.delenv(MIRROR_VARIABLE)
    with pytest.raises(OutOfReachError, match=f"and {MIRROR_VARIABLE} is not set; put it there"):
        pinned(NAME, "0" * 64, WHERE)
