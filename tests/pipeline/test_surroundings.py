"""Every command where it was not made: what it says is right, or is one line, and no traceback.

All of it in a project that is a folder of a larger repository, with a path that shells, URLs and
narrow encodings trip over.
"""

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import ROOT, Clone, new_clone_at

# One process makes the project, and every test leaves it as it was.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.release,
    pytest.mark.xdist_group("surroundings"),
]

SYSTEM = "diabetes"
FOLDER = "ä ö#%20"
MODEL = f"models/{SYSTEM}/quantized.safetensors"
METRICS = f"metrics/{SYSTEM}.json"
ROW = ",".join(["0.5"] * 10)
STAGES = {
    name: f"python -m stages.{name} {SYSTEM}" for name in ("load", "train", "quantize", "evaluate")
}
# Each prints something.
COMMANDS = {
    "predict": f"echo {ROW} | python -m octet predict {MODEL} --no-header",
    "info": f"python -m octet info {MODEL}",
    "compare": "python -m stages.commands.compare HEAD~1",
    "comment": "python -m stages.commands.comment HEAD~1",
    "gate": "python -m stages.commands.gate",
    "verify": "python -m stages.commands.verify",
    "run": "python -m stages.commands.run",
}
WRITERS = {
    "export": f"python -m octet export {MODEL} --onnx model.onnx",
    "monitor": f"echo {ROW} | python -m octet monitor {MODEL} --no-header --state watched",
    "add": "python -m stages.add wines --data wine",
    "schema": "python -m stages.commands.schema",
    **STAGES,
}
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
# Root who must obey the permissions of files.
OBEDIENT = "setpriv --bounding-set=-dac_override,-fowner --inh-caps=-dac_override,-fowner bash -c"


@dataclass(frozen=True)
class Surrounding:
    """Where a command is started.

    Attributes:
        shell: how, with ``{}`` for the command.
        env: changes of the environment.
        commands: which are started.
        refused: what those say that cannot work there, as a pattern; they say it in one line.
    """

    shell: str = "{}"
    env: dict[str, str | None] = field(default_factory=dict)
    commands: tuple[str, ...] = tuple(COMMANDS)
    refused: dict[str, str] = field(default_factory=dict)


CLOSED = "standard output or standard error is closed"
FULL = "standard input or output: No space left on device"
SURROUNDINGS = {
    "C locale": Surrounding(env={**ASCII}),
    "Latin-1": Surrounding(env={**ASCII, "PYTHONIOENCODING": "latin-1"}),
    "no home": Surrounding(env={"HOME": None}),
    "a home that cannot be": Surrounding(env={"HOME": "/proc/none", "XDG_CACHE_HOME": None}),
    "closed input": Surrounding("{} <&-", commands=("info", "compare", "gate", "verify", "run")),
    "closed output": Surrounding("{} >&-", refused=dict.fromkeys(COMMANDS, CLOSED)),
    "full output": Surrounding("{} >/dev/full", refused=dict.fromkeys(COMMANDS, FULL)),
    "full disk": Surrounding(
        "ulimit -f 1; {}",
        # Python 3.11 keeps the half of a .pyc that fits, and whoever imports it next fails.
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        commands=tuple(WRITERS),
        refused=dict.fromkeys(WRITERS, r"\S+: File too large"),
    ),
    "read-only": Surrounding(
        f"chmod -R a-w . && {OBEDIENT} {{!r}}; code=$?; chmod -R u+w .; exit $code",
        commands=(*(name for name in COMMANDS if name != "run"), *WRITERS),
        refused=dict.fromkeys(WRITERS, r"\S+: Permission denied"),
    ),
    "another owner": Surrounding(
        "chown -R 54321 ..; {}; code=$?; chown -R 0 ..; exit $code",
        commands=tuple(name for name in COMMANDS if name != "info"),
        refused=dict.fromkeys(
            ("compare", "comment"), "git: fatal: detected dubious ownership in repository at .*"
        ),
    ),
}
AS_ROOT = {"read-only", "another owner"}


