"""docs/systems.md, followed by the letter: what it says is all that it takes."""

import re
from collections.abc import Callable

import pytest

from tests.conftest import ROOT, Clone

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/systems.md").read_text()


def test_six_lines_are_a_system_with_models_gates_and_a_chapter_of_the_report(
    new_clone: Callable[..., Clone],
) -> None:
    clone = new_clone("diabetes", whole=True)
    for metrics in clone.path.glob("metrics/*.json"):
        if metrics.stem != "diabetes":
            metrics.unlink()  # of systems that this clone leaves out
    lines = re.search(r"```yaml\n((?:  .+\n)+)```", PAGE)
    assert lines
    clone.edit("params.yaml", "systems:\n", f"systems:\n{lines[1]}")
    clone.dvc("repro")
    assert clone.run("python", "-m", "stages.commands.gate").stdout.count("diabetes-raw") >= 4
    assert "diabetes-raw" in (clone.path / "report/summary.md").read_text()
    assert clone.path.joinpath("models/diabetes-raw/quantized.safetensors").exists()
