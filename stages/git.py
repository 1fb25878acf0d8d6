"""What git knows of this project, which may be a folder of a larger repository; and `git add`."""

import os
import shutil
import subprocess
from pathlib import Path

from octet.errors import OctetError

_GIT = shutil.which("git") or "git"


def commit(revision: str) -> str:
    """The hash of a revision, or of an experiment of DVC's by its name.

    Raises:
        OctetError: there is none, or git does not work here.
    """
    _git("rev-parse", "--git-dir")  # what is wrong with the repository itself is said as it is
    peeled = f"{revision}^{{commit}}" if revision else ""
    done = _run("rev-parse", "--verify", "--quiet", "--end-of-options", peeled)
    experiments = _git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").split("\n")
    named = [line for line in experiments if line.endswith(f"/{revision}")]
    hashes = [*done.stdout.decode().split(), *(line.split()[0] for line in named)]
    if not hashes:
        raise OctetError(
            f"revision {revision or repr('')}: no commit, and no experiment; `git log` and "
            "`dvc exp list` say what there is"
        )
    return hashes[0]


def files(commit_hash: str, folder: Path) -> list[Path]:
    """The files directly in a folder of the project, at a commit.

    Raises:
        OctetError: git does not work here.
    """
    names = _git("ls-tree", "--name-only", "-z", commit_hash, f"./{folder.as_posix()}/").split("\0")
    return [Path(name) for name in names if name]


def content(commit_hash: str, path: Path) -> bytes:
    """A file of the project, at a commit.

    Raises:
        OctetError: it is not there, or git does not work here.
    """
    done = _run("cat-file", "blob", f"{commit_hash}:./{path.as_posix()}")
    if done.returncode:
        raise OctetError(_reason(done))
    return done.stdout


def tracks(path: Path) -> bool:
    """Whether a file, or any in a folder, is in git's index."""
    return bool(_run("ls-files", "-z", "--", str(path)).stdout)


def changed(*paths: Path) -> list[str]:
    """The files among these, or in these folders, that are not as they are committed.

    Raises:
        OctetError: git does not work here.
    """
    names = [f"./{path.as_posix()}" for path in paths]
    listed = _git(
        "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *names
    )
    return [entry[3:] for entry in listed.split("\0") if entry]


def path(name: str) -> Path:
    """Where git keeps a file of its own, as ``index``, for this tree.

    Raises:
        OctetError: git does not work here.
    """
    return Path(_git("rev-parse", "--git-path", name).removesuffix("\n"))


def prefix() -> str:
    """Where this project is in its repository; empty at the top.

    Raises:
        OctetError: git does not work here.
    """
    return _git("rev-parse", "--show-prefix").removesuffix("\n")


def add(path: Path, index: Path) -> None:
    """Stage a file in an index, by its absolute path, which may be a copy of git's own.

    Raises:
        OctetError: git refuses.
    """
    _git("--literal-pathspecs", "add", "--", str(path), GIT_INDEX_FILE=str(index))


def _git(*words: str, **environment: str) -> str:
    done = _run(*words, **environment)
    if done.returncode:
        raise OctetError(_reason(done))
    return done.stdout.decode(errors="surrogateescape")


def _run(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            [_GIT, *words], env=os.environ | environment, capture_output=True, check=False
        )
    except OSError as error:
        raise OctetError(f"git: {error.strerror}; it must be installed and on the PATH") from None


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    return f"git: {' '.join(done.stderr.decode(errors='replace').split())}"
