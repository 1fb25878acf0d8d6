"""What `make run` says before it asks DVC anything."""

import subprocess

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("goal", [[], ["run"]])
def test_the_name_of_another_variable_does_not_run_everything(goal: list[str]) -> None:
    made = subprocess.run(
        ["make", *goal, "SYSTEM=wine"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert made.returncode == 2
    assert not made.stdout
    assert made.stderr.endswith('make run takes no SYSTEM, but SYSTEMS="wine".  Stop.\n')
    assert len(made.stderr.splitlines()) == 1
