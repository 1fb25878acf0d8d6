"""Git's index: dvc.lock is staged, and no lock stays that a person must delete."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from octet.errors import OctetError
from stages.commands.run import guard, staging
from tests.conftest import ROOT, Clone

STAGE = "from stages.commands.run import staging; staging.stage_lock()"
# In git's place: at this word, the process that asked is killed; elsewhere git does what it does.
DEADLY = """#!/bin/sh
{before}
case " $* " in *" add "*) kill -9 $PPID; exit 1;; esac
"""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A repository whose dvc.lock is not staged, and another file is."""
    clone = Clone(tmp_path / "project")
    clone.path.mkdir()
    clone.git("init", "--quiet")
    (clone.path / "other").write_text("1")
    clone.git("add", "other")
    (clone.path / "dvc.lock").write_text("1")
    monkeypatch.chdir(clone.path)
    return clone


def staged(clone: Clone) -> list[str]:
    return clone.git("ls-files").split()


def locks(clone: Clone) -> list[str]:
    """What is in git's folder beside the index and should not stay."""
    names = [path.name for path in (clone.path / ".git").iterdir()]
    return sorted(name for name in names if name.endswith(".lock") or name.startswith("octet"))


@pytest.mark.parametrize("before", ["", '{git} "$@"'], ids=["before git", "after it"])
def test_a_kill_while_it_stages_leaves_nothing_to_delete(
    before: str, clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = shutil.which("git")
    wrapper = tmp_path / "bin/git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        DEADLY.format(before=before.format(git=git)) + (f'exec {git} "$@"\n' if not before else "")
    )
    wrapper.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{wrapper.parent}:/usr/bin:/bin")
        patch.setenv("PYTHONPATH", str(ROOT))
        killed = subprocess.run([sys.executable, "-c", STAGE], check=False)
    assert killed.returncode == -9
    assert "index.lock" in locks(clone)
    with guard.alone():
        assert not locks(clone)
        staging.stage_lock()
    assert staged(clone) == ["dvc.lock", "other"]
    assert not locks(clone)


def test_the_lock_of_another_git_stays_and_is_named(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_PATIENCE", 0.0)
    lock = clone.path / ".git/index.lock"
    lock.touch()
    staging._ours(clone.path / ".git/index").touch()  # a run was killed before it had the lock
    with guard.alone(), pytest.raises(OctetError, match=r"/\.git/index\.lock: git is at work"):
        staging.stage_lock()
    assert locks(clone) == ["index.lock"]
    lock.unlink()
    staging.stage_lock()
    assert staged(clone) == ["dvc.lock", "other"]


def test_another_project_of_the_repository_stages_at_the_same_time(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_PATIENCE", 0.0)
    add = staging.git.add
    for name in ("one", "two"):
        (clone.path / name).mkdir()
        (clone.path / name / "dvc.lock").write_text(name)

    def meanwhile(path: Path, index: Path) -> None:
        with monkeypatch.context() as patch:
            patch.chdir(clone.path / "two")
            staging.clear_dead()
            with pytest.raises(OctetError, match="git is at work"):
                staging.stage_lock()
        add(path, index)

    monkeypatch.setattr(staging.git, "add", meanwhile)
    monkeypatch.chdir(clone.path / "one")
    staging.stage_lock()
    assert staged(clone) == ["one/dvc.lock", "other"]
    assert not locks(clone)
