"""A run that is killed, at any stage, leaves nothing that a later run takes for whole."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import Clone, environment, new_clone_at

pytestmark = pytest.mark.slow

READ, STARTS = "when it has read its parameters", "as it starts"
# In which stage, and when in it, DVC is killed, one time after the other.
KILLED = [
    ("load", READ),
    ("train", STARTS),
    ("train", READ),
    ("quantize", READ),
    ("evaluate", READ),
]

# Makes a stage stop itself when its parameters are read and all that is left is work and writing.
STOP_WHEN_READ = """
import os, signal, sys
if os.environ["STOP_IN"] in sys.orig_argv:
    sys.path.insert(0, os.getcwd())
    from stages.params import file
    load = file.load_params
    def load_and_stop():
        loaded = load()
        os.kill(os.getpid(), signal.SIGSTOP)
        return loaded
    file.load_params = load_and_stop
"""


def kill_in(clone: Clone, stage: str, moment: str) -> psutil.Process:
    """Run ``dvc repro``, stop the stage at a moment, and kill DVC. Returns the orphan."""
    hooks = clone.path.parent / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "sitecustomize.py").write_text(STOP_WHEN_READ)
    stops = f"stages.{stage}" if moment == READ else "nowhere"
    dvc = subprocess.Popen(
        ["dvc", "repro"],
        cwd=clone.path,
        env=environment({"PYTHONPATH": str(hooks), "STOP_IN": stops}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        assert dvc.poll() is None, f"dvc repro ended before {stage} ran"
        for child in psutil.Process(dvc.pid).children(recursive=True):
            if f"stages.{stage}" not in cmdline(child) or not is_python(child):
                continue
            if moment == STARTS:
                child.suspend()
            elif child.status() != psutil.STATUS_STOPPED:
                continue
            dvc.send_signal(signal.SIGKILL)
            dvc.wait()
            return child


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def is_python(process: psutil.Process) -> bool:
    """Not the shell that DVC starts the command with."""
    return "python" in Path((cmdline(process) or [""])[0]).name


@pytest.fixture(scope="module")
def reproduced(committed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run that nobody kills makes."""
    clone = new_clone_at(tmp_path_factory.mktemp("reproduced") / "clone", committed, "diabetes")
    clone.dvc("repro")
    return clone.outputs()


def test_killed_at_any_stage_and_run_again_ends_with_the_same_bytes(
    new_clone: Callable[..., Clone], reproduced: dict[str, bytes]
) -> None:
    clone = new_clone("diabetes")
    # Other parameters, so that what the orphans would write is not what the later run writes.
    clone.edit("params.yaml", "bits: 8\n  scheme", "bits: 3\n  scheme")
    clone.edit("params.yaml", "random_state: 42", "random_state: 43")
    orphans = [kill_in(clone, stage, moment) for stage, moment in KILLED]
    clone.git("checkout", "--quiet", ".")
    clone.dvc("repro")
    assert clone.outputs() == reproduced
    written = inodes(clone)

    for orphan in orphans:
        orphan.resume()
        orphan.wait()
        assert inodes(clone) == written
    assert clone.outputs() == reproduced
    assert "up to date" in clone.dvc("status")
    assert not clone.git("status", "--porcelain")


def inodes(clone: Clone) -> dict[str, int]:
    """A file that is replaced, even by the same bytes, has another inode."""
    return {name: (clone.path / name).stat().st_ino for name in clone.outputs()}
