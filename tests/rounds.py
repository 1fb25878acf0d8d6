"""python -m tests.rounds N [SYSTEM …]: stop `make run` N times at random; are the bytes the same?

Without systems, the stages are small ones, in a project of their own: what is tried is who starts
them, and what becomes of them. With systems, they are theirs, in a clone of this tree that has no
others. Every round makes all outputs anew, is stopped in one of seven ways at some moment, and then
goes on from there. It must end with the bytes of one `dvc repro`, which nobody stops.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import yaml

from tests.conftest import ROOT, Clone, commit_tree, new_clone_at

STAGE = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, os.environ["OCTET_ROOT"])
from octet import files
from stages.orphans import refuse_to_outlive
name, *needs = sys.argv[1:]
time.sleep(sum(map(ord, name)) % 7 / 20)
content = name + "".join(sorted(Path("made", need).read_text() for need in needs))
refuse_to_outlive(int(os.environ["OCTET_PARENT"]))
files.write(Path("made", name), content.encode())
"""
CHAINS = {
    "read": [], "left": ["read"], "right": ["read"], "other": [], "sweep": ["left"],
    "join": ["left", "right"], "last": ["join", "other", "sweep"],
}  # fmt: skip
RUN = """
import signal
from octet.cli.command import one_line
from stages.commands.run import guard
from stages.commands.run.reproduce import reproduce
with one_line(), guard.alone() as lock:
    reproduce(lock, {"join"}, 3, lambda done: "the answer")
"""
ALL = sorted(CHAINS)
SMALL = (sys.executable, "-c", RUN)
MAKE_RUN = (sys.executable, "-m", "stages.commands.run")
OUTPUTS = ("made", "data", "models", "metrics", "plots", "report")


