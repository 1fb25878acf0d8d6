"""`make run` through real DVC: many stages at once, failures, and whatever stops it."""

import json
import random
import time

import pytest

from tests import rounds
from tests.conftest import Clone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return rounds.project(tmp_path_factory.mktemp("rounds") / "project")


@pytest.fixture(scope="module")
def serial(project: Clone) -> dict[str, bytes]:
    """What `dvc repro` makes, one stage after the other."""
    project.dvc("repro", env={"OCTET_ROOT": str(rounds.ROOT)})
    return rounds.state(project)


@pytest.mark.parametrize(
    "way",
    [
        way
        if way in ("closed terminal", "all killed", "two at once")
        else pytest.param(way, marks=release)
        for release in [pytest.mark.release]
        for way in rounds.WAYS
    ],
)
def test_stopped_and_run_again_ends_with_the_bytes_of_dvc(
    way: str, project: Clone, serial: dict[str, bytes]
) -> None:
    rounds.forget(project)
    process = rounds.start(project)
    while not list(project.path.glob("made/[lr]*")):
        time.sleep(0.01)
        assert process.poll() is None
    rounds.stop_and_finish(project, process, way, random.Random(0))
    assert rounds.state(project) == serial


def test_a_failed_stage_is_named_and_the_others_are_done(
    project: Clone, serial: dict[str, bytes]
) -> None:
    rounds.forget(project)
    (project.path / "made").mkdir()
    (project.path / "made/left").mkdir()  # in the place of a file
    process = rounds.start(project)
    said = process.communicate()[0].decode()
    assert process.returncode == 1
    last = said.splitlines()[-1]
    failed, _, blocked = last.partition("; not run without: ")
    assert failed == "error: failed: left"
    assert sorted(blocked.split(", ")) == ["join", "last", "sweep"]
    assert "left failed:\n" in said
    assert {path.name for path in (project.path / "made").iterdir() if path.is_file()} == {
        "other",
        "read",
        "right",
    }
    (project.path / "made/left").rmdir()
    said = rounds.finished(project)
    assert said.startswith("7 stages, 3 up to date, 3 at once; ")
    assert rounds.finished(project) == "7 stages, all up to date\nthe answer\n"
    assert rounds.state(project) == serial


def test_a_stage_that_dvc_only_skips_keeps_its_time(project: Clone) -> None:
    rounds.finished(project)
    times = project.path / ".dvc/tmp/octet-times.json"
    times.write_text(json.dumps(dict.fromkeys(rounds.CHAINS, 1e6)))
    (project.path / "made/read").unlink()  # the same is made again: what follows is up to date
    assert rounds.finished(project).startswith("7 stages, 1 up to date")
    kept = json.loads(times.read_bytes())
    assert {name for name, seconds in kept.items() if seconds != 1e6} == {"read"}


def test_no_stage_needs_gits_index(project: Clone, serial: dict[str, bytes]) -> None:
    rounds.forget(project)
    lock = project.path / ".git/index.lock"
    lock.touch()  # as an editor's git has it
    said = rounds.finished(project)
    assert f"\ndvc.lock is not staged for git: {lock}: git is at work; if none is, " in said
    lock.unlink()
    rounds.finished(project)
    assert rounds.state(project) == serial


def test_without_autostage_nothing_is_staged(project: Clone) -> None:
    rounds.forget(project)
    project.dvc("config", "core.autostage", "false")
    rounds.finished(project)
    project.dvc("config", "core.autostage", "true")
    assert "dvc.lock" not in project.git("ls-files").split()
