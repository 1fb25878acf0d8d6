"""A run that is killed, at any stage, leaves nothing that a later run takes for whole."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import Clone, environment

pytestmark = pytest.mark.slow

STAGES = ("load", "train", "quantize", "evaluate")


def kill_in(clone: Clone, stage: str) -> psutil.Process:
    """Run ``dvc repro``, stop the stage as soon as it runs, and kill DVC. Returns the orphan."""
    dvc = subprocess.Popen(
        ["dvc", "repro"],
        cwd=clone.path,
        env=environment({}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    command = f"python -m stages.{stage} "
    while True:
        assert dvc.poll() is None, f"dvc repro ended before {stage} ran"
        for child in psutil.Process(dvc.pid).children(recursive=True):
            if command in f"{' '.join(cmdline(child))} " and is_python(child):
                child.suspend()
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


@pytest.fixture
def committed_outputs(new_clone: Callable[..., Clone]) -> dict[str, bytes]:
    clone = new_clone("diabetes")
    clone.dvc("repro")
    return clone.outputs()


@pytest.mark.parametrize("stage", STAGES)
def test_killed_and_run_again_ends_with_the_same_bytes(
    new_clone: Callable[..., Clone], committed_outputs: dict[str, bytes], stage: str
) -> None:
    clone = new_clone("diabetes")
    # At another width, so that what the orphan makes is not what the later run makes.
    clone.edit("params.yaml", "bits: 8\n  scheme", "bits: 3\n  scheme")
    clone.edit("params.yaml", "random_state: 42", "random_state: 43")
    orphan = kill_in(clone, stage)
    clone.git("checkout", "--quiet", ".")
    clone.dvc("repro")
    assert clone.outputs() == committed_outputs

    orphan.resume()
    orphan.wait()
    assert clone.outputs() == committed_outputs
    assert "up to date" in clone.dvc("status")
    assert not clone.git("status", "--porcelain")
