"""Outputs are shared through a DVC remote: a second clone gets all of them, and runs nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Clone, new_clone_at

pytestmark = pytest.mark.slow


def test_a_second_clone_pulls_every_output_and_runs_no_stage(
    new_clone: Callable[..., Clone], tmp_path: Path
) -> None:
    first = new_clone("diabetes", "wine-mlp")
    first.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    first.dvc("repro")
    first.git("add", "--all")
    first.git("commit", "--quiet", "--message", "reproduced, and a remote")
    first.dvc("push")
    second = new_clone_at(tmp_path / "second", first.path)
    # A stage that ran would have no data, and fail at its first import.
    (second.path / "octet" / "__init__.py").write_text("raise RuntimeError\n")
    second.dvc("pull")
    second.git("checkout", "--quiet", "octet")
    assert second.outputs() == first.outputs()
    assert "up to date" in second.dvc("status")
    assert "Running stage" not in second.dvc("repro", "--dry")
    done = second.run("python", "-m", "stages.commands.verify")
    assert "all bytes are those of dvc.lock" in done.stdout
