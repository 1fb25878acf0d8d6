"""A stage's command: all of its files or none, and one line that says what is wrong."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save

from octet.layers import Linear
from octet.modelfile import storage
from octet.network import Network
from octet.signature import Classes, Columns, Images, Numbers, Signature
from stages import paths
from stages.dataset import Dataset, dump_dataset

ROOT = Path(__file__).parents[2]
SYSTEM = "diabetes"
STAGES = ("load", "train", "quantize", "evaluate")
DATA = paths.data_path(SYSTEM)
FLOAT = paths.float_path(SYSTEM)
QUANTIZED = paths.quantized_path(SYSTEM)
METRICS = paths.metrics_path(SYSTEM)
LAYERS = paths.layers_path(SYSTEM)
DRAWN = {paths.plot_path(SYSTEM, name) for name in ("training.csv", "views.png")}
PREDICTED = {paths.plot_path(SYSTEM, name) for name in ("predictions.csv", "outputs.safetensors")}
OUTPUTS = {
    "load": {DATA},
    "train": {FLOAT, *DRAWN},
    "quantize": {QUANTIZED, *(paths.apart_path(SYSTEM, bits) for bits in paths.APART_BITS)},
    "evaluate": {METRICS, LAYERS, *PREDICTED},
}

# Holds a stage until the test lets it go on.
WAIT = """
import time
from pathlib import Path

def wait():
    Path("started").touch()
    for _ in range(6000):
        if Path("go").exists():
            return
        time.sleep(0.01)
    raise SystemExit("the test never let this stage go on")
"""
WAIT_IN_WORK = """
read_at_once = read

def read(*arguments):
    wait()
    return read_at_once(*arguments)
"""
WAIT_IN_IMPORTS = "\nwait()\n"

# Starts a command, and ends as soon as the stage has started; that goes on alone.
STARTER = """
import os, subprocess, sys, time
from pathlib import Path
subprocess.Popen(sys.argv[1:])
for _ in range(6000):
    if Path("started").exists():
        os._exit(0)
    time.sleep(0.01)
os._exit(1)
"""


@dataclass
class Tree:
    """A copy of the packages and params.yaml, in which a stage runs as DVC runs it."""

    path: Path

    def run(self, stage: str, system: str = SYSTEM) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*python(stage), system],
            cwd=self.path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def write(self, name: Path, content: bytes) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_bytes(content)

    def files(self) -> dict[str, bytes]:
        """Everything in the tree, so that a surplus file shows too."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in self.path.rglob("*")
            if path.is_file()
        }

    def refusal(self, stage: str, system: str = SYSTEM) -> str:
        """The one line of a stage that fails; it must leave every file as it was."""
        before = self.files()
        done = self.run(stage, system)
        assert done.returncode == 1, done.stderr
        assert self.files() == before
        assert not done.stdout
        assert_one_line(done.stderr)
        return done.stderr.strip()


def python(stage: str) -> list[str]:
    return ["python", "-m", f"stages.{stage}"]


def environment() -> dict[str, str]:
    """That of a user who works in this virtual environment; the tree stays free of caches."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    return env | {"PYTHONDONTWRITEBYTECODE": "1"}


def assert_one_line(stderr: str) -> None:
    assert "Traceback" not in stderr
    assert stderr.startswith("error: ")
    assert stderr.endswith("\n")
    assert len(stderr.splitlines()) == 1, stderr


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bare")
    for package in ("octet", "stages"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, path / package, ignore=ignored)
    shutil.copy(ROOT / "params.yaml", path)
    return path


@pytest.fixture(scope="module")
def finished(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree in which every stage has run, quietly, and has written its files and no other."""
    tree = Tree(tmp_path_factory.mktemp("finished") / "tree")
    shutil.copytree(bare, tree.path)
    for stage in STAGES:
        before = tree.files()
        done = tree.run(stage)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert set(tree.files()) - set(before) == {str(path) for path in OUTPUTS[stage]}
        assert tree.files().items() >= before.items()
    return tree.path


@pytest.fixture
def tree(finished: Path, tmp_path: Path) -> Tree:
    shutil.copytree(finished, tmp_path / "tree")
    return Tree(tmp_path / "tree")


def test_a_stage_run_again_replaces_what_is_there_by_the_same_bytes(tree: Tree) -> None:
    before = tree.files()
    tree.write(METRICS, b"old")
    assert tree.run("evaluate").returncode == 0
    assert tree.files() == before


@pytest.mark.parametrize("stage", ["load", "evaluate"])
def test_a_system_that_is_not_there_is_answered_in_one_line(tree: Tree, stage: str) -> None:
    tree.write(paths.data_path("nosuch"), b"old")
    tree.write(paths.metrics_path("nosuch"), b"old")
    line = tree.refusal(stage, "nosuch")
    assert line.startswith("error: params.yaml: systems: got 'nosuch'; allowed are ")
    assert SYSTEM in line


def test_a_bad_value_stops_even_a_stage_that_does_not_need_it(tree: Tree) -> None:
    file = tree.path / "params.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["quant"]["rounding"] = "dithered"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert tree.refusal("evaluate") == (
        "error: params.yaml: quant.rounding: got 'dithered'; allowed is nearest, gptq or exact"
    )


def test_a_stage_run_elsewhere_says_where_to_go(tree: Tree) -> None:
    (tree.path / "params.yaml").unlink()
    assert tree.refusal("load") == (
        "error: params.yaml: no such file; run from the top of the repository"
    )


