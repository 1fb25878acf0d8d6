"""The workflows, before they are pushed: what they promise by their text."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflows import TEXTS, WORKFLOWS

JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]
STEPS = [
    (name, job, step)
    for name, job in JOBS
    for step in WORKFLOWS[name]["jobs"][job].get("steps", [])
]
# What runs code of a pull request.
UNTRUSTED = [("ci.yml", job) for job in ("check", "tests", "reproduce", "container")]


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


def test_no_answer_waits_for_another_and_nothing_is_published_that_failed_one() -> None:
    jobs = WORKFLOWS["ci.yml"]["jobs"]
    needs = {name: job["needs"] for name, job in jobs.items() if "needs" in job}
    assert needs.keys() == {"publish"}
    assert set(needs["publish"]) == jobs.keys() - {"publish"}


def test_the_tests_run_on_every_python_that_the_project_takes() -> None:
    matrix = WORKFLOWS["ci.yml"]["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix == {"python": ["3.11", "3.12", "3.13", "3.14"]}


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
