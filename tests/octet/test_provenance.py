"""Which commit a model file is of, in real histories of git."""

import subprocess
from pathlib import Path

import pytest

from octet import provenance

DIGEST = "0123456789abcdef0123456789abcdef"


class History:
    """A repository whose dvc.lock changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "init", "--quiet", path], check=True)

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        command = ["git", *who, *words]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, lock: str, folder: str = "") -> str:
        (self.path / folder).mkdir(parents=True, exist_ok=True)
        (self.path / folder / "dvc.lock").write_text(lock)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "one")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    made = History(tmp_path / "clone")
    (made.path / "models").mkdir()
    monkeypatch.chdir(made.path)
    return made


def test_it_is_the_first_commit_whose_lock_has_the_digest(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.commit("outs: none\n")
    first = history.commit(f"outs: {DIGEST}\n")
    assert provenance.revision(DIGEST) == first
    history.commit(f"outs: {DIGEST}\ndeps: {DIGEST}\n")
    assert provenance.revision(DIGEST) == first
    history.commit("outs: another\n")
    assert provenance.revision(DIGEST) == first
    monkeypatch.chdir(history.path / "models")
    assert provenance.revision(DIGEST) == first


@pytest.mark.parametrize("folder", ["ml", "a/b c", "ä#%20", "*[x]"])
def test_the_project_may_be_a_folder_of_a_larger_repository(
    history: History, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    history.commit("outs: none\n")
    history.commit("outs: none\n", folder)
    first = history.commit(f"outs: {DIGEST}\n", folder)
    history.commit(f"outs: {DIGEST}\nmore: 1\n", folder)
    for place in (history.path, history.path / folder, history.path / "models"):
        monkeypatch.chdir(place)
        assert provenance.revision(DIGEST) == first


def test_what_git_is_told_to_show_besides_is_no_revision(history: History) -> None:
    first = history.commit(f"outs: {DIGEST}\n")
    for key in ("log.showSignature", "log.showRoot", "log.follow", "core.quotePath"):
        history.git("config", key, "true")
    history.git("config", "color.ui", "always")
    assert provenance.revision(DIGEST) == first


def test_it_is_none_where_no_commit_has_it(history: History) -> None:
    assert provenance.revision(DIGEST) is None
    history.commit("outs: none\n")
    (history.path / "dvc.lock").write_text(f"outs: {DIGEST}\n")
    assert provenance.revision(DIGEST) is None


def test_a_shallow_clone_does_not_know(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.commit(f"outs: {DIGEST}\n")
    history.commit(f"outs: {DIGEST}\nmore: 1\n")
    history.git("clone", "--quiet", "--depth=1", f"file://{history.path}", str(tmp_path / "flat"))
    monkeypatch.chdir(tmp_path / "flat")
    assert provenance.revision(DIGEST) is None


def test_it_is_none_outside_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.revision(DIGEST) is None
    monkeypatch.setattr(provenance, "_GIT", "no-such-program")
    assert provenance.revision(DIGEST) is None
