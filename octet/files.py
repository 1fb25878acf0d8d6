"""Write files whole or not at all."""

import contextlib
import fcntl
import glob
import os
import secrets
from pathlib import Path
from typing import BinaryIO


def write(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step: a reader sees the old file or the new one.

    The bytes go to ``.NAME.TOKEN.part`` beside it, reach the disk, and are renamed into place. Any
    number may write at once; the last one to come stays. What a killed writer left there is cleared
    away first: no one holds its lock any more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_over in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        _clear(left_over)
    try:
        _write(path, content)
    except OSError as error:
        error.filename = str(path)  # not the part's name, which says nothing to a person
        error.filename2 = None
        raise


def _write(path: Path, content: bytes) -> None:
    part, file = _new_part(path)
    try:
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _new_part(path: Path) -> tuple[Path, BinaryIO]:
    """A new file and its name, locked for as long as it is open."""
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        file = part.open("xb")
        # Where files cannot be locked, nobody else can lock this one to clear it away.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        if part.exists():
            return part, file
        file.close()  # somebody was faster with the lock, and has cleared it away


def _clear(part: Path) -> None:
    """Remove it unless somebody is writing it."""
    with contextlib.suppress(OSError), part.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()
