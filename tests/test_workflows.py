"""The workflows, before they are pushed: their promises, and their steps, run as a runner would."""

import hashlib
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

from tests.conftest import ROOT, Clone, environment

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
# What runs code of a pull request.
UNTRUSTED = [("ci.yml", "check"), ("ci.yml", "reproduce"), ("ci.yml", "container")]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_do_nothing_that_a_job_does_not_ask_for(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]
    assert workflow["defaults"]["run"]["shell"] == "bash"
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert isinstance(job["permissions"], dict)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_to_a_commit_and_no_checkout_leaves_its_token_behind(
    name: str,
) -> None:
    steps = [step for file, _, step in STEPS if file == name and "uses" in step]
    used = re.findall(r"uses: (.*)", TEXTS[name])
    assert len(used) == len(steps)
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    for step in steps:
        if "actions/checkout@" in step["uses"]:
            assert step["with"]["persist-credentials"] is False, step


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_command_has_an_expression_pasted_in_or_what_shellcheck_finds(name: str) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    for command in (step["run"] for file, _, step in STEPS if file == name and "run" in step):
        assert "${{" not in command
        done = subprocess.run(
            [shellcheck, "--shell=bash", "-"],
            input=command,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(("name", "job"), UNTRUSTED)
def test_what_runs_code_of_a_pull_request_may_only_read_and_knows_no_secret(
    name: str, job: str
) -> None:
    found = WORKFLOWS[name]["jobs"][job]
    assert found["permissions"] == {"contents": "read"}
    assert "secrets" not in yaml.safe_dump(found)
    assert "github.token" not in yaml.safe_dump(found)


def test_what_a_pull_request_starts_knows_a_secret_only_where_no_code_of_it_runs() -> None:
    jobs = WORKFLOWS["ci.yml"]["jobs"]
    knowing = {name for name, job in jobs.items() if "secrets" in yaml.safe_dump(job)}
    assert knowing == {"registry", "publish"} == set(jobs) - {job for _, job in UNTRUSTED}
    for job in (jobs["registry"], jobs["publish"]):
        used = [action.split("@")[0] for action in steps_using(job)]
        assert used in ([], ["actions/download-artifact"])
        assert job["permissions"] == {}
    assert jobs["registry"]["if"] == "${{ github.event_name == 'push' }}"
    assert jobs["publish"]["if"] == "${{ needs.registry.outputs.given == 'yes' }}"
    assert WORKFLOWS["ci.yml"][True]["push"] == {"branches": ["main"]}


def test_nothing_runs_strangers_code_with_the_rights_of_the_base() -> None:
    triggers = {trigger for workflow in WORKFLOWS.values() for trigger in workflow[True]}
    assert "pull_request_target" not in triggers
    for workflow in WORKFLOWS.values():
        if "workflow_run" in workflow[True]:
            assert not [action for job in workflow["jobs"].values() for action in steps_using(job)]


def test_the_jobs_are_a_chain_that_ends_at_the_first_failure() -> None:
    jobs = WORKFLOWS["ci.yml"]["jobs"]
    needs = {name: job.get("needs", []) for name, job in jobs.items()}
    assert needs == {
        "check": [],
        "reproduce": "check",
        "container": "reproduce",
        "registry": [],
        "publish": ["container", "registry"],
    }


def test_no_cache_is_restored_but_for_the_same_numbers() -> None:
    # With older outputs, metrics that were edited by hand would look as if they had been made.
    caches = [step["with"] for _, _, step in STEPS if "actions/cache@" in step.get("uses", "")]
    assert {cache["path"] for cache in caches} == {"~/.cache/octet", ".dvc/cache"}
    assert all(set(cache) == {"path", "key"} for cache in caches)
    for cache in caches:
        if cache["path"] == ".dvc/cache":
            assert "'dvc.lock', 'params.yaml', 'requirements.txt'" in cache["key"]


def test_what_comments_checks_nothing_out() -> None:
    job = WORKFLOWS["comment.yml"]["jobs"]["comment"]
    assert not steps_using(job)
    assert job["permissions"] == {"actions": "read", "pull-requests": "write"}


def steps_using(job: dict[str, Any]) -> list[str]:
    return [step["uses"] for step in job["steps"] if "uses" in step]


def resolved(text: object, values: dict[str, str]) -> str:
    """A value of ``env:`` with its expressions replaced; one that is not known is an error."""
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], str(text))


