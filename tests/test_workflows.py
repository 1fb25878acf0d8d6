"""The workflows, before they are pushed: their promises, and their steps, run as a runner would."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Clone, environment, new_clone_at

FOLDER = ROOT / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
TEXTS = {file.name: file.read_text() for file in FILES}
# In YAML 1.1, which PyYAML reads, `on` is a boolean.
WORKFLOWS = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]
STEPS = [
    (name, job, step)
    for name, job in JOBS
    for step in WORKFLOWS[name]["jobs"][job].get("steps", [])
]
# What runs code of a pull request, or of whoever may push a tag.
UNTRUSTED = [("ci.yml", "check"), ("ci.yml", "reproduce")]


@pytest.mark.parametrize("name", TEXTS)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(name: str) -> None:
    used = re.findall(r"uses: (.*)", TEXTS[name])
    assert len(used) == sum("uses" in step for file, _, step in STEPS if file == name)
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_do_nothing_that_a_job_does_not_ask_for(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    assert WORKFLOWS[name]["concurrency"]
    assert WORKFLOWS[name]["defaults"]["run"]["shell"] == "bash"


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_has_permissions_and_an_end(name: str, job: str) -> None:
    found = WORKFLOWS[name]["jobs"][job]
    assert found["timeout-minutes"] <= 60
    assert isinstance(found["permissions"], dict)


@pytest.mark.parametrize(("name", "job", "step"), STEPS, ids=str)
def test_no_checkout_leaves_its_token_behind(name: str, job: str, step: dict[str, Any]) -> None:
    if "actions/checkout@" in step.get("uses", ""):
        assert step["with"]["persist-credentials"] is False, (name, job)


@pytest.mark.parametrize(("name", "job", "step"), STEPS, ids=str)
def test_no_expression_is_pasted_into_a_command(name: str, job: str, step: dict[str, Any]) -> None:
    assert "${{" not in step.get("run", ""), (name, job)


@pytest.mark.parametrize(("name", "job"), UNTRUSTED)
def test_what_runs_code_of_a_pull_request_may_only_read_and_knows_no_secret(
    name: str, job: str
) -> None:
    found = WORKFLOWS[name]["jobs"][job]
    assert found["permissions"] == {"contents": "read"}
    assert "secrets" not in yaml.safe_dump(found)
    assert "github.token" not in yaml.safe_dump(found)


def test_what_comments_checks_nothing_out() -> None:
    job = WORKFLOWS["comment.yml"]["jobs"]["comment"]
    assert not [step for step in job["steps"] if "uses" in step]
    assert job["permissions"] == {"actions": "read", "pull-requests": "write"}


def resolved(text: object, values: dict[str, str]) -> str:
    """A value of ``env:`` with its expressions replaced; one that is not known is an error."""
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], str(text))


class Runner:
    """Runs the steps of a job one after the other, as GitHub's runner does."""

    def __init__(self, place: Path, folder: Path, variables: dict[str, str]) -> None:
        self._place = place
        self._temp = folder / "runner"
        self._temp.mkdir()
        self._files = {name: self._temp / name for name in ("GITHUB_PATH", "GITHUB_OUTPUT")}
        self.summary = self._temp / "summary.md"
        for file in (*self._files.values(), self.summary):
            file.touch()
        self._env = environment(
            {"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(self._temp)}
            | {"GITHUB_STEP_SUMMARY": str(self.summary)}
            | {name: str(file) for name, file in self._files.items()}
            | variables
        )

    @property
    def temp(self) -> Path:
        return self._temp

    def run(self, step: dict[str, Any], values: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run one step; what it adds to the path counts for those after it."""
        added = self._files["GITHUB_PATH"].read_text().split()
        own = {key: resolved(text, values) for key, text in step.get("env", {}).items()}
        path = os.pathsep.join([*reversed(added), self._env["PATH"]])
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self._place,
            env=self._env | {"PATH": path} | own,
            capture_output=True,
            text=True,
            check=False,
        )

    def outputs(self) -> dict[str, str]:
        """What the steps so far have given to later ones."""
        lines = self._files["GITHUB_OUTPUT"].read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


def commands(name: str, job: str) -> Iterator[dict[str, Any]]:
    return (step for step in WORKFLOWS[name]["jobs"][job]["steps"] if "run" in step)


@pytest.fixture(scope="module")
def pushed(committed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one small system, whose author has reproduced and committed it."""
    # The real one takes minutes; tests/pipeline/test_everything.py reproduces it.
    author = new_small(tmp_path_factory.mktemp("pushed") / "author", committed)
    author.dvc("repro")
    author.git("add", "--all")
    author.git("commit", "--quiet", "--message", "reproduced")
    return author.path


def new_small(path: Path, committed: Path) -> Clone:
    clone = new_clone_at(path, committed, "diabetes", whole=True)
    strangers = [f"metrics/{m.name}" for m in clone.path.glob("metrics/*") if m.stem != "diabetes"]
    clone.git("rm", "--quiet", *strangers)
    clone.edit("dvc.yaml", "plots/digits/", "plots/diabetes/")
    return clone


@pytest.fixture
def checked_out(pushed: Path, tmp_path: Path) -> Clone:
    """A fresh clone with the requirements installed."""
    subprocess.run(["git", "clone", "--quiet", pushed, tmp_path / "clone"], check=True)
    venv = tmp_path / "clone" / ".venv"
    venv.mkdir()
    for part in Path(sys.prefix).iterdir():
        (venv / part.name).symlink_to(part)
    (venv / ".ready").unlink(missing_ok=True)
    (venv / ".ready").touch()
    return Clone(tmp_path / "clone")


def values(clone: Clone) -> dict[str, str]:
    base = clone.git("rev-parse", "HEAD~1")
    return {"github.event.pull_request.base.sha || github.event.before": base}


@pytest.mark.slow
@pytest.mark.xdist_group("workflows")
@pytest.mark.parametrize("job", ["check", "reproduce"])
def test_every_step_of_a_job_passes_in_a_fresh_clone(
    checked_out: Clone, tmp_path: Path, job: str
) -> None:
    # One test file stands for the suite, which runs this test itself.
    runner = Runner(checked_out.path, tmp_path, {"PYTEST": "tests/octet/test_packing.py"})
    for step in commands("ci.yml", job):
        done = runner.run(step, values(checked_out))
        assert done.returncode == 0, f"{step['name']}\n{done.stdout}\n{done.stderr}"
    if job == "reproduce":
        comment = (runner.temp / "comment/comment.md").read_text()
        assert comment.startswith((checked_out.path / "report/summary.md").read_text())
        assert "### float → quantized" in comment
        assert comment in runner.summary.read_text()
        assert "| pass |" in runner.summary.read_text()


@pytest.mark.slow
@pytest.mark.xdist_group("workflows")
def test_the_job_sees_stale_stages_other_numbers_and_failed_gates(
    checked_out: Clone, tmp_path: Path
) -> None:
    steps = {step["name"]: step for step in commands("ci.yml", "reproduce")}
    runner = Runner(checked_out.path, tmp_path, {})

    def status(name: str) -> int:
        return runner.run(steps[name], values(checked_out)).returncode

    assert status("Set up") == 0
    assert status("Nothing is left to do") != 0
    assert status("Reproduce") == 0
    checked_out.edit("params.yaml", "bits: 8", "bits: 2")
    assert status("Nothing is left to do") != 0
    assert status("The committed numbers are those that the code gives") != 0
    assert status("Gate") != 0
    assert "FAIL" in runner.summary.read_text()


HOSTILE = (
    "# Report\x00\x1b[31m\n```\n<script>alert(1)</script> @everyone [x](http://evil) `````\n"
    "<!-- octet -->\u202e\u200b\n" + "A" * 100_000
)


@pytest.fixture
def github(tmp_path: Path) -> Path:
    """A stand-in for GitHub's own program, which is not there: it notes what it is asked for."""
    if not shutil.which("jq"):
        pytest.skip("jq is not installed: apt-get install jq")
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(
        f"""#!{sys.executable}
import json, os, pathlib, sys
folder = pathlib.Path({str(tmp_path)!r})
with open(folder / "asked.jsonl", "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
arguments = " ".join(sys.argv[1:])
if arguments.startswith("run download"):
    source = folder / "comment.md"
    if not source.exists():
        sys.exit("no artifact")
    target = pathlib.Path(sys.argv[sys.argv.index("--dir") + 1])
    target.mkdir()
    (target / "comment.md").write_bytes(source.read_bytes())
elif "/pulls" in arguments:
    print((folder / "pulls.json").read_text())
elif "--paginate" in arguments:
    print((folder / "comments.json").read_text())
"""
    )
    program.chmod(0o755)
    (tmp_path / "pulls.json").write_text("[]")
    (tmp_path / "comments.json").write_text("[]")
    (tmp_path / "comment.md").write_text(HOSTILE)
    return tmp_path


Post = Callable[..., tuple[list[list[str]], str]]


@pytest.fixture
def post(github: Path) -> Post:
    """Run the job that comments; gives what was asked of GitHub, and the comment."""

    def run(number: str) -> tuple[list[list[str]], str]:
        path = f"{github / 'bin'}{os.pathsep}{os.environ['PATH']}"
        runner = Runner(github, github, {"PATH": path, "GH_REPO": "o/r", "GH_TOKEN": "none"})
        event = "github.event.workflow_run"
        known = {
            f"{event}.pull_requests[0].number": number,
            f"{event}.head_repository.owner.login": "someone",
            f"{event}.head_branch": "$(touch owned); `touch owned`",
            f"{event}.head_sha": "abc",
            f"{event}.id": "7",
        }
        for step in commands("comment.yml", "comment"):
            known |= {f"steps.find.outputs.{key}": v for key, v in runner.outputs().items()}
            condition = step.get("if", "").removeprefix("${{ ").removesuffix(" }}")
            if condition == "steps.find.outputs.number != ''" and not runner.outputs()["number"]:
                break
            if "outputs.ready" in condition and runner.outputs().get("ready") != "yes":
                break
            done = runner.run(step, known)
            assert done.returncode == 0, done.stderr
        assert not list(github.rglob("owned"))
        asked = [json.loads(line) for line in (github / "asked.jsonl").read_text().splitlines()]
        body = runner.temp / "body.md"
        return asked, body.read_text() if body.exists() else ""

    return run


def test_a_strangers_text_is_nothing_but_text(post: Post) -> None:
    _, body = post("12")
    first, fence, *inside, end, last = body.split("\n")
    assert (first, fence, end, last) == ("<!-- octet -->", "```text", "```", "")
    assert all(char.isprintable() for line in inside for char in line)
    assert "```" not in "\n".join(inside)
    assert len(body) < 65_536
    assert "<script>alert(1)</script> @everyone" in body


def test_a_new_pull_request_gets_a_comment_and_an_old_one_has_its_own_updated(
    post: Post, github: Path
) -> None:
    asked, _ = post("12")
    assert asked[-1][:4] == ["api", "--method", "POST", "repos/o/r/issues/12/comments"]
    bot, person = {"login": "github-actions[bot]"}, {"login": "person"}
    (github / "comments.json").write_text(
        json.dumps([{"id": 1, "user": person, "body": "<!-- octet -->"}])
        + json.dumps([{"id": 2, "user": bot, "body": "<!-- octet -->\nold"}])
    )
    shutil.rmtree(github / "runner")
    asked, _ = post("12")
    assert asked[-1][:4] == ["api", "--method", "PATCH", "repos/o/r/issues/comments/2"]


@pytest.mark.parametrize(
    ("pulls", "number"),
    [
        ([{"number": 3, "head": {"sha": "abc"}}], "3"),
        ([{"number": 3, "head": {"sha": "other"}}], ""),
        ([], ""),
        ([{"number": "3/../../x", "head": {"sha": "abc"}}], ""),
    ],
)
def test_the_pull_request_of_a_fork_is_found_by_its_commit(
    post: Post, github: Path, pulls: list[object], number: str
) -> None:
    (github / "pulls.json").write_text(json.dumps(pulls))
    asked, _ = post("")
    posted = [call for call in asked if "POST" in call]
    assert [call[3] for call in posted] == (
        [f"repos/o/r/issues/{number}/comments"] if number else []
    )


def test_without_an_artifact_nothing_is_posted(post: Post, github: Path) -> None:
    (github / "comment.md").unlink()
    asked, body = post("12")
    assert not body
    assert not [call for call in asked if "POST" in call]
