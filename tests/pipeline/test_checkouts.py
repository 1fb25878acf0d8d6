"""A clone has the same bytes and runs no stage anew, whatever git was told of line ends."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Clone

SETTINGS = [
    ("core.autocrlf=true",),
    ("core.autocrlf=input",),
    ("core.autocrlf=false", "core.eol=crlf"),
]
# What .ci/run calls; these stand in for what takes minutes or would install something.
PROGRAMS = ("make", "chromium", "chromedriver", "jq")


def clone_with(settings: tuple[str, ...], origin: Clone, path: Path) -> Clone:
    """A clone made as by a user whose git has these settings."""
    options = [word for setting in settings for word in ("--config", setting)]
    origin.git("clone", "--quiet", *options, ".", str(path))
    return Clone(path)


def tracked(clone: Clone) -> dict[str, bytes]:
    names = clone.git("ls-files", "-z").split("\0")
    return {name: (clone.path / name).read_bytes() for name in names if name}


@pytest.mark.parametrize("settings", SETTINGS, ids="-".join)
def test_every_file_has_the_bytes_of_its_commit(
    new_clone: Callable[..., Clone], tmp_path: Path, settings: tuple[str, ...]
) -> None:
    origin = new_clone()
    clone = clone_with(settings, origin, tmp_path / "other")
    assert tracked(clone) == tracked(origin)
    assert not clone.git("status", "--porcelain")


def test_the_gate_of_a_checkout_comes_to_its_end(
    new_clone: Callable[..., Clone], tmp_path: Path
) -> None:
    clone = clone_with(SETTINGS[0], new_clone(), tmp_path / "other")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(f"#!/bin/sh\necho {name} $*\n")
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = clone.run("env", f"PATH={path}", ".ci/run")
    assert done.stdout == "make check\nmake test-all\n"


@pytest.mark.slow
def test_no_stage_runs_again_and_every_metric_is_whole(reproduced: Clone, tmp_path: Path) -> None:
    clone = clone_with(SETTINGS[0], reproduced, tmp_path / "other")
    clone.dvc("config", "--local", "cache.dir", str(reproduced.path / ".dvc" / "cache"))
    clone.dvc("checkout")
    assert "up to date" in clone.dvc("status")
    assert "Running stage" not in clone.dvc("repro", "--dry")
    verify = ("python", "-m", "stages.commands.verify")
    assert "all bytes are those of dvc.lock" in clone.run(*verify).stdout
    (clone.path / "metrics/diabetes.json").write_bytes(b"{}")
    found, heal = clone.run(*verify, check=False).stdout.splitlines()
    assert found == "damaged: metrics/diabetes.json"
    clone.run("bash", "-c", heal.removeprefix("    heal it: "))
    clone.run(*verify)