class Runner:
    """Runs the steps of a job one after the other, as GitHub's runner does."""

    def __init__(self, place: Path, folder: Path, variables: dict[str, str]) -> None:
        self._place = place
        self._temp = folder / "runner"
        self._temp.mkdir()
        names = ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_ENV")
        self._files = {name: self._temp / name for name in names}
        self.summary = self._temp / "summary.md"
        for file in (*self._files.values(), self.summary):
            file.touch()
        self._env = environment(
            {"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(self._temp)}
            | {"GITHUB_BASE_REF": "main", "GITHUB_EVENT_NAME": "pull_request"}
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
    if (ROOT / ".mypy_cache").is_dir():  # what `make check` knows of the libraries
        shutil.copytree(ROOT / ".mypy_cache", tmp_path / "clone" / ".mypy_cache")
    return Clone(tmp_path / "clone")


# Of a pull request, which is checked out as a merge into its base.
VALUES = {"github.event_name == 'pull_request' && 'HEAD^1' || github.event.before": "HEAD^1"}


@pytest.mark.slow
@pytest.mark.parametrize("job", ["check", "reproduce"])
def test_every_step_of_a_job_passes_in_a_fresh_clone(
    checked_out: Clone, tmp_path: Path, job: str
) -> None:
    for program in ("chromium", "chromedriver", "jq"):
        if job == "check" and not shutil.which(program):
            pytest.skip(f"{program} is not installed, as it is where the job runs")
    # One test file stands for the suite, which runs this test itself.
    runner = Runner(checked_out.path, tmp_path, {"PYTEST": "tests/octet/test_packing.py"})
    for step in commands("ci.yml", job):
        done = runner.run(step, VALUES)
        assert done.returncode == 0, f"{step['name']}\n{done.stdout}\n{done.stderr}"
    if job == "reproduce":
        comment = (runner.temp / "comment/comment.md").read_text()
        assert comment.startswith((checked_out.path / "report/summary.md").read_text())
        assert "### float → quantized" in comment
        assert "| pass |" in comment
        assert comment == runner.summary.read_text()


@pytest.mark.slow
def test_the_job_sees_stale_stages_other_numbers_and_failed_gates(
    checked_out: Clone, tmp_path: Path
) -> None:
    steps = {step["name"]: step for step in commands("ci.yml", "reproduce")}
    runner = Runner(checked_out.path, tmp_path, {})

    def status(name: str) -> int:
        return runner.run(steps[name], VALUES).returncode

    assert status("Set up") == 0
    assert status("Nothing is left to do") != 0
    assert status("Reproduce") == 0
    checked_out.edit("params.yaml", "bits: 8", "bits: 2")
    assert status("Nothing is left to do") != 0
    assert status("The committed numbers are those that the code gives") != 0
    # The metrics are not of these parameters.
    assert status("Gate") != 0
    checked_out.edit("params.yaml", "bits: 2", "bits: 8")
    assert status("Gate") == 0
    checked_out.edit("params.yaml", "saved: 0.6", "saved: 0.99")
    assert status("Gate") != 0
    assert status("Compare with the base") == 0
    assert "| FAIL" in runner.summary.read_text()


@pytest.mark.slow
@pytest.mark.xdist_group("workflows")
def test_metrics_edited_by_hand_do_not_pass(checked_out: Clone, tmp_path: Path) -> None:
    metrics = checked_out.path / "metrics/diabetes.json"
    before = hashlib.md5(metrics.read_bytes()).hexdigest()
    text = metrics.read_text()
    made = json.loads(text)["quantized"]["r2"]
    metrics.write_text(text.replace(f'"r2": {made}', '"r2": 0.99'))
    assert metrics.read_text() != text
    checked_out.edit("dvc.lock", before, hashlib.md5(metrics.read_bytes()).hexdigest())
    checked_out.git("commit", "--quiet", "--all", "--message", "better")
    steps = {step["name"]: step for step in commands("ci.yml", "reproduce")}
    runner = Runner(checked_out.path, tmp_path, {})
    for name in ("Set up", "Reproduce"):
        assert runner.run(steps[name], VALUES).returncode == 0
    done = runner.run(steps["The committed numbers are those that the code gives"], VALUES)
    assert done.returncode != 0
    assert "0.99" in done.stdout


SECRETS = ("REGISTRY", "REGISTRY_USER", "REGISTRY_TOKEN")


@pytest.mark.parametrize("missing", [None, *SECRETS])
def test_nothing_is_published_without_all_secrets_of_a_registry(
    tmp_path: Path, missing: str | None
) -> None:
    runner = Runner(tmp_path, tmp_path, {})
    (step,) = commands("ci.yml", "registry")
    done = runner.run(step, {f"secrets.{key}": "" if key == missing else "x" for key in SECRETS})
    assert done.returncode == 0
    assert runner.outputs() == {"given": "no" if missing else "yes"}


def test_the_image_that_was_tried_out_is_pushed_and_the_token_is_no_argument(
    tmp_path: Path,
) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n')
    docker.chmod(0o755)
    path = f"{docker.parent}{os.pathsep}{os.environ['PATH']}"
    runner = Runner(tmp_path, tmp_path, {"PATH": path, "GITHUB_SHA": "abc"})
    (step,) = commands("ci.yml", "publish")
    given = ("ghcr.io/someone", "someone", "a-token")
    done = runner.run(step, {f"secrets.{key}": v for key, v in zip(SECRETS, given, strict=True)})
    assert done.returncode == 0
    asked = (tmp_path / "asked").read_text()
    assert asked.splitlines() == [
        f"load --input {runner.temp}/image.tar.gz",
        "login ghcr.io --username someone --password-stdin",
        "tag octet:california ghcr.io/someone/octet-california:main",
        "push ghcr.io/someone/octet-california:main",
        "tag octet:california ghcr.io/someone/octet-california:abc",
        "push ghcr.io/someone/octet-california:abc",
        "logout ghcr.io",
    ]


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
import json, pathlib, shutil, sys
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
    shutil.copy(source, target, follow_symlinks=False)
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


def pull(number: object, sha: str = "abc", repository: int = 5) -> dict[str, object]:
    return {"number": number, "head": {"sha": sha}, "base": {"repo": {"id": repository}}}


Post = Callable[..., tuple[list[list[str]], str]]


@pytest.fixture
def post(github: Path) -> Post:
    """Run the job that comments; gives what was asked of GitHub, and the comment."""

    def run(*pulls: dict[str, object]) -> tuple[list[list[str]], str]:
        path = f"{github / 'bin'}{os.pathsep}{os.environ['PATH']}"
        runner = Runner(github, github, {"PATH": path, "GH_REPO": "o/r", "GH_TOKEN": "none"})
        event = "github.event.workflow_run"
        known = {
            f"toJSON({event}.pull_requests)": json.dumps(pulls),
            f"{event}.head_repository.owner.login": "someone",
            f"{event}.head_branch": "$(touch owned); `touch owned`",
            f"{event}.head_sha": "abc",
            f"{event}.id": "7",
            f"{event}.html_url": "https://github.com/o/r/actions/runs/7",
            f"{event}.conclusion": "failure",
            "github.repository_id": "5",
        }
        for step in commands("comment.yml", "comment"):
            known |= {f"steps.find.outputs.{key}": v for key, v in runner.outputs().items()}
            if "if" in step:
                assert step["if"] == "${{ steps.find.outputs.number != '' }}"
                if not known["steps.find.outputs.number"]:
                    continue
            done = runner.run(step, known)
            assert done.returncode == 0, done.stderr
        assert not list(github.rglob("owned"))
        asked = [json.loads(line) for line in (github / "asked.jsonl").read_text().splitlines()]
        body = runner.temp / "body.md"
        return asked, body.read_text() if body.exists() else ""

    return run


HEAD = "[ci: failure](https://github.com/o/r/actions/runs/7) for abc"


def test_a_strangers_text_is_nothing_but_text(post: Post) -> None:
    _, body = post(pull(12))
    first, head, empty, fence, *inside, end, last = body.split("\n")
    assert (first, head, empty) == ("<!-- octet -->", HEAD, "")
    assert (fence, end, last) == ("```text", "```", "")
    assert all(char.isprintable() for line in inside for char in line)
    assert "```" not in "\n".join(inside)
    assert len(body) < 65_536
    assert inside[-1] == "... cut here"
    assert "<script>alert(1)</script> @everyone" in body


@pytest.mark.parametrize("bytes_", [b"\xff\xfe\x00", b"\n" * 500_000, b"`" * 500_000, b""])
def test_no_bytes_break_out_or_stop_the_comment(post: Post, github: Path, bytes_: bytes) -> None:
    (github / "comment.md").write_bytes(bytes_)
    _, body = post(pull(12))
    assert body.startswith(f"<!-- octet -->\n{HEAD}")
    assert body.count("```") in (0, 2)
    assert len(body) < 65_536


def test_a_link_in_the_artifact_is_not_followed(post: Post, github: Path) -> None:
    (github / "private").write_text("a secret of the runner")
    (github / "comment.md").unlink()
    (github / "comment.md").symlink_to(github / "private")
    _, body = post(pull(12))
    assert "secret" not in body


def test_a_new_pull_request_gets_a_comment_and_an_old_one_has_its_own_updated(
    post: Post, github: Path
) -> None:
    asked, _ = post(pull(12))
    assert asked[-1][:4] == ["api", "--method", "POST", "repos/o/r/issues/12/comments"]
    bot, person = {"login": "github-actions[bot]"}, {"login": "person"}
    (github / "comments.json").write_text(
        json.dumps([{"id": 1, "user": person, "body": "<!-- octet -->"}])
        + json.dumps([{"id": 2, "user": bot, "body": "<!-- octet -->\nold"}])
    )
    shutil.rmtree(github / "runner")
    asked, _ = post(pull(12))
    assert asked[-1][:4] == ["api", "--method", "PATCH", "repos/o/r/issues/comments/2"]


@pytest.mark.parametrize(
    ("of_event", "of_api", "number"),
    [
        ([pull(12)], [], "12"),
        ([pull(11, repository=6), pull(12)], [], "12"),
        ([pull(11, repository=6)], [pull(3)], "3"),
        ([], [pull(3)], "3"),
        ([pull(12, sha="newer")], [pull(12, sha="newer")], ""),
        ([], [], ""),
        ([], [pull("3/../../x")], ""),
    ],
)
def test_the_comment_goes_to_the_pull_request_into_this_repository_whose_head_was_run(
    post: Post, github: Path, of_event: list[Any], of_api: list[Any], number: str
) -> None:
    (github / "pulls.json").write_text(json.dumps(of_api))
    asked, _ = post(*of_event)
    posted = [call[3] for call in asked if "POST" in call]
    assert posted == ([f"repos/o/r/issues/{number}/comments"] if number else [])


def test_without_an_artifact_the_comment_says_so(post: Post, github: Path) -> None:
    (github / "comment.md").unlink()
    asked, body = post(pull(12))
    assert body == f"<!-- octet -->\n{HEAD}, which left no numbers\n"
    assert [call for call in asked if "POST" in call]
