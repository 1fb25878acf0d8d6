"""Stage dvc.lock for git (core.autostage), once, at the end of a run.

DVC does so in each of its processes, and one that is killed meanwhile leaves git's lock,
``index.lock``, for a person to delete. Here that lock is a second name of a file of this project's:
a later run, the only one at work here, sees that it is a dead one's. So, too, no stage fails
because somebody else has the lock for a moment.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dvc.repo.scm_context import SCMContext

from octet.errors import OctetError
from stages import git
from stages.lock import PATH

_PATIENCE = 2.0  # seconds, for who has the lock
_LOOK = 0.05  # seconds


def leave_to_the_run() -> None:
    """From here on, DVC in this process stages nothing."""
    SCMContext.track_changed_files = lambda _: None


def stage_lock() -> None:
    """Stage dvc.lock, if there is one, whoever has changed it.

    Raises:
        OctetError: git refuses, or its index is locked for longer than we wait.
        OSError: git's folder cannot be written.
    """
    if not PATH.exists():
        return
    index = git.path("index").resolve()
    with _locked(index) as ours:
        descriptor, name = tempfile.mkstemp(prefix=f"{ours.name}-", dir=index.parent)
        os.close(descriptor)
        copy = Path(name)
        if index.exists():
            shutil.copy2(index, copy)  # with its time, by which git tells what may have changed
        else:
            copy.unlink()
        git.add(PATH, copy)
        if not _lock_of(index).samefile(ours):
            raise OctetError(f"{_lock_of(index)}: somebody has taken this lock away")
        copy.replace(index)


def clear_dead() -> None:
    """Take away what a run left that was killed while it staged, and no lock of anybody else's."""
    with contextlib.suppress(OctetError, OSError):  # git does not work here: DVC says so
        index = git.path("index").resolve()
        _unlock(index, _ours(index))


@contextlib.contextmanager
def _locked(index: Path) -> Iterator[Path]:
    """Inside, nobody else writes git's index. Yields the other name of its lock.

    Raises:
        OctetError: somebody does, for longer than we wait.
    """
    ours, lock = _ours(index), _lock_of(index)
    ours.touch()
    until = time.monotonic() + _PATIENCE
    try:
        while not _is_taken(lock, ours):
            if time.monotonic() > until:
                raise OctetError(f"{lock}: git is at work; if none is, delete this file")
            time.sleep(_LOOK)
        yield ours
    finally:
        _unlock(index, ours)


def _is_taken(lock: Path, ours: Path) -> bool:
    try:
        lock.hardlink_to(ours)
    except FileExistsError:
        return False
    return True


def _unlock(index: Path, ours: Path) -> None:
    lock = _lock_of(index)
    with contextlib.suppress(FileNotFoundError):
        if lock.samefile(ours):
            lock.unlink()
    # The lock's other name goes last: without it, nobody could tell whose the lock is.
    for path in sorted(index.parent.glob(f"{ours.name}*"), reverse=True):
        path.unlink(missing_ok=True)


def _lock_of(index: Path) -> Path:
    return index.with_name(f"{index.name}.lock")


def _ours(index: Path) -> Path:
    """A name of this project's: a repository may have several, and each its own runs."""
    folder = hashlib.sha256(git.prefix().encode(errors="surrogateescape")).hexdigest()
    return index.with_name(f"octet-{folder[:16]}")
