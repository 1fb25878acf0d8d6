"""One `make run` at a time in a project, and what killed ones left locked."""

import contextlib
import fcntl
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil
from dvc.lock import make_lock

from octet import files
from octet.errors import OctetError
from stages.commands.run import staging
from stages.commands.run.pipeline import dvc_refuses

_FOLDER = Path(".dvc/tmp")
_GUARD = _FOLDER / "octet-run.lock"
_RWLOCK = _FOLDER / "rwlock"


@contextlib.contextmanager
def alone() -> Iterator[IO[str]]:
    """Inside, no other `make run` is at work here; waits for one that is, and says so.

    The lock is the kernel's: it is gone with the last process that has the file open.

    Raises:
        OctetError: another DVC keeps its file of readers and writers to itself.
    """
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with _GUARD.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stdout.write("another `make run` is at work here; this one waits for it\n")
            sys.stdout.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
        _clear_dead_alone()
        staging.clear_dead()
        try:
            yield file
        finally:
            # Who stops us while DVC is asked may have stopped it in the middle of this file.
            with contextlib.suppress(OctetError):
                _clear_dead_alone()


def _clear_dead_alone() -> None:
    """As DVC does, for another DVC may be writing the file."""
    with dvc_refuses(), make_lock(str(_RWLOCK.with_suffix(".lock"))):
        clear_dead()


def clear_dead() -> None:
    """Take out of DVC's file of readers and writers those that have ended.

    DVC does so itself, but asks a person to delete the file where its writer was killed, and takes
    another process for the dead one if it has got its number since.
    """
    try:
        written, content = _RWLOCK.stat().st_mtime, _RWLOCK.read_bytes()
    except FileNotFoundError:
        return
    try:
        holders = json.loads(content)
    except ValueError:  # half a file: its writer was killed
        holders = {}
    write = {path: info for path, info in _part(holders, "write").items() if _wrote(info, written)}
    read = {
        path: living
        for path, infos in _part(holders, "read").items()
        if (living := [info for info in infos if _wrote(info, written)])
    }
    if not write and not read:
        _RWLOCK.unlink(missing_ok=True)
    elif (left := {"write": write, "read": read}) != holders:
        files.write(_RWLOCK, json.dumps(left).encode())


def _part(holders: object, mode: str) -> dict[str, Any]:
    """By path, who writes it, or a list of those that read it; none of what is damaged."""
    part = holders.get(mode) if isinstance(holders, dict) else None
    kind = dict if mode == "write" else list
    if not isinstance(part, dict):
        return {}
    return {path: infos for path, infos in part.items() if isinstance(infos, kind)}


def _wrote(info: object, written: float) -> bool:
    """Whether the process that is named may be the one that wrote the file."""
    match info:
        case {"pid": int(pid), "cmd": str()}:
            with contextlib.suppress(psutil.NoSuchProcess, ValueError):
                return psutil.Process(pid).create_time() <= written
    return False
