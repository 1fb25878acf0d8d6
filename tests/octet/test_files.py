"""A file is written whole or not at all, whatever happens on the way."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from octet import files
from octet.errors import OctetError

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", [b"", b"new", bytes(range(256)) * 4096])
def test_the_content_replaces_the_old_one_and_nothing_else_is_left(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"something older and longer" * 9)
    files.write(path, content)
    assert path.read_bytes() == content
    assert names(tmp_path) == [path.name]


def test_content_comes_in_blocks_all_or_none(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("no more")

    path = tmp_path / "data"
    files.write(path, (block for block in (b"ol", b"", b"d")))
    with pytest.raises(ValueError, match="no more"):
        files.write(path, broken())
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == [path.name]


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    path = tmp_path / "models" / "diabetes" / "float.safetensors"
    files.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(path.parent) == [path.name]


def test_the_bytes_are_on_the_disk_before_they_have_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"old")
    synced = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        fsync(descriptor)
        (part,) = tmp_path.glob(".model.*.part")
        assert os.path.samestat(os.fstat(descriptor), part.stat())
        synced.append((part.read_bytes(), path.read_bytes()))

    monkeypatch.setattr(os, "fsync", watch)
    files.write(path, b"new")
    assert synced == [(b"new", b"old")]
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("existed", [True, False])
def test_a_disk_that_is_full_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existed: bool
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "model"
    if existed:
        path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        files.write(path, b"new")
    assert names(tmp_path) == (["model"] if existed else [])
    assert not existed or path.read_bytes() == b"old"


def test_of_many_files_all_are_written_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = {tmp_path / name: name.encode() for name in ("a", "b", "c")}
    (tmp_path / "a").write_bytes(b"old")
    fsync, calls = os.fsync, iter([False, True, False])

    def fail_at_the_second(descriptor: int) -> None:
        if next(calls):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_at_the_second)
        with pytest.raises(OSError, match="No space left") as caught:
            files.write_all(new)
    assert caught.value.filename == str(tmp_path / "b")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"
    files.write_all(new)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == new


def test_a_name_that_is_taken_by_a_folder_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(tmp_path / "model", b"new")
    assert names(tmp_path) == ["model"]


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_clears_up(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"old")
    code = (
        "import os, sys; from pathlib import Path; from octet import files;"
        "os.fsync = lambda _: os.kill(os.getpid(), 9);"
        "files.write(Path(sys.argv[1]), b'half')"
    )
    killed = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert path.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    files.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("name", ["model.safetensors", "model[1].json", "mod?l*"])
def test_only_parts_of_this_very_file_are_cleared(tmp_path: Path, name: str) -> None:
    left_over = tmp_path / f".{name}.1.part"
    others = [".model1.json.1.part", ".model.1.part", ".modelx.1.part", "model.1.part", "x"]
    for other in (left_over.name, *others):
        (tmp_path / other).write_bytes(b"half")
    files.write(tmp_path / name, b"new")
    assert names(tmp_path) == sorted([name, *others])


def test_any_number_may_write_to_one_path_and_one_of_them_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "model"
    code = (
        "import sys; from pathlib import Path; from octet import files\n"
        "for _ in range(8): files.write(Path(sys.argv[1]), sys.argv[2].encode() * 100_000)"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, path, str(i)], cwd=ROOT, stderr=subprocess.PIPE
        )
        for i in range(4)
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        with contextlib.suppress(FileNotFoundError):
            seen.add(path.read_bytes())
    assert [writer.communicate()[1] for writer in writers] == [b""] * 4
    assert seen <= {str(i).encode() * 100_000 for i in range(4)}
    assert names(tmp_path) == ["model"]


def test_threads_of_one_process_are_as_many_writers(tmp_path: Path) -> None:
    path = tmp_path / "model"
    contents = [bytes([i]) * 10_000 for i in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda content: files.write(path, content), contents * 5))
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["model"]


def test_what_a_living_writer_has_begun_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    fsync = os.fsync

    def another_comes(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        files.write(path, b"another")
        assert path.read_bytes() == b"another"
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", another_comes)
    files.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("name", ["state", "./state", "./sub/../state", "link/state", "other"])
def test_a_file_that_is_read_or_will_be_is_no_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, existing: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(".")
    if existing:
        (tmp_path / "state").write_bytes(b"old")
    with contextlib.ExitStack() as stack:
        if name != "other":
            message = "this is the file of the state; name another"
            stack.enter_context(pytest.raises(OctetError, match=message))
        files.refuse_target(Path(name), rows=None, state=tmp_path / "state")


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(OSError, match="Is a directory") as caught:
        files.write(tmp_path / "model", b"new")
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "model"), None)
