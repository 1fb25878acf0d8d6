"""docs/systems.md and docs/bring-your-own.md, followed by the letter: that is all it takes."""

import re
from collections.abc import Callable

import pytest

from tests.conftest import ROOT, Clone

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/systems.md").read_text()


@pytest.fixture
def clone(new_clone: Callable[..., Clone]) -> Clone:
    """Of one small system, with its report."""
    clone = new_clone("diabetes", whole=True)
    for metrics in clone.path.glob("metrics/*.json"):
        if metrics.stem != "diabetes":
            metrics.unlink()  # of systems that this clone leaves out
    return clone


def fences(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def refuse_incomplete(clone: Clone, system: str) -> None:
    gates = clone.run("python", "-m", "stages.commands.gate", check=False).stdout
    rows = [row for row in gates.splitlines() if row.startswith(f"| {system} ")]
    assert len(rows) >= 4
    assert not [row for row in rows if "missing" in row or "no such file" in row]
    assert system in (clone.path / "report/summary.md").read_text()
    assert clone.path.joinpath(f"models/{system}/quantized.safetensors").exists()


@pytest.mark.release  # the page below does it by a command, which writes such lines
def test_six_lines_are_a_system_with_models_gates_and_a_chapter_of_the_report(
    clone: Clone,
) -> None:
    lines = fences("yaml")[0]
    clone.edit("params.yaml", "systems:\n", f"systems:\n{lines}")
    clone.dvc("repro")
    refuse_incomplete(clone, "diabetes-raw")


@pytest.mark.release
def test_a_data_set_is_a_file_a_line_and_a_name(clone: Clone) -> None:
    file, line = fences("python")
    readers = "stages/load/readers"
    (clone.path / readers / "iris.py").write_text(file)
    clone.edit(f"{readers}/__init__.py", "    idx,\n", "    idx,\n    iris,\n")
    clone.edit(f"{readers}/__init__.py", '    "wine":', f'{line}    "wine":')
    clone.edit("stages/params/data.py", '"wine"', '"wine", "iris"')
    gates = "gates: {accuracy_decrease: 0.2, saved: 0.5}"  # of 30 test rows, and 15 parameters
    keys = f"  iris: {{data: iris, model: {{kind: logistic}}, train: {{}}, quant: {{}}, {gates}}}\n"
    clone.edit("params.yaml", "systems:\n", f"systems:\n{keys}")
    clone.dvc("repro")
    refuse_incomplete(clone, "iris")


def test_a_table_and_a_folder_of_images_come_in_as_the_page_says(clone: Clone) -> None:
    page = (ROOT / "docs/bring-your-own.md").read_text().partition("## A network from elsewhere")[0]
    before = clone.path.joinpath("params.yaml").read_text().splitlines()
    for language, text in re.findall(r"```(python|sh)\n(.*?)```", page, re.DOTALL):
        command = "python -" if language == "python" else "bash -e"
        said = clone.run("bash", "-c", f"{command} <<'END'\n{text}END").stdout
        if "octet predict" in text:
            assert [*map(float, said.splitlines()[-3:])]
    after = clone.path.joinpath("params.yaml").read_text().splitlines()
    assert after[: len(before)] == before
    for system, colour in (("homes", False), ("colours", True)):
        assert after.count(f"  {system}:") == 1
        assert clone.path.joinpath(f"metrics/{system}.json").exists()
        assert clone.path.joinpath(f"datasets/{system}{'' if colour else '.csv'}.dvc").exists()
    # Whoever has the file anew is told so, and takes it by the same command.
    clone.run("bash", "-c", "sed -i 2d datasets/homes.csv")
    refused = clone.run("python", "-m", "stages.load", "homes", check=False)
    assert refused.returncode == 1
    assert "`python -m stages.add NAME` takes this" in refused.stderr
    clone.run("python", "-m", "stages.add", "homes")
    clone.run("python", "-m", "stages.load", "homes")
