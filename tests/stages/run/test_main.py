"""What `make run` says before it asks DVC anything."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("goal", [[], ["run"]])
def test_the_name_of_another_variable_does_not_run_everything(goal: list[str]) -> None:
    made = subprocess.run(
        # What make says of folders when make has started it is not meant.
        ["make", "--no-print-directory", *goal, "SYSTEM=wine"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 2
    assert not made.stdout
    assert made.stderr.endswith('make run takes no SYSTEM, but SYSTEMS="wine".  Stop.\n')
    assert len(made.stderr.splitlines()) == 1


def test_an_interrupt_while_it_is_imported_ends_it_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "joblib.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    run = subprocess.run(
        [sys.executable, "-m", "stages.commands.run"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        check=False,
        # Whoever runs this in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert run.returncode == -signal.SIGINT
    assert not run.stdout + run.stderr
