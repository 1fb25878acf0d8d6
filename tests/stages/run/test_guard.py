"""What a killed DVC left locked is cleared away; what a living one holds is not."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from stages.commands.run import guard


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
    content: str, age: float, stays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path(".dvc/tmp/rwlock")
    file.parent.mkdir(parents=True)
    file.write_text(content)
    os.utime(file, (time.time() - age,) * 2)
    with guard.alone():
        assert file.exists() == stays