def project(path: Path) -> Clone:
    """A project of DVC's with these stages, and all in git."""
    path.mkdir()
    clone = Clone(path)
    clone.git("init", "--quiet")
    clone.git("config", "user.name", "test")
    clone.git("config", "user.email", "test@example.invalid")
    clone.dvc("init", "--quiet")
    clone.dvc("config", "core.analytics", "false")
    clone.dvc("config", "core.autostage", "true")
    (path / "stage.py").write_text(STAGE)
    (path / ".gitignore").write_text("/made\n")
    stages = {
        name: {
            "cmd": " ".join(["exec env OCTET_PARENT=$PPID python stage.py", name, *needs]),
            "deps": [f"made/{need}" for need in needs] + ["stage.py"],
            "outs": [{f"made/{name}": {"persist": True}}],
        }
        for name, needs in CHAINS.items()
    }
    (path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", "stages")
    return clone


def state(clone: Clone) -> dict[str, bytes]:
    """What must be the same after every round."""
    inside = [path for folder in OUTPUTS for path in (clone.path / folder).rglob("*")]
    files = [clone.path / "dvc.lock", *filter(Path.is_file, inside)]
    content = {str(path.relative_to(clone.path)): path.read_bytes() for path in files}
    return content | {"git's index": clone.git("ls-files", "--stage").encode()}


def forget(clone: Clone) -> None:
    """As if nothing had run."""
    for folder in OUTPUTS:
        shutil.rmtree(clone.path / folder, ignore_errors=True)
    (clone.path / "dvc.lock").unlink(missing_ok=True)
    clone.git("reset", "--quiet")


def start(clone: Clone, command: Sequence[str] = SMALL) -> subprocess.Popen[bytes]:
    """What `make run` starts."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OCTET_ROOT": str(ROOT)}
    return subprocess.Popen(
        command,
        cwd=clone.path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def below(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """All that a run has started and is still there."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        return []


def stop(number: int) -> Callable[[subprocess.Popen[bytes], random.Random], None]:
    """Send the run a signal."""
    return lambda process, _: process.send_signal(number)


def close_terminal(process: subprocess.Popen[bytes], _: random.Random) -> None:
    """Send the whole group of the run what it gets when its terminal is closed."""
    os.killpg(process.pid, signal.SIGHUP)


def kill_one(process: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Kill a DVC or a stage, not the run itself."""
    if processes := below(process):
        one = chance.choice(processes)
        with contextlib.suppress(psutil.Error):
            one.kill()


def kill_all(process: subprocess.Popen[bytes], _: random.Random) -> None:
    """Kill the run, and all below it, as a container's end does."""
    for one in [*below(process), psutil.Process(process.pid)]:
        with contextlib.suppress(psutil.Error):
            one.kill()


def second(process: subprocess.Popen[bytes], _: random.Random) -> None:
    """Start another one beside it, which waits."""
    clone = Clone(Path(psutil.Process(process.pid).cwd()))
    other = start(clone, process.args)
    said, _ = other.communicate()
    assert other.returncode == 0, said.decode()


WAYS = {
    "SIGINT": stop(signal.SIGINT),
    "SIGTERM": stop(signal.SIGTERM),
    "SIGKILL": stop(signal.SIGKILL),
    "closed terminal": close_terminal,
    "one killed": kill_one,
    "all killed": kill_all,
    "two at once": second,
}


KILLS = ("one killed", "all killed")  # a DVC, too


def holders(clone: Clone) -> list[object]:
    """What DVC's file of readers and writers says: a DVC that ends by itself takes itself out."""
    path = clone.path / ".dvc/tmp/rwlock"
    return [*filter(None, json.loads(path.read_bytes()).values())] if path.exists() else []


def finished(clone: Clone, command: Sequence[str] = SMALL) -> str:
    """Run to the end. Returns what it said."""
    process = start(clone, command)
    said = process.communicate()[0].decode()
    assert process.returncode == 0, said
    return said


def wait_for_none(processes: list[psutil.Process], seconds: float) -> None:
    """Nothing that a run had started is there any more, soon after it."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    assert not alive, alive


def stop_and_finish(
    clone: Clone, process: subprocess.Popen[bytes], way: str, chance: random.Random
) -> None:
    """Stop a run in this way, and run again to the end."""
    if process.poll() is None:
        processes = below(process)
        WAYS[way](process, chance)
        process.communicate()
        wait_for_none(processes, 60)
        assert way in KILLS or not holders(clone), "a DVC was killed"
    finished(clone, process.args)


def refuse_other_bytes(made: dict[str, bytes], serial: dict[str, bytes]) -> None:
    """What a run has made is what `dvc repro` makes."""
    names = sorted({*made, *serial})
    differing = [name for name in names if made.get(name) != serial.get(name)]
    assert not differing, f"not the bytes of `dvc repro`: {', '.join(differing)}"


def of_systems(folder: Path, *systems: str) -> Clone:
    """A clone of this tree with these systems alone, a short sweep, and no outputs."""
    clone = new_clone_at(folder / "project", commit_tree(folder / "tree"), *systems, whole=True)
    params = clone.path / "params.yaml"
    sections = yaml.safe_load(params.read_text())
    sections["sweep"] |= {"bits": [4, 8], "roundings": ["nearest"]}
    params.write_text(yaml.safe_dump(sections, sort_keys=False))
    clone.git("rm", "-r", "--quiet", "dvc.lock", "metrics")
    clone.git("commit", "--quiet", "--all", "--message", "nothing has run")
    return clone


def main(rounds: int, *systems: str) -> None:
    chance = random.Random(0)
    command = MAKE_RUN if systems else SMALL
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        clone = of_systems(path, *systems) if systems else project(path / "project")
        os.environ["OCTET_ROOT"] = str(ROOT)
        clone.dvc("repro")
        serial = state(clone)
        began = time.monotonic()
        forget(clone)
        finished(clone, command)
        whole = time.monotonic() - began
        refuse_other_bytes(state(clone), serial)
        for number in range(rounds):
            way = list(WAYS)[number % len(WAYS)]
            moment = chance.uniform(0, whole)
            print(f"{number + 1} of {rounds}: {way} after {moment:.2f} s", flush=True)
            forget(clone)
            process = start(clone, command)
            time.sleep(moment)
            stop_and_finish(clone, process, way, chance)
            refuse_other_bytes(state(clone), serial)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
