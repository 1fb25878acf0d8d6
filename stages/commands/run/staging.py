"""Stage dvc.lock for git (core.autostage), once, at the end of a run.

DVC does so in each of its processes, and one that is killed meanwhile leaves git's lock,
``index.lock``, for a person to delete. Here that lock is a second name of a file of ours: whoever
comes after a run that was killed sees whose it is. So, too, no stage fails because somebody else
has the lock for a moment.
"""

import contextlib
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

_OURS = "octet-index"  # files beside git's index; the one of just this name is the lock
_PATIENCE = 5.0  # seconds, for who has the lock
_LOOK = 0.05  # seconds


def leave_to_the_run() -> None:
    """From here on, DVC in this process stages nothing."""
    SCMContext.track_changed_files = lambda _: None


def stage_lock() -> None:
    """Stage dvc.lock, if there is one.

    Raises:
        OctetError: git refuses, or its index is locked for longer than we wait.
    """
    if not PATH.exists():
        return
    index = git.path("index")
    with _locked(index):
        descriptor, name = tempfile.mkstemp(prefix=f"{_OURS}-", dir=index.parent)
        os.close(descriptor)
        copy = Path(name)
        if index.exists():
            shutil.copy2(index, copy)  # with its time, by which git tells what may have changed
        else:
            copy.unlink()
        git.add(PATH, copy)
        copy.replace(index)


def clear_dead() -> None:
    """Take away what a run left that was killed while it staged, and no lock of anybody else's."""
    with contextlib.suppress(OctetError):  # git does not work here: DVC says so
        _unlock(git.path("index"))


@contextlib.contextmanager
def _locked(index: Path) -> Iterator[None]:
    """Inside, nobody else writes git's index.

    Raises:
        OctetError: somebody does, for longer than we wait.
    """
    index.with_name(_OURS).touch()
    until = time.monotonic() + _PATIENCE
    try:
        while not _lock(index):
            if time.monotonic() > until:
                raise OctetError(f"{_lock_of(index)}: git is at work; if none is, delete this file")
            time.sleep(_LOOK)
        yield
    finally:
        _unlock(index)


def _lock(index: Path) -> bool:
    lock = _lock_of(index)
    try:
        lock.hardlink_to(index.with_name(_OURS))
    except FileExistsError:
        return False
    except OSError as error:
        raise OctetError(f"{lock}: {error.strerror}") from None
    return True


def _unlock(index: Path) -> None:
    ours, lock = index.with_name(_OURS), _lock_of(index)
    with contextlib.suppress(FileNotFoundError):
        if lock.samefile(ours):
            lock.unlink()
    # The lock's first name goes last: without it, nobody could tell whose the lock is.
    for path in sorted(index.parent.glob(f"{_OURS}*"), reverse=True):
        path.unlink(missing_ok=True)


def _lock_of(index: Path) -> Path:
    return index.with_name(f"{index.name}.lock")
