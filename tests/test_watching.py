"""The workflow that watches a model at night: each of its commands as it stands, run twice."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from octet.layers import Linear
from octet.modelfile.storage import dump_network
from octet.monitor.reference import take_reference
from octet.network import Network
from octet.signature import Columns, Numbers, Signature
from tests.conftest import ROOT
from tests.workflows import WORKFLOWS, Runner, path_with, program

MODEL, ROWS = "https://example.org/model", "https://example.org/log.csv?token=1"
CURL = """
import pathlib, shutil, sys
folder, address = pathlib.Path(__file__).parent.parent, sys.argv[-1]
assert address.startswith("https://") and sys.argv[sys.argv.index("--proto") + 1] == "=https"
name = address.split("?")[0].rpartition("/")[2]
shutil.copy(folder / name, sys.argv[sys.argv.index("--output") + 1])
"""
PIP = "import sys; assert '--require-hashes' in sys.argv\n"
GH = """
import json, pathlib, shutil, sys
folder = pathlib.Path(__file__).parent.parent
with open(folder / "asked.jsonl", "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
arguments = " ".join(sys.argv[1:])
if "actions/artifacts" in arguments:
    name = sys.argv[-1].removeprefix("name=")
    kept = [p for p in folder.glob("kept/*/*") if p.name == name]
    run = {"head_branch": "main", "head_repository_id": 1, "repository_id": 1}
    found = [
        {"expired": False, "created_at": p.parent.name, "workflow_run": run | {"id": p.parent.name}}
        for p in kept
    ]
    stranger = run | {"head_repository_id": 2, "id": "fork"}
    found.append({"expired": False, "created_at": "9999", "workflow_run": stranger})
    print(json.dumps({"artifacts": found}))
elif arguments.startswith("run download"):
    target = pathlib.Path(sys.argv[sys.argv.index("--dir") + 1])
    name = sys.argv[sys.argv.index("--name") + 1]
    shutil.copytree(folder / "kept" / sys.argv[3] / name, target, dirs_exist_ok=True)
elif arguments.startswith("issue list"):
    by = "app/" + sys.argv[sys.argv.index("--app") + 1] if "--app" in sys.argv else ""
    print(sum(by in ("", author) for author in (folder / "open").read_text().split()))
elif arguments.startswith("issue create"):
    shutil.copy(sys.argv[sys.argv.index("--body-file") + 1], folder / "body.md")
"""


@dataclass
class GitHub:
    """Stands in for the runner, and for what keeps artifacts between runs."""

    folder: Path
    runs: int = 0

    def run(self, reset: str = "") -> tuple[dict[str, str], Runner]:
        self.runs += 1
        variables = path_with(self.folder / "bin") | {"PYTHONPATH": str(ROOT)}
        runner = Runner(ROOT, self.folder / str(self.runs), variables)
        known = {
            "vars.MONITOR_MODEL": MODEL,
            "vars.MONITOR_ROWS": ROWS,
            "github.token": "none",
            "github.repository": "o/r",
            "github.server_url": "https://github.com",
            "github.run_id": "7",
            "github.event.repository.default_branch": "main",
            "inputs.reset": reset,
        }
        outcomes = runner.job("monitor.yml", "watch", known)
        if name := runner.outputs().get("name"):
            kept = self.folder / "kept" / str(self.runs) / name
            shutil.copytree(runner.temp / "state", kept)
        return outcomes, runner

    def issues(self) -> int:
        asked = (self.folder / "asked.jsonl").read_text().splitlines()
        return sum(json.loads(line)[:2] == ["issue", "create"] for line in asked)


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    if not shutil.which("jq"):
        pytest.skip("jq is not installed: apt-get install jq")
    for name, text in {"curl": CURL, "pip": PIP, "gh": GH}.items():
        program(tmp_path / "bin", name, text)
    (tmp_path / "open").write_text("stranger")
    x = np.random.default_rng(0).normal(size=(3000, 2))
    signature = Signature(Columns(("a", "~~~~~~~~@b")), Numbers("y", ""))
    network = Network((Linear(np.ones((1, 2)), np.zeros(1)),), signature)
    reference = take_reference(network, (x[:1500], None), (x[1500:], None))
    (tmp_path / "model").write_bytes(dump_network(network, reference))
    return GitHub(tmp_path)


def log(github: GitHub, *parts: np.ndarray) -> None:
    lines = ["a,~~~~~~~~@b", *(f"{a},{b}" for part in parts for a, b in part.tolist())]
    (github.folder / "log.csv").write_text("\n".join(lines) + "\n")


def test_a_log_that_grows_is_counted_once_and_an_alarm_opens_one_issue(github: GitHub) -> None:
    rng = np.random.default_rng(1)
    calm, moved = rng.normal(size=(500, 2)), rng.normal([0, 1], size=(500, 2))
    log(github, calm)
    outcomes, runner = github.run()
    assert outcomes.pop("Open an issue") == "skipped"
    assert set(outcomes.values()) == {"success"}, runner.said
    assert "the first look" in runner.said["Fetch what is known so far"]

    log(github, calm, moved)
    outcomes, runner = github.run()
    assert set(outcomes.values()) == {"success"}, runner.said
    assert "500 are new" in runner.said["Watch"]
    assert "ALARM: something has changed; 1,000 rows" in runner.summary.read_text()
    head, _, table = (github.folder / "body.md").read_text().partition("~~~~~~~~text\n")
    assert "https://github.com/o/r/actions/runs/7 has the page" in head
    assert table.count("~") == 8
    assert table.endswith("~~~~~~~~\n")

    (github.folder / "open").write_text("stranger app/github-actions")
    github.run()
    assert github.issues() == 1

    outcomes, runner = github.run(reset="b in cents; $(touch owned)")
    assert outcomes["Open an issue"] == "skipped"
    assert "after 1,000 rows and an alarm: b in cents; $(touch owned)" in runner.said["Watch"]
    assert not (ROOT / "owned").exists()


def test_a_log_that_was_written_again_fails_the_run_until_somebody_says_so(github: GitHub) -> None:
    rng = np.random.default_rng(2)
    first, *others = rng.normal(size=(1, 2)), rng.normal(size=(200, 2)), rng.normal(size=(300, 2))
    for rows, reset, outcome, said in (
        (others[0], "", "success", "no alarm; 201 rows"),
        (others[1], "", "failure", "there are other rows now, or fewer"),
        (others[1], "-- written again", "success", "no alarm; 301 rows"),
    ):
        log(github, first, rows)
        outcomes, runner = github.run(reset)
        assert outcomes["Watch"] == outcome
        assert said in runner.said["Watch"]


def test_rows_that_cannot_be_read_fail_the_run_and_keep_what_was_known(github: GitHub) -> None:
    log(github, np.zeros((100, 2)))
    github.run()
    (github.folder / "log.csv").write_text("c,d\n1,2\n")
    outcomes, runner = github.run()
    assert outcomes["Watch"] == "failure"
    assert outcomes["Open an issue"] == "skipped"
    assert "no column" in runner.said["Watch"]


def test_it_is_off_without_its_variables() -> None:
    job = WORKFLOWS["monitor.yml"]["jobs"]["watch"]
    assert job["if"] == "${{ vars.MONITOR_MODEL != '' && vars.MONITOR_ROWS != '' }}"
    assert "secrets" not in json.dumps(job)