def test_what_the_operating_system_refuses_is_one_line(tree: Tree) -> None:
    shutil.rmtree(tree.path / METRICS.parent)
    tree.write(METRICS.parent, b"a file where the folder should be")
    assert str(METRICS.parent) in tree.refusal("evaluate")


def truncated(content: bytes) -> bytes:
    return content[:-1]


def html(content: bytes) -> bytes:
    del content
    return b"<!doctype html>\n<html><body>Please log in</body></html>\n"


def foreign(content: bytes) -> bytes:
    del content
    return save({"x_train": np.zeros((3, 10))}, {"format": "pt"})


def other_width(content: bytes) -> bytes:
    """A good data file or a good model, but of two features."""
    signature = Signature(Columns(("a", "b")), Numbers("target", "unit"))
    if b"x_train" in content:
        x, y = np.random.default_rng(0).normal(size=(9, 2)), np.arange(9.0)
        return dump_dataset(Dataset(x, y, x, y, signature))
    return storage.dump_network(Network((Linear(np.ones((1, 2)), np.ones(1)),), signature))


def images(content: bytes) -> bytes:
    """A good data file, but of another kind than the system's model takes."""
    del content
    x, y = np.zeros((9, 1, 4, 4), np.uint8), np.zeros(9, np.uint8)
    return dump_dataset(Dataset(x, y, x, y, Signature(Images((1, 4, 4), 16), Classes(("0", "1")))))


@pytest.mark.parametrize(
    ("stage", "damaged", "damage"),
    [
        ("train", DATA, truncated),
        ("evaluate", DATA, foreign),
        ("quantize", FLOAT, html),
        ("quantize", DATA, other_width),
        ("evaluate", QUANTIZED, truncated),
        ("evaluate", QUANTIZED, other_width),
    ],
)
def test_a_damaged_input_is_one_line_and_leaves_the_old_outputs(
    tree: Tree, stage: str, damaged: Path, damage: Callable[[bytes], bytes]
) -> None:
    tree.write(damaged, damage((tree.path / damaged).read_bytes()))
    line = tree.refusal(stage)
    assert str(damaged) in line or damage is other_width


def test_a_float_model_is_not_made_from_a_quantized_one(tree: Tree) -> None:
    tree.write(FLOAT, (tree.path / QUANTIZED).read_bytes())
    assert "quantized already" in tree.refusal("quantize")


def test_a_stage_leaves_what_is_not_its_own(tree: Tree) -> None:
    for path in (paths.plot_path(SYSTEM, "notes.txt"), FLOAT.with_name("notes.txt")):
        tree.write(path, b"not of this run")
    before = tree.files()
    for stage in OUTPUTS:
        assert tree.run(stage).returncode == 0
    assert tree.files() == before


def test_a_stage_that_fails_leaves_every_plot(tree: Tree) -> None:
    for path in DRAWN:
        tree.write(path, b"old")
    tree.write(DATA, images(b""))
    assert "got linear for data of images and classes" in tree.refusal("train")


def waiting(bare: Path, path: Path, file: str, code: str) -> Tree:
    """A tree whose load waits where the code says, over an old output."""
    shutil.copytree(bare, path)
    with (path / file).open("a", encoding="utf-8") as end:
        end.write(WAIT + code)
    tree = Tree(path)
    tree.write(DATA, b"old")
    return tree


def orphan(tree: Tree, command: list[str]) -> str:
    """Start a stage, end its parent, let it go on, and wait for its end.

    Returns what it printed: its end of the pipe is open for as long as it lives.
    """
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, *command],
        cwd=tree.path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as starter:
        assert starter.wait() == 0
        (tree.path / "go").touch()
        assert starter.stdout is not None
        return starter.stdout.read()


def assert_nothing_written(tree: Tree, printed: str) -> None:
    assert [path.name for path in (tree.path / DATA.parent).iterdir()] == [DATA.name]
    assert (tree.path / DATA).read_bytes() == b"old"
    assert_one_line(printed)
    assert "the process that started this stage has ended; nothing was written" in printed


def test_a_stage_whose_parent_lives_on_writes(bare: Path, tmp_path: Path) -> None:
    tree = waiting(bare, tmp_path / "tree", "stages/load/readers/__init__.py", WAIT_IN_WORK)
    (tree.path / "go").touch()
    done = tree.run("load")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tree.path / "started").exists()
    assert (tree.path / DATA).read_bytes() != b"old"


def test_a_stage_whose_parent_ends_while_it_works_writes_nothing(
    bare: Path, tmp_path: Path
) -> None:
    tree = waiting(bare, tmp_path / "tree", "stages/load/readers/__init__.py", WAIT_IN_WORK)
    assert_nothing_written(tree, orphan(tree, [*python("load"), SYSTEM]))


def test_a_stage_whose_parent_ends_while_it_imports_writes_nothing(
    bare: Path, tmp_path: Path
) -> None:
    tree = waiting(bare, tmp_path / "tree", "octet/__init__.py", WAIT_IN_IMPORTS)
    assert_nothing_written(tree, orphan(tree, [*python("load"), SYSTEM]))


def test_a_stage_that_a_shell_stands_before_writes_nothing_either(
    bare: Path, tmp_path: Path
) -> None:
    """Without $SHELL, DVC runs the command of dvc.yaml in /bin/sh, which may stay the parent."""
    dvc = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    command = dvc["stages"]["load"]["do"]["cmd"].replace("${key}", SYSTEM)
    tree = waiting(bare, tmp_path / "tree", "stages/load/readers/__init__.py", WAIT_IN_WORK)
    assert_nothing_written(tree, orphan(tree, ["/bin/sh", "-c", command]))
