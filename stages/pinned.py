"""Files that params.yaml names: from the repository or $OCTET_DATA, with the digest they had."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from octet.errors import OctetError

MIRROR_VARIABLE = "OCTET_DATA"


class OutOfReachError(OctetError):
    """The data is neither here nor to be had: nothing is wrong with the project."""


def pinned(path: str, sha256: str, where: str) -> Path:
    """Where a file is, as `find` says, and that it is the one that was pinned.

    Args:
        path: of the file.
        sha256: of the file, in 64 hexadecimal digits.
        where: the key of params.yaml that has both, for errors.

    Raises:
        OutOfReachError: it is nowhere.
        OctetError: it is no regular file, or another one than was pinned.
    """
    file = find(path, where)
    if not file.is_file():
        raise OctetError(f"params.yaml: {where}.path: got {path}; allowed is a regular file")
    _refuse_others({path: file}, sha256, where)
    return file


def pinned_together(paths: Sequence[str], sha256: str, where: str) -> list[Path]:
    """Where several files or folders are, which have one digest: `digest_of_all` says which.

    Raises:
        OutOfReachError: one of them is nowhere.
        OctetError: they are others than were pinned.
    """
    files = {path: find(path, where) for path in paths}
    _refuse_others(files, sha256, where)
    return [files[path] for path in paths]


def find(path: str, where: str) -> Path:
    """Where a file or folder is: below the top of the repository, else below $OCTET_DATA.

    Args:
        path: relative to either.
        where: the key of params.yaml that has it, for errors.

    Raises:
        OutOfReachError: neither has it.
    """
    mirror = os.environ.get(MIRROR_VARIABLE)
    places = [Path(path), *([Path(mirror, path)] if mirror else [])]
    file = next((place for place in places if os.path.lexists(place)), None)
    if file is None:
        there = f"nor below {mirror}" if mirror else f"and {MIRROR_VARIABLE} is not set"
        raise OutOfReachError(
            f"params.yaml: {where}: got {path}, which is not below {Path.cwd()}, {there}; put "
            f"it there (`dvc pull` does, if DVC tracks it), or set {MIRROR_VARIABLE} to a folder "
            "that has it"
        )
    return file


def digest_of(file: Path) -> str:
    """Its SHA-256, in 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_all(files: Mapping[str, Path]) -> str:
    """The SHA-256 that stands for files and folders, by their paths in params.yaml.

    Of one file it is its own. Else it is that of the lines which `sha256sum` prints for all files,
    sorted by path; those in a folder that begin with a dot do not count.
    """
    digests = {
        str(Path(path, inner.relative_to(file))): digest_of(inner)
        for path, file in files.items()
        for inner in (visible(file) if file.is_dir() else [file])
    }
    if len(files) == 1 and all(file.is_file() for file in files.values()):
        return next(iter(digests.values()))
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def visible(folder: Path) -> list[Path]:
    """The files of a folder and of those in it, sorted, but for what begins with a dot."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part[0] == "." for part in path.relative_to(folder).parts)
    )


def _refuse_others(files: Mapping[str, Path], sha256: str, where: str) -> None:
    if (digest := digest_of_all(files)) != sha256:
        raise OctetError(
            f"params.yaml: {where}.sha256: got {sha256}, but {', '.join(map(str, files.values()))} "
            f"has {digest}; bring back what was meant, or `python -m stages.add NAME` takes this"
        )
