"""DVC does not follow imports: each stage's deps must be exactly what it runs."""

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Clone

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]

# Runs a stage's modules without running the stage, and prints each file of ours that came with it.
LIST_IMPORTS = """
import importlib, pkgutil, sys
from pathlib import Path
package = importlib.import_module("stages.{stage}")
for module in pkgutil.walk_packages(package.__path__, "stages.{stage}."):
    importlib.import_module(module.name)
files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
root = Path.cwd()
for file in sorted(Path(f) for f in files if f and Path(f).is_relative_to(root)):
    if ".venv" not in file.parts:
        print(file.relative_to(root))
"""


@cache
def imported(stage: str) -> set[Path]:
    listed = subprocess.run(
        [sys.executable, "-c", LIST_IMPORTS.format(stage=stage)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {Path(line) for line in listed.stdout.splitlines()}


def declared(stage: str) -> set[Path]:
    deps = {Path(dep) for dep in STAGES[stage].get("do", STAGES[stage])["deps"]}
    return {dep for dep in deps if (ROOT / dep).exists() and dep.parts[0] in ("octet", "stages")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_every_file_that_it_imports(stage: str) -> None:
    files = imported(stage)
    covered = {f for f in files for dep in declared(stage) if f == dep or dep in f.parents}
    assert files == covered


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_nothing_that_it_does_not_import(stage: str) -> None:
    files = imported(stage)
    idle = {dep for dep in declared(stage) if not any(f == dep or dep in f.parents for f in files)}
    assert not idle


@pytest.mark.parametrize("stage", STAGES)
def test_stages_meet_only_in_files(stage: str) -> None:
    others = [Path("stages", other) for other in STAGES if other != stage]
    assert not [f for f in imported(stage) if any(other in f.parents for other in others)]


def test_the_product_needs_nothing_but_numpy_and_safetensors() -> None:
    onnx = ("octet.exporters", "octet.importers")
    assert foreign_to("octet", leave_out=onnx) == {"numpy", "safetensors"}


def test_only_exporters_and_importers_need_onnx() -> None:
    assert "onnx" in foreign_to("octet", leave_out=())


def foreign_to(package: str, leave_out: tuple[str, ...]) -> set[str]:
    """What the modules of a package import that is neither theirs nor Python's."""
    code = f"""
import sys, pathlib, importlib, {package}
before = set(sys.modules)
root = pathlib.Path({package}.__path__[0])
# Not pkgutil: it imports a package to look into it, those that are left out too.
for file in sorted(root.rglob("*.py")):
    parts = file.relative_to(root).with_suffix("").parts
    name = ".".join(["{package}", *parts]).removesuffix(".__init__")
    if not name.startswith({leave_out}):
        importlib.import_module(name)
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(listed.stdout.split()) - set(sys.stdlib_module_names) - {package}


@pytest.mark.slow
def test_a_word_of_a_summary_and_a_new_gate_train_nothing_again(
    new_clone: Callable[..., Clone],
) -> None:
    clone = new_clone("diabetes")
    clone.dvc("repro", "train@diabetes")
    clone.edit("octet/cli/numbers.py", "standard deviation", "deviation")
    gate = "    saved: float"
    clone.edit("stages/params/gates.py", gate, f"    another: float = 0.5\n{gate}")
    clone.edit("stages/params/file.py", '"""The whole', '"""All')
    clone.edit("params.yaml", "\ngates:\n", "\ngates:\n  another: 0.25\n")
    assert "up to date" in clone.dvc("repro", "--dry", "train@diabetes")
    # Else the line above could not fail.
    clone.edit("stages/train/linear.py", '"""Linear', '"""The linear')
    assert "Running stage 'train@diabetes'" in clone.dvc("repro", "--dry", "train@diabetes")


# What takes long to import. A kind of model imports its own when it is asked for.
HEAVY = {"dask", "matplotlib", "onnx", "onnxruntime", "pandas", "pyarrow", "sklearn", "torch"}
NEEDED = {
    "load": {"pyarrow"},
    "train": set(),
    "quantize": set(),
    "evaluate": set(),
    "sweep": set(),
    "report": {"matplotlib"},
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_what_is_heavy_only_where_it_is_needed(stage: str) -> None:
    code = f"import sys, stages.{stage}.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert HEAVY & {*done.stdout.split()} == NEEDED[stage]