@pytest.fixture(scope="module")
def project(committed: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A project in a folder of a repository, reproduced, in a commit of its own."""
    outer = Clone(tmp_path_factory.mktemp("larger") / "repository")
    inner = new_clone_at(outer.path / FOLDER, committed, SYSTEM)
    shutil.rmtree(inner.path / ".git")
    for path in (inner.path / "metrics").iterdir():
        if path.name != Path(METRICS).name:
            path.unlink()
    outer.git("init", "--quiet")
    outer.git("config", "user.name", "test")
    outer.git("config", "user.email", "test@example.invalid")
    outer.git("add", "--all")
    outer.git("commit", "--quiet", "--message", "as it was cloned")
    # Of another length: in the second of a commit, git takes a file of the same length for the same
    # once DVC has written its index anew.
    inner.edit("params.yaml", "random_state: 42", "random_state: 1042")
    inner.dvc("repro")
    outer.git("add", "--all")
    outer.git("commit", "--quiet", "--message", "another split")
    return inner


def started(project: Clone, name: str, place: Surrounding) -> tuple[int, str, str]:
    """Status and both streams of a command, without what DVC says of itself."""
    command = (COMMANDS | WRITERS)[name]
    wrapped = place.shell.replace("{!r}", shlex.quote(command)).replace("{}", command)
    done = project.run("bash", "-c", wrapped, check=False, env=place.env)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def usual(project: Clone) -> dict[str, str]:
    """What commands print where nothing is in their way."""
    printed = {}
    for name in COMMANDS:
        status, printed[name], errors = started(project, name, Surrounding())
        assert (status, errors) == (0, ""), name
    return printed


def files(project: Clone) -> dict[str, bytes]:
    """Everything that is the project's own."""
    listed = project.outputs()
    return listed | {"model.onnx": b""} if (project.path / "model.onnx").exists() else listed


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_command_does_as_always_or_says_in_one_line_why_not(
    project: Clone, usual: dict[str, str], name: str
) -> None:
    if name in AS_ROOT and os.geteuid() != 0:
        pytest.skip("only root can give files away, or does not obey their permissions")
    place = SURROUNDINGS[name]
    before = files(project)
    for command in place.commands:
        status, output, errors = started(project, command, place)
        assert "Traceback" not in output + errors, command
        if command in place.refused:
            assert status == 1, command
            assert re.fullmatch(f"error: {place.refused[command]}\n", errors), (command, errors)
        else:
            assert (status, output) == (0, usual[command]), (command, errors)
    assert files(project) == before


def test_every_command_has_its_place_above() -> None:
    modules = {".".join(path.parent.relative_to(ROOT).parts) for path in mains()}
    modules |= {
        f"stages.commands.{path.stem}" for path in (ROOT / "stages/commands").glob("[a-z]*.py")
    }
    tried = {word for line in (COMMANDS | WRITERS).values() for word in line.split()}
    # These are stages as the others are, but take longer.
    assert modules - tried == {"stages.sweep", "stages.report"}


def mains() -> Iterator[Path]:
    for room in ("octet", "stages"):
        yield from (ROOT / room).rglob("__main__.py")


def test_a_model_of_the_folder_is_of_the_commit_that_brought_it(project: Clone) -> None:
    first = project.git("log", "--format=%H", "-1", "--", "dvc.lock")
    for place in (project.path, project.path.parent):
        done = project.run(
            *("env", "-C", str(place), f"PYTHONPATH={project.path}"),
            *("python", "-m", "octet", "info", str(project.path / MODEL)),
        )
        assert first in done.stdout


def test_revisions_of_the_folder_are_compared_as_dvc_compares_them(project: Clone) -> None:
    ours = project.run("python", "-m", "stages.commands.compare", "HEAD~1").stdout
    theirs = project.dvc("metrics", "diff", "HEAD~1", "--md")
    changed = re.findall(r"^\| \S+ +\| (\S+)", ours.partition("### HEAD")[2], re.MULTILINE)
    keys = re.findall(r"^\| \S+ +\| (\S+)", theirs, re.MULTILINE)
    assert {"quantized.r2", "float.r2"} <= {*keys}
    assert {*keys} - {"Metric", "------"} <= {*changed}


def test_numbers_of_other_parameters_pass_no_gate(project: Clone) -> None:
    gate, compare = COMMANDS["gate"].split(), COMMANDS["compare"].split()
    project.dvc("exp", "run", "-n", "same", "-S", "quant.bits=8.0")  # which it is to DVC
    assert "FAIL" not in project.run(*gate).stdout
    assert "1 → same\n" in project.run(*compare, "same").stdout
    project.git("checkout", "--quiet", "params.yaml")
    project.edit("params.yaml", "quant:\n  bits: 8", "quant:\n  bits: 2")
    stale = "quant.bits: 2 in params.yaml, 8 in dvc.lock"
    failed = project.run(*gate, check=False)
    assert failed.returncode == 1
    (row,) = [line for line in failed.stdout.splitlines() if "FAIL" in line]
    assert re.match(rf"\| {SYSTEM} \| metrics +\| {stale} +\| those of these parameters", row)
    assert f"Stale in workspace: {SYSTEM}: {stale}." in project.run(*compare).stdout
    project.git("checkout", "--quiet", "params.yaml")
    assert "FAIL" not in project.run(*gate).stdout
