"""What the tests of the workflows share: their content, and a runner for the steps of a job."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT, environment

FOLDER = ROOT / ".github/workflows"
TEXTS = {file.name: file.read_text() for file in sorted(FOLDER.glob("*.yml"))}
# In YAML 1.1, which PyYAML reads, `on` is a boolean.
WORKFLOWS = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
SECRETS = ("REGISTRY", "REGISTRY_USER", "REGISTRY_TOKEN")


def resolved(text: object, values: dict[str, str]) -> str:
    """A value of ``env:`` with its expressions replaced; one that is not known is an error."""
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], str(text))


class Runner:
    """Runs the steps of a job one after the other, as GitHub's runner does."""

    def __init__(self, place: Path, folder: Path, variables: dict[str, str]) -> None:
        self._place = place
        self._temp = folder / "runner"
        self._temp.mkdir(parents=True)
        self.said: dict[str, str] = {}
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

    def job(
        self, name: str, job: str, values: dict[str, str], *, but: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """Run the commands of a job as they stand: the outcome of each step, by its name.

        Args:
            name: of the workflow.
            job: of the job.
            values: of the expressions in the steps.
            but: steps that are left out, for the time that they take.
        """
        known, outcomes = dict(values), dict[str, str]()
        for step in [step for step in commands(name, job) if step["name"] not in but]:
            condition = step.get("if", "${{ success() }}")
            if holds(condition, known, failed="failure" in outcomes.values()):
                done = self.run(step, known)
                self.said[step["name"]] = done.stdout + done.stderr
                outcome = "failure" if done.returncode else "success"
            else:
                outcome = "skipped"
            outcomes[step["name"]] = known[f"steps.{step.get('id')}.outcome"] = outcome
            given = {f"steps.{step.get('id')}.outputs.{k}": v for k, v in self.outputs().items()}
            known = given | known
        return outcomes


def holds(condition: str, known: dict[str, str], *, failed: bool) -> bool:
    """Whether a step with this ``if:`` runs, after a failure or without one."""
    terms = condition.removeprefix("${{ ").removesuffix(" }}").split(" && ")
    if failed and "!cancelled()" not in terms:
        return False
    pairs = (re.fullmatch(r"(\S+) (==|!=) '(.*)'", term) for term in terms)
    return all((known[p[1]] == p[3]) == (p[2] == "==") for p in pairs if p)


def commands(name: str, job: str) -> Iterator[dict[str, Any]]:
    return (step for step in WORKFLOWS[name]["jobs"][job]["steps"] if "run" in step)


def program(folder: Path, name: str, text: str) -> None:
    """Put a program of Python lines where a runner finds it: what stands in for the real one."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!{sys.executable}\n{text}")
    (folder / name).chmod(0o755)


def path_with(folder: Path) -> dict[str, str]:
    """The variable of a runner that finds the programs of a folder first."""
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
