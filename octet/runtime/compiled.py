"""C text as a library in this process: compiled once for each text, compiler and machine, and kept.

What is kept lies in the user's cache, ``$OCTET_CACHE``, else ``octet`` in ``$XDG_CACHE_HOME`` or
``~/.cache``, as ``KEY-DIGEST.so``. The key is of all that the library depends on, the digest of its
bytes: a file that is damaged, or another's, is not loaded, but made again.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from octet import files
from octet.errors import OctetError

_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-std=c99", "-O3", "-ffp-contract=off", "-fPIC")
# Not every compiler knows it: clang of some ARM machines does not.
_THIS_MACHINE = "-march=native"
_WRITABLE_BY_OTHERS = 0o022
_PREFIX = "octet-compiles-"  # of temporary folders


@dataclass(frozen=True)
class Library:
    """One that is loaded.

    Attributes:
        functions: of it.
        not_kept: why it is not in the cache, in words; empty if it is.
    """

    functions: ctypes.CDLL
    not_kept: str = ""


@dataclass(frozen=True)
class _Build:
    """How a text is compiled.

    Attributes:
        text: of C99.
        command: compiler and flags.
        key: of text, command, version of the compiler and instructions of the machine.
    """

    text: str
    command: Sequence[str]
    key: str


def load(text: str) -> Library:
    """The library of a C99 text; from the cache, if it is there.

    Any number of processes may load at once: each compiles in a folder of its own.

    Raises:
        OctetError: there is no compiler, or what it makes of the text cannot be loaded.
    """
    build = _build(text)
    folder, not_kept = _cache()
    for path in [] if folder is None else sorted(folder.glob(f"{build.key}-*.so")):
        # Of a folder from which nothing may be executed, none loads.
        with contextlib.suppress(OSError):
            if _is_whole(path):
                return Library(ctypes.CDLL(str(path)))
    try:
        with _private_folder() as private:
            path = _compiled(build, private)
            if folder is not None:
                try:
                    return Library(ctypes.CDLL(str(_kept(path.read_bytes(), folder, build.key))))
                except OSError as error:
                    not_kept = f"{folder}: {error.strerror or error}"
            return Library(_opened(path), not_kept)
    except OSError as error:
        raise OctetError(f"no place to compile in: {error.strerror or error}") from None


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder to compile in, locked; those that killed processes left are cleared away before."""
    for left_over in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(left_over, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if left_over.lstat().st_uid == os.geteuid():
                shutil.rmtree(left_over, ignore_errors=True)
    with contextlib.ExitStack() as stack:
        folder = None
        while folder is None or not folder.exists():  # somebody may be faster with the lock
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX)))
            # Where folders cannot be locked, nobody else can lock this one to clear it away.
            with contextlib.suppress(OSError):
                stack.enter_context(_locked(folder))
        yield folder


@contextlib.contextmanager
def _locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _build(text: str) -> _Build:
    """How to compile for this machine, if its compiler can, or else for any of its kind."""
    compiler = _compiler()
    for flags in ((*_FLAGS, _THIS_MACHINE), _FLAGS):
        command = [*compiler, *flags]
        # What it defines says its version, and each extension that the machine has.
        done = _run([*command, "-dM", "-E", "-x", "c", os.devnull])
        if done.returncode == 0:
            parts = "\0".join((text, *command, done.stdout))
            return _Build(
                text, command, hashlib.sha256(parts.encode("utf-8", "surrogateescape")).hexdigest()
            )
    raise _failed(compiler, done)


def _compiler() -> list[str]:
    """The words that start it: those of $CC, or else the first that is there."""
    named = os.environ.get("CC", "")
    try:
        words = shlex.split(named)
    except ValueError as error:
        raise OctetError(f"CC: got {named!r} ({error}); name a C compiler") from None
    for command in [words] if words else [[name] for name in _COMPILERS]:
        if shutil.which(command[0]):
            return command
    if words:
        raise OctetError(f"CC: got {words[0]!r}, and no such program; name a C compiler")
    raise OctetError(f"no C compiler; install one of {', '.join(_COMPILERS)}, or name it in CC")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise OctetError(f"{command[0]}: {error.strerror}; name a C compiler in CC") from None


def _failed(compiler: Sequence[str], done: subprocess.CompletedProcess[str]) -> OctetError:
    lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
    said = next(iter([*lines, *done.stderr.splitlines()]), f"status {done.returncode}")
    return OctetError(f"the C compiler {shlex.join(compiler)} failed: {said}")


def _compiled(build: _Build, folder: Path) -> Path:
    source, library = folder / "octet.c", folder / "octet.so"
    source.write_text(build.text)
    done = _run([*build.command, "-shared", str(source), "-o", str(library)])
    if done.returncode or not library.exists():
        raise _failed(build.command, done)
    return library


def _opened(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise OctetError(f"what the C compiler made does not load: {error}") from None


def _cache() -> tuple[Path | None, str]:
    """The folder of the cache; where there is none to be trusted, why not."""
    try:
        folder = _cache_path()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except KeyError:
        return None, "no home folder, and no OCTET_CACHE"
    except OSError as error:
        return None, f"{error.filename or 'the working folder'}: {error.strerror}"
    if status.st_uid != os.geteuid():
        return None, f"{folder}: the folder is another user's; name your own in OCTET_CACHE"
    if status.st_mode & _WRITABLE_BY_OTHERS:
        return None, f"{folder}: others may write there; `chmod go-w` it"
    return folder, ""


def _cache_path() -> Path:
    if own := os.environ.get("OCTET_CACHE"):
        return Path(own).absolute()  # a name without a slash is looked for elsewhere
    # The standard of XDG tells to ignore a relative path.
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if xdg.is_absolute():
        return xdg / "octet"
    home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    return Path(home).absolute() / ".cache" / "octet"


def _kept(content: bytes, folder: Path, key: str) -> Path:
    """The bytes in the cache, put there whole."""
    path = folder / f"{key}-{hashlib.sha256(content).hexdigest()}.so"
    files.write(path, content)
    path.chmod(0o600)
    return path


def _is_whole(path: Path) -> bool:
    """Whether a file of the cache is as its maker left it, and nobody else's."""
    with contextlib.suppress(OSError):
        status = path.lstat()
        own = status.st_uid == os.geteuid() and not status.st_mode & _WRITABLE_BY_OTHERS
        digest = path.stem.rpartition("-")[2]
        # Reading a pipe would wait for somebody to write.
        if own and stat.S_ISREG(status.st_mode):
            return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    return False
