"""What is compiled is kept, and what is kept is safe to load."""

import ctypes
import tempfile
from pathlib import Path

import pytest

from octet.errors import OctetError
from octet.runtime import compiled
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
