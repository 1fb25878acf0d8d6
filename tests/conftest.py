"""What tests share: a clone of the tree as it stands, and the data where it is in reach."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from stages.load.readers import DATA_SETS
from stages.load.readers.sources import OutOfReachError, fetch

ROOT = Path(__file__).parent.parent


class Clone:
    """A git clone of this tree, in which commands run as a user's would."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(
        self, *command: str, check: bool = True, env: Mapping[str, str | None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command at the top of the clone; a variable set to None is unset."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=environment(env or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def dvc(
        self, *arguments: str, check: bool = True, env: Mapping[str, str | None] | None = None
    ) -> str:
        """What a DVC command printed, both streams."""
        done = self.run("dvc", *arguments, check=check, env=env)
        return done.stdout + done.stderr

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).stdout.strip()

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace one text in a file; it must be there."""
        file = self.path / name
        text = file.read_text()
        assert old in text, f"{name} has no {old!r}"
        file.write_text(text.replace(old, new))

    def outputs(self) -> dict[str, bytes]:
        """Everything that the pipeline promises to be the same everywhere."""
        kept = [self.path / "dvc.lock"]
        for folder in ("data", "models", "metrics", "plots"):
            kept += sorted(path for path in (self.path / folder).rglob("*") if path.is_file())
        return {str(path.relative_to(self.path)): path.read_bytes() for path in kept}


def environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """The environment of a user who works in this virtual environment, with changes."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    env.update({key: value for key, value in changes.items() if value is not None})
    for key in [key for key, value in changes.items() if value is None]:
        env.pop(key, None)
    return env


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one commit: the files of this tree that git tracks or would."""
    return commit_tree(tmp_path_factory.mktemp("committed") / "tree")


def commit_tree(path: Path) -> Path:
    """Make a repository with one commit: the files of this tree that git tracks or would."""
    path.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path / name)
    clone = Clone(path)
    clone.git("init", "--quiet", "--initial-branch=main")
    clone.git("add", "--all")
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    clone.git(*identity, "commit", "--quiet", "--message", "the tree")
    return path


def new_clone_at(path: Path, committed: Path, *systems: str, whole: bool = False) -> Clone:
    """A fresh clone, of all systems or, for speed, of some.

    Of some, it leaves the sweep and the report out too, unless it is to be ``whole``: the one takes
    long, the other is another file where there are other systems. And its values are those of the
    tests, whatever a change tries in params.yaml: who proposes 6 bits is told what they come to.
    """
    subprocess.run(["git", "clone", "--quiet", committed, path], check=True)
    clone = Clone(path)
    clone.git("config", "user.name", "test")
    clone.git("config", "user.email", "test@example.invalid")
    if systems:
        file = clone.path / "params.yaml"
        own = yaml.safe_load((ROOT / "tests/stages/params.yaml").read_text())
        of_tree = yaml.safe_load(file.read_text())["systems"]
        params = own | {"systems": {name: of_tree[name] for name in systems}}
        file.write_text(yaml.safe_dump(params, sort_keys=False))
        if not whole:
            pipeline = yaml.safe_load((clone.path / "dvc.yaml").read_text())
            for stage in ("sweep", "report"):
                del pipeline["stages"][stage]
            (clone.path / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
        clone.git("commit", "--quiet", "--all", "--message", "fewer systems")
    return clone


@pytest.fixture
def new_clone(committed: Path, tmp_path: Path) -> Callable[..., Clone]:
    """Make fresh clones, of all systems or of those named."""

    def make(*systems: str, whole: bool = False) -> Clone:
        name = f"clone{len(list(tmp_path.glob('clone*')))}"
        return new_clone_at(tmp_path / name, committed, *systems, whole=whole)

    return make


@pytest.fixture(scope="session")
def reproduced_once(committed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of one bundled system, with sweep and report, reproduced and committed: to copy."""
    path = tmp_path_factory.mktemp("reproduced") / "clone"
    clone = new_clone_at(path, committed, "diabetes", whole=True)
    clone.dvc("repro")
    clone.git("commit", "--quiet", "--all", "--allow-empty", "--message", "reproduced")
    return path


@pytest.fixture
def reproduced(reproduced_once: Path, tmp_path: Path) -> Clone:
    """A copy of it, for a test to change."""
    return Clone(shutil.copytree(reproduced_once, tmp_path / "reproduced", symlinks=True))


@pytest.fixture(scope="session")
def california() -> None:
    """Skip a test whose data is nowhere in reach. Under .ci/run it is."""
    _skip_without("california_housing")


@pytest.fixture(scope="session")
def mnist() -> None:
    """Skip a test whose data is nowhere in reach. Under .ci/run it is."""
    _skip_without("mnist")


def _skip_without(name: str) -> None:
    try:
        for source in DATA_SETS[name].sources:
            fetch(source)
    except OutOfReachError as error:
        pytest.skip(str(error))
