"""The jobs of ci.yml and release.yml, every command as it stands, in a clone as a runner has it."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Clone, new_clone_at
from tests.workflows import SECRETS, Runner, commands, path_with, program

BASE = "github.event_name == 'pull_request' && 'HEAD^1' || github.event.before"
# Of a pull request, which is checked out as a merge into its base.
VALUES = {BASE: "HEAD^1"}
COMMITTED = "The committed numbers are those that the code gives"
LONG = ("Nothing is left to do", "Float against uint8")
COMPARED = "Compare with the base"
HOSTILE = "@everyone <img src=x onerror=y> [x](http://evil) | `#12`"


@pytest.fixture(scope="module")
def pushed(reproduced_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one small system, whose author has reproduced and committed it."""
    # The real one takes minutes; tests/pipeline/test_everything.py reproduces it.
    path = tmp_path_factory.mktemp("pushed") / "author"
    author = Clone(shutil.copytree(reproduced_once, path, symlinks=True))
    strangers = [f"metrics/{m.name}" for m in author.path.glob("metrics/*") if m.stem != "diabetes"]
    author.git("rm", "--quiet", *strangers)
    pipeline = yaml.safe_load((author.path / "dvc.yaml").read_text())
    del pipeline["plots"]  # of the other systems
    (author.path / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    author.dvc("repro")
    author.git("commit", "--quiet", "--all", "--message", "reproduced")
    return author.path


def checked_out(pushed: Path, path: Path, *, cache: bool) -> Clone:
    """A fresh clone with the requirements installed, and what an earlier run left in the cache."""
    subprocess.run(["git", "clone", "--quiet", pushed, path], check=True)
    with_requirements(path)
    if cache:
        shutil.copytree(pushed / ".dvc/cache", path / ".dvc/cache")
    return Clone(path)


def with_requirements(path: Path) -> None:
    venv = path / ".venv"
    venv.mkdir()
    for part in Path(sys.prefix).iterdir():
        (venv / part.name).symlink_to(part)
    (venv / ".ready").unlink(missing_ok=True)
    (venv / ".ready").touch()


def comment(runner: Runner) -> str:
    return (runner.temp / "comment/comment.md").read_text()


@pytest.fixture(scope="module")
def reviewed(pushed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, Runner]:
    """The whole job of a pull request in which all is as it should be."""
    folder = tmp_path_factory.mktemp("reviewed")
    clone = checked_out(pushed, folder / "clone", cache=True)
    # A runner knows no name to commit by, which DVC's experiments do.
    nobody = {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "EMAIL": ""}
    runner = Runner(clone.path, folder, nobody)
    outcomes = runner.job("ci.yml", "reproduce", VALUES)
    assert set(outcomes.values()) == {"success"}, (outcomes, runner.said)
    return clone, runner


@pytest.fixture
def copied(reviewed: tuple[Clone, Runner], tmp_path: Path) -> Clone:
    """What that job left, for a test to change."""
    clone = Clone(shutil.copytree(reviewed[0].path, tmp_path / "copied", symlinks=True))
    clone.git("config", "user.name", "test")
    clone.git("config", "user.email", "test@example.invalid")
    return clone


@pytest.mark.slow
def test_what_is_committed_properly_is_said_to_be_so_and_both_tables_of_dvc_stand_in_the_comment(
    reviewed: tuple[Clone, Runner],
) -> None:
    clone, runner = reviewed
    text = comment(runner)
    assert text == runner.summary.read_text()
    assert "dvc.lock and metrics are those that this code gives." in text
    assert "All gates hold." in text
    assert "Nothing in params.yaml changed." in text
    for command in ("dvc metrics diff float uint8 --md", "dvc metrics diff BASE --md"):
        assert f"<details><summary>{command}</summary>" in text
    assert "| metrics/diabetes.json | size.quantized_payload | 88 | 21 | -67 |" in text
    ran = [line for line in runner.said["Float against uint8"].splitlines() if "Running" in line]
    assert ran == [f"Running stage '{stage}@diabetes':" for stage in ("quantize", "evaluate")]
    assert not clone.git("status", "--porcelain")


@pytest.mark.slow
def test_who_forgot_dvc_repro_is_told_something_else_than_who_is_honestly_worse(
    copied: Clone, tmp_path: Path
) -> None:
    copied.edit("params.yaml", "bits: 8\n  scheme", "bits: 2\n  scheme")
    copied.git("commit", "--quiet", "--all", "--message", "2 bits, and dvc.lock forgotten")
    forgot = Runner(copied.path, tmp_path / "forgot", {})
    outcomes = forgot.job("ci.yml", "reproduce", VALUES, but=LONG)
    failed = [name for name, outcome in outcomes.items() if outcome == "failure"]
    assert failed == [COMMITTED, "Gate"]
    says = "not from this code (quant.bits: 2 in params.yaml, 8 in dvc.lock):** run `dvc repro`"
    assert says in comment(forgot)

    copied.git("commit", "--quiet", "--all", "--message", "what dvc repro made")
    honest = Runner(copied.path, tmp_path / "honest", {})
    steps = {step["name"]: step for step in commands("ci.yml", "reproduce")}
    values = {BASE: "HEAD~2", "steps.reproduce.outcome": "success"}
    for name in ("Set up", COMMITTED, COMPARED):
        assert honest.run(steps[name], values).returncode == 0
    assert "dvc.lock and metrics are those that this code gives." in comment(honest)
    for runner in (forgot, honest):
        text = comment(runner)
        assert "gates fail**: diabetes." in text
        assert "| diabetes | may not replace | test MSE -4.04 % (" in text
        assert "- quant.bits: 8 → 2\n" in text
        assert "| diabetes | size.quantized_payload | bytes ↓ | 21 | 14 | -7 | better |" in text


@pytest.mark.slow
def test_a_pull_request_whose_pipeline_fails_is_told_where_and_its_text_stays_text(
    copied: Clone, tmp_path: Path
) -> None:
    copied.edit("metrics/diabetes.json", '"kind"', f'"{HOSTILE}": "{HOSTILE}", "kind"')
    copied.git("commit", "--quiet", "--all", "--message", "hostile metrics")
    copied.git("checkout", "--quiet", "HEAD~1", "--", "metrics")
    copied.edit("params.yaml", "rounding: exact\n", f"rounding: '{HOSTILE}'\n")
    copied.git("commit", "--quiet", "--all", "--message", "hostile parameters")
    runner = Runner(copied.path, tmp_path / "failed", {})
    outcomes = runner.job("ci.yml", "reproduce", VALUES)
    assert outcomes["Reproduce"] == "failure"
    assert outcomes["Gate"] == "skipped"
    assert outcomes[COMPARED] == "success"
    text = comment(runner)
    assert "**`dvc repro` failed**" in text
    assert "error: params.yaml: quant.rounding: got " in text
    assert text.count("@everyone") > 3
    assert "<img" not in text


@pytest.mark.slow
def test_metrics_edited_by_hand_do_not_pass_and_a_first_push_has_no_base(
    pushed: Path, tmp_path: Path
) -> None:
    clone = checked_out(pushed, tmp_path / "clone", cache=False)
    metrics = clone.path / "metrics/diabetes.json"
    before = hashlib.md5(metrics.read_bytes()).hexdigest()
    text = metrics.read_text()
    r2 = json.loads(text)["quantized"]["r2"]
    metrics.write_text(text.replace(f'"r2": {r2}', '"r2": 0.99'))
    assert metrics.read_text() != text
    clone.edit("dvc.lock", before, hashlib.md5(metrics.read_bytes()).hexdigest())
    clone.git("config", "user.name", "test")
    clone.git("config", "user.email", "test@example.invalid")
    clone.git("commit", "--quiet", "--all", "--message", "better")
    runner = Runner(clone.path, tmp_path, {"GITHUB_EVENT_NAME": "push"})
    outcomes = runner.job("ci.yml", "reproduce", {BASE: "0" * 40}, but=LONG)
    assert [name for name, outcome in outcomes.items() if outcome == "failure"] == [COMMITTED]
    assert "0.99" in runner.said[COMMITTED]
    assert "changed dvc.lock, metrics/diabetes.json." in comment(runner)


# `make check` and `make test-all` are what runs this test itself.
@pytest.mark.slow
@pytest.mark.release
def test_checks_and_tests_pass_in_a_fresh_clone(pushed: Path, tmp_path: Path) -> None:
    if missing := [p for p in ("chromium", "chromedriver", "jq") if not shutil.which(p)]:
        pytest.skip(f"{missing} are not installed, as they are where the jobs run")
    clone = checked_out(pushed, tmp_path / "clone", cache=False)
    if (ROOT / ".mypy_cache").is_dir():  # what `make check` knows of the libraries
        shutil.copytree(ROOT / ".mypy_cache", clone.path / ".mypy_cache")
    for job in ("check", "tests"):
        # One test file stands for the suite.
        of_one = {"PYTEST": "tests/octet/test_packing.py"}
        runner = Runner(clone.path, tmp_path / job, of_one)
        assert set(runner.job("ci.yml", job, {}).values()) == {"success"}, runner.said


DOCKER = """
import json, pathlib, re, sys
folder = pathlib.Path(__file__).parent
words = sys.argv[1:]
with open(folder / "asked", "a") as log:
    log.write(" ".join(words) + "\\n")
names = {"REVISION": "org.opencontainers.image.revision", "FLOAT_MD5": "octet.float.md5",
         "QUANTIZED_MD5": "octet.quantized.md5"}
match words[0]:
    case "build":
        given = dict(word.split("=", 1) for word in words if "=" in word)
        labels = {name: given[key] for key, name in names.items()}
        (folder / "labels").write_text(json.dumps(labels))
    case "image":
        print((folder / "labels").read_text())
    case "run" if words[-1] == "predict":
        print(sys.stdin.read(), end="")
    case "run":
        print("1000 total")
    case "save":
        print("an image")
"""


def docker(folder: Path) -> tuple[dict[str, str], Path]:
    """A stand-in for docker, whose images do as they should; and the file of what is asked."""
    program(folder, "docker", DOCKER)
    return path_with(folder), folder / "asked"


def registry(missing: str = "") -> dict[str, str]:
    given = dict(zip(SECRETS, ("ghcr.io/someone", "someone", "a-token"), strict=True))
    return {f"secrets.{key}": "" if key == missing else value for key, value in given.items()}


@pytest.mark.parametrize("workflow", ["ci.yml", "release.yml"])
@pytest.mark.parametrize("missing", ["", *SECRETS])
def test_nothing_is_published_without_all_secrets_of_a_registry(
    tmp_path: Path, workflow: str, missing: str
) -> None:
    runner = Runner(tmp_path, tmp_path, {})
    assert [*runner.job(workflow, "registry", registry(missing)).values()] == ["success"]
    assert runner.outputs() == {"given": "no" if missing else "yes"}


@pytest.mark.slow
@pytest.mark.usefixtures("california")
def test_the_image_that_is_pushed_from_main_is_what_was_tried_out(
    committed: Path, tmp_path: Path
) -> None:
    clone = new_clone_at(tmp_path / "clone", committed, "california")
    clone.dvc("repro", "quantize@california")
    clone.git("commit", "--quiet", "--all", "--allow-empty", "--message", "reproduced")
    with_requirements(clone.path)
    path, asked = docker(tmp_path / "bin")
    runner = Runner(clone.path, tmp_path, path | {"GITHUB_SHA": "abc"})
    push = {"github.event_name": "push"}
    assert set(runner.job("ci.yml", "container", push).values()) == {"success"}, runner.said
    assert "save octet:california\n" in asked.read_text()
    asked.unlink()
    assert set(runner.job("ci.yml", "publish", registry()).values()) == {"success"}
    assert asked.read_text().splitlines() == [
        f"load --input {runner.temp}/image.tar.gz",
        "login ghcr.io --username someone --password-stdin",
        "tag octet:california ghcr.io/someone/octet-california:main",
        "push ghcr.io/someone/octet-california:main",
        "tag octet:california ghcr.io/someone/octet-california:abc",
        "push ghcr.io/someone/octet-california:abc",
        "logout ghcr.io",
    ]


@pytest.mark.slow
def test_a_tag_makes_tries_and_pushes_the_image_of_its_system(
    copied: Clone, tmp_path: Path
) -> None:
    copied.run("gto", "register", "diabetes-quantized")
    copied.run("gto", "assign", "diabetes-quantized", "--stage", "prod")
    path, asked = docker(tmp_path / "bin")
    runner = Runner(copied.path, tmp_path, path)
    tag = {"github.ref_name": "diabetes-quantized#prod#1"}
    assert set(runner.job("release.yml", "image", tag).values()) == {"success"}, runner.said
    needed = {f"needs.image.outputs.{key}": value for key, value in runner.outputs().items()}
    asked.unlink()
    assert set(runner.job("release.yml", "publish", registry() | needed).values()) == {"success"}
    image = "ghcr.io/someone/octet-diabetes"
    assert [line for line in asked.read_text().splitlines() if "push" in line] == [
        f"push {image}:quantized-v0.0.1",
        f"push {image}:quantized-prod",
    ]
