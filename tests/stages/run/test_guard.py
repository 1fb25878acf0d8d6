"""What a killed DVC left locked is cleared away; what a living one holds is not."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from dvc.lock import make_lock

from octet.errors import OctetError
from stages.commands.run import guard


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of DVC's readers and writers, in a project."""
    monkeypatch.chdir(tmp_path)
    path = Path(".dvc/tmp/rwlock")
    path.parent.mkdir(parents=True)
    return path


def ended() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def holders(pid: int) -> str:
    info = {"pid": pid, "cmd": "dvc repro"}
    return json.dumps({"write": {"/made": info}, "read": {"/needed": [info]}})


@pytest.mark.parametrize(
    ("content", "age", "stays"),
    [
        (holders(os.getpid()), 0, True),
        (holders(ended()), 0, False),
        (holders(os.getpid()), 3600 * 24 * 365, False),  # another process has got its number since
        ('{"write": {"/ma', 0, False),  # its writer was killed
        ('{"write": {}}', 0, False),
    ],
)
def test_only_a_living_holder_keeps_the_file(
    content: str, age: float, stays: bool, file: Path
) -> None:
    file.write_text(content)
    os.utime(file, (time.time() - age,) * 2)
    with guard.alone():
        assert file.exists() == stays


def test_the_dead_and_the_damaged_are_taken_out_beside_the_living(file: Path) -> None:
    living, dead = ({"pid": pid, "cmd": "dvc repro"} for pid in (os.getpid(), ended()))
    write = {"/made": dead, "/half": {"pid": os.getpid()}, "/none": None, "/other": living}
    file.write_text(json.dumps({"write": write, "read": {"/needed": [dead, living], "/a": [dead]}}))
    with guard.alone():
        assert json.loads(file.read_bytes()) == {
            "write": {"/other": living},
            "read": {"/needed": [living]},
        }


def test_a_lock_that_dvc_keeps_is_one_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", 0)
    held = make_lock(str(file.with_suffix(".lock")))
    with held, pytest.raises(OctetError, match="dvc: Unable to acquire lock"), guard.alone():
        pass


def test_who_is_stopped_leaves_no_half_of_the_file(file: Path) -> None:
    def interrupted() -> None:
        file.write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), guard.alone():
        interrupted()
    assert not file.exists()
