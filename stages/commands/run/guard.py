"""One `make run` at a time in a project, and what a killed DVC left locked."""

import contextlib
import fcntl
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
from dvc.lock import make_lock

_FOLDER = Path(".dvc/tmp")
_GUARD = _FOLDER / "octet-run.lock"
_RWLOCK = _FOLDER / "rwlock"


@contextlib.contextmanager
def alone() -> Iterator[IO[str]]:
    """Inside, no other `make run` is at work here; waits for one that is, and says so.

    The lock is the kernel's: it is gone with the last process that has the file open.
    """
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with _GUARD.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stdout.write("another `make run` is at work here; this one waits for it\n")
            sys.stdout.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
        # As DVC does, for another DVC may be writing it.
        with make_lock(str(_RWLOCK.with_suffix(".lock"))):
            clear_dead()
        yield file


def clear_dead() -> None:
    """Take out of DVC's file of readers and writers those that have ended.

    DVC does so itself, but asks a person to delete the file where its writer was killed, and takes
    another process for the dead one if it has got its number since.
    """
    try:
        written = _RWLOCK.stat().st_mtime
        holders = json.loads(_RWLOCK.read_text())
        write = {path: info for path, info in holders["write"].items() if _wrote(info, written)}
        read = {
            path: [info for info in infos if _wrote(info, written)]
            for path, infos in holders["read"].items()
        }
    except FileNotFoundError:
        return
    except (ValueError, LookupError, TypeError, AttributeError):
        write, read = {}, {}
    if not write and not any(read.values()):
        _RWLOCK.unlink(missing_ok=True)


def _wrote(info: dict[str, object], written: float) -> bool:
    """Whether the process that is named may be the one that wrote the file."""
    try:
        return psutil.Process(int(str(info["pid"]))).create_time() <= written
    except psutil.NoSuchProcess:
        return False
