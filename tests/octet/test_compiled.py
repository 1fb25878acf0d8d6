"""What is compiled is kept, and what is kept is safe to load."""

import ctypes
import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from octet.errors import OctetError
from octet.runtime import compiled
from tests.conftest import ROOT
from tests.octet.exporters.compiled import needs


def text(number: int) -> str:
    return f"int number(void);\nint number(void) {{ return {number}; }}\n"


def number(library: compiled.Library) -> int:
    function = library.functions.number
    function.restype = ctypes.c_int
    return int(function())


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OCTET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which a compiler notes that it had something to compile."""
    needs("cc")
    notes, program = tmp_path / "notes", tmp_path / "cc"
    notes.touch()
    once = f'case "$*" in *-E*) ;; *) echo once >> {notes} ;; esac'
    program.write_text(f'#!/bin/sh\n{once}\nexec cc "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("CC", str(program))
    return notes


def times(notes: Path) -> int:
    return len(notes.read_text().splitlines())


def test_a_text_is_compiled_once_and_another_or_otherwise_again(
    notes: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [number(compiled.load(text(i))) for i in (7, 7, 8, 7)] == [7, 7, 8, 7]
    assert times(notes) == 2
    monkeypatch.setenv("CC", f"{notes.parent}/cc -DOTHER")
    assert number(compiled.load(text(7))) == 7
    assert times(notes) == len([*cache.iterdir()]) == 3


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_a_damaged_file_is_made_again(kept: int, notes: Path, cache: Path) -> None:
    compiled.load(text(7))
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    path.unlink()  # a library that is loaded must not change
    path.write_bytes(whole[:kept])
    assert number(compiled.load(text(7))) == 7
    assert path.read_bytes() == whole
    assert times(notes) == 2
    path.chmod(0o666)
    compiled.load(text(7))
    assert times(notes) == 3


def test_nothing_of_a_folder_that_others_write_to_is_run(cache: Path) -> None:
    compiled.load(text(7))
    (path,) = cache.iterdir()
    before = path.read_bytes()
    cache.chmod(0o777)
    for i in (7, 8):
        library = compiled.load(text(i))
        assert library.not_kept == f"{cache}: others may write there; `chmod go-w` it"
        assert number(library) == i
    assert [*cache.iterdir()] == [path]
    assert path.read_bytes() == before


def test_without_a_cache_it_is_compiled_for_now(
    monkeypatch: pytest.MonkeyPatch, notes: Path
) -> None:
    monkeypatch.setenv("OCTET_CACHE", f"{notes}/cache")
    library = compiled.load(text(7))
    assert (number(library), library.not_kept) == (7, f"{notes}/cache: Not a directory")


def test_where_the_cache_lets_nothing_be_executed_it_is_loaded_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, notes: Path, cache: Path
) -> None:
    load = ctypes.CDLL

    def refusing(name: str) -> ctypes.CDLL:
        if Path(name).parent == cache:
            raise OSError(f"{name}: failed to map segment from shared object")
        return load(name)

    monkeypatch.setattr(ctypes, "CDLL", refusing)
    for count in (1, 2):
        library = compiled.load(text(7))
        assert (number(library), times(notes)) == (7, count)
        assert "failed to map segment" in library.not_kept


def test_a_pipe_under_the_name_of_a_library_is_not_waited_for(cache: Path) -> None:
    compiled.load(text(7))
    (path,) = cache.iterdir()
    path.unlink()
    os.mkfifo(path, 0o600)
    assert number(compiled.load(text(7))) == 7
    assert path.is_file()


def test_a_cache_here_is_loaded_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, notes: Path
) -> None:
    (tmp_path / "here").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("OCTET_CACHE", ".")
    assert [number(compiled.load(text(7))) for _ in range(2)] == [7, 7]
    assert times(notes) == 1


def test_without_a_home_it_is_that_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user = pwd.struct_passwd(("me", "x", 1, 1, "", str(tmp_path / "mine"), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: user)
    for name in ("OCTET_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, "")
    compiled.load(text(7))
    (path,) = tmp_path.rglob("*.so")
    assert path.parent == tmp_path / "mine" / ".cache" / "octet"


def test_a_compiler_whose_name_is_no_text_compiles(
    monkeypatch: pytest.MonkeyPatch, notes: Path
) -> None:
    program = notes.with_name("cc\udcff")
    (notes.parent / "cc").rename(program)
    monkeypatch.setenv("CC", str(program))
    assert number(compiled.load(text(7))) == 7


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_has_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    code = (
        "import os, sys; from octet.runtime import compiled;"
        "compiled._compiled = lambda *_: os.kill(os.getpid(), 15);"
        "compiled.load(sys.argv[1])"
    )
    command = [sys.executable, "-c", code, text(7)]
    environment = os.environ | {"TMPDIR": str(temporary)}
    assert subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == -15
    assert len([*temporary.iterdir()]) == 1
    with compiled._private_folder() as private:
        assert [*temporary.iterdir()] == [private]
        compiled.load(text(7))
        assert [*temporary.iterdir()] == [private]
    assert not [*temporary.iterdir()]


@pytest.mark.parametrize(
    ("own", "xdg", "place"),
    [
        ("", "", "{}/home/.cache/octet"),
        ("", "relative", "{}/home/.cache/octet"),
        ("", "{}/xdg", "{}/xdg/octet"),
        ("{}/own", "{}/xdg", "{}/own"),
    ],
)
def test_where_the_cache_is(
    own: str, xdg: str, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (("OCTET_CACHE", own), ("XDG_CACHE_HOME", xdg), ("HOME", "{}/home")):
        monkeypatch.setenv(name, value.format(tmp_path))
    compiled.load(text(7))
    (path,) = tmp_path.rglob("*.so")
    assert path.parent == Path(place.format(tmp_path))
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_compiler_that_does_not_know_this_machine_makes_what_any_of_its_kind_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "portable"
    program.write_text('#!/bin/sh\ncase "$*" in *-march=native*) exit 1 ;; esac\nexec cc "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("CC", str(program))
    assert number(compiled.load(text(7))) == 7


def test_without_a_place_to_compile_in_it_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, notes: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"{notes}/no-folder")
    with pytest.raises(OctetError, match="no place to compile in: Not a directory"):
        compiled.load(text(7))
