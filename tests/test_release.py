"""The registry and the workflow on its tags: names, versions, and nothing without secrets."""

import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from stages import paths
from tests.conftest import ROOT, Clone
from tests.workflows import WORKFLOWS, Runner, commands

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
SYSTEMS = yaml.safe_load((ROOT / "params.yaml").read_text())["systems"]
RELEASE = WORKFLOWS["release.yml"]
STEPS = {step["name"]: step for job in RELEASE["jobs"] for step in commands("release.yml", job)}


def test_every_name_in_the_registry_is_that_of_a_model_of_a_system() -> None:
    models = {
        f"{system}-{kind}": path(system)
        for system in SYSTEMS
        for kind, path in (("float", paths.float_path), ("quantized", paths.quantized_path))
    }
    named = {name: Path(entry["path"]) for name, entry in PIPELINE["artifacts"].items()}
    assert named
    assert named.items() <= models.items()
    for name, entry in PIPELINE["artifacts"].items():
        assert entry["type"] == "model"
        assert entry["desc"]
        assert name.rsplit("-", 1)[1] in entry["labels"]


def test_who_knows_the_secrets_runs_nothing_of_the_repository() -> None:
    jobs = RELEASE["jobs"]
    knowing = {name for name, job in jobs.items() if "secrets." in yaml.safe_dump(job)}
    assert knowing == {"registry", "publish"}
    assert jobs["image"]["if"] == "${{ needs.registry.outputs.given == 'yes' }}"
    for name in knowing:
        used = [step["uses"].split("@")[0] for step in jobs[name]["steps"] if "uses" in step]
        assert used in ([], ["actions/download-artifact"])
        assert jobs[name]["permissions"] == {}


@pytest.fixture(scope="module")
def tagged_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two registered versions on its last commit, as a checkout leaves it."""
    clone = Clone(tmp_path_factory.mktemp("tagged") / "clone")
    subprocess.run(["git", "init", "--quiet", clone.path], check=True)
    clone.git("config", "user.name", "test")
    clone.git("config", "user.email", "test@example.invalid")
    for _ in range(2):
        clone.git("commit", "--quiet", "--allow-empty", "--message", "one")
        clone.run("gto", "register", "mnist-7k-quantized")
    clone.run("gto", "assign", "mnist-7k-quantized", "--stage", "prod")
    (assigned,) = clone.git("tag", "--list", "*#*").split()
    assert assigned == "mnist-7k-quantized#prod#1"
    # What actions/checkout does to the tag that it is started by.
    clone.git("tag", "--force", assigned, f"{assigned}^{{commit}}")
    return clone.path


@pytest.fixture
def tagged(tagged_once: Path, tmp_path: Path) -> Clone:
    """A copy of it, for a test to change."""
    return Clone(shutil.copytree(tagged_once, tmp_path / "tagged"))


def outputs(clone: Clone, tmp_path: Path, tag: str) -> tuple[int, dict[str, str]]:
    runner = Runner(clone.path, tmp_path, {})
    done = runner.run(STEPS["Which model, version and stage"], {"github.ref_name": tag})
    return done.returncode, runner.outputs()


def test_the_tag_of_an_assignment_names_system_stage_and_version(
    tagged: Clone, tmp_path: Path
) -> None:
    assert outputs(tagged, tmp_path, "mnist-7k-quantized#prod#1") == (
        0,
        {"system": "mnist-7k", "stage": "quantized-prod", "version": "quantized-v0.0.2"},
    )


def test_a_version_that_was_withdrawn_is_not_shipped(tagged: Clone, tmp_path: Path) -> None:
    tagged.run("gto", "deprecate", "mnist-7k-quantized", "v0.0.2")
    assert "mnist-7k-quantized@v0.0.2!" in tagged.git("tag").split()
    assert outputs(tagged, tmp_path, "mnist-7k-quantized#prod#1") == (1, {})


def test_an_assignment_that_is_taken_back_has_a_tag_that_starts_nothing(tagged: Clone) -> None:
    before = set(tagged.git("tag").split())
    # gto looks at annotated tags only.
    tagged.git("tag", "--force", "-a", "-m", "again", "mnist-7k-quantized#prod#1", "HEAD")
    tagged.run("gto", "deprecate", "mnist-7k-quantized", "v0.0.2", "prod")
    (made,) = set(tagged.git("tag").split()) - before
    assert made == "mnist-7k-quantized#prod!#2"
    starts, leaves_out = RELEASE[True]["push"]["tags"]
    assert fnmatch(made, starts)
    assert fnmatch(made, leaves_out.removeprefix("!"))


def test_a_tag_of_anything_else_makes_no_image(tagged: Clone, tmp_path: Path) -> None:
    for i, tag in enumerate(
        (
            "mnist-7k-float#prod#1",  # never registered
            "mnist-7k#prod#1",
            "../x-float#prod#1",
            "$(touch owned)-float#prod",
            "mnist-7k-quantized#prod!#2",  # unassigned
        )
    ):
        (folder := tmp_path / str(i)).mkdir()
        assert outputs(tagged, folder, tag) == (1, {})
    assert not list(tmp_path.rglob("owned"))


def test_the_workflow_starts_on_assignments_and_not_on_versions() -> None:
    # In YAML 1.1, which PyYAML reads, `on` is a boolean.
    assert RELEASE[True] == {"push": {"tags": ["*#*", "!*#*!*"]}}
