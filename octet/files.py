"""Write files whole or not at all."""

import contextlib
import fcntl
import glob
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path

from octet.errors import OctetError

# All at once, or block by block: so much need not be in memory.
Content = bytes | Iterable[bytes]


def write(path: Path, content: Content) -> None:
    """Replace ``path`` by ``content`` in one step: a reader sees the old file or the new one."""
    write_all({path: content})


def write_all(contents: Mapping[Path, Content]) -> None:
    """Replace each file by its content, or none: a full disk leaves all of the old ones.

    The bytes go to ``.NAME.TOKEN.part`` beside each, reach the disk, and are then renamed into
    place. Any number may write at once; the last one to come stays. What a killed writer left there
    is cleared away first: no one holds its lock any more.
    """
    with contextlib.ExitStack() as stack:
        parts = {path: stack.enter_context(_part(path, contents[path])) for path in contents}
        for path, part in parts.items():
            with _naming(path):
                part.replace(path)


def refuse_target(path: Path, **sources: Path | None) -> None:
    """Refuse a place for a new file that is none, for what is written takes its place.

    Args:
        path: of the new file.
        sources: the files that are read, or written too, by what they hold; there may be none yet.

    Raises:
        OctetError: it is a link, a folder or a device, or one of the files that are read.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OctetError(f"{path}: got a link, folder or device; name a file, old or new")
    for name, source in sources.items():
        if source and same(path, source):
            raise OctetError(f"{path}: this is the file of the {name}; name another")


def same(path: Path, other: Path) -> bool:
    """Whether two names are of one file, be it there or not."""
    # A file that is new has no identity but its place.
    if path.resolve() == other.resolve():
        return True
    return path.exists() and other.exists() and path.samefile(other)


@contextlib.contextmanager
def _part(path: Path, content: Content) -> Iterator[Path]:
    """The content in a file beside its place, for as long as it is wanted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_over in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        _clear(left_over)
    with _naming(path):
        part, file = _new_part(path)
    try:
        with file:
            with _naming(path):
                for block in [content] if isinstance(content, bytes) else content:
                    rest = memoryview(block)
                    while rest:
                        rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            yield part
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What goes wrong inside is said of the file, and not of its part, which nobody knows."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _new_part(path: Path) -> tuple[Path, FileIO]:
    """A new file and its name, locked for as long as it is open."""
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        file = part.open("xb", buffering=0)  # else closing a file on a full disk fails once more
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
