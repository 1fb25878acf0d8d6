"""A file that params.yaml names: from the repository or $OCTET_DATA, with the digest it had."""

import hashlib
import os
from pathlib import Path

from octet.errors import OctetError

MIRROR_VARIABLE = "OCTET_DATA"


class OutOfReachError(OctetError):
    """The data is neither here nor to be had: nothing is wrong with the project."""


def pinned(path: str, sha256: str, where: str) -> Path:
    """Where the file is: below the top of the repository, else below $OCTET_DATA.

    Args:
        path: relative to either.
        sha256: of the file, in 64 hexadecimal digits.
        where: the key of params.yaml that has both, for errors.

    Raises:
        OutOfReachError: neither has it.
        OctetError: it is no regular file, or another one than was pinned.
    """
    mirror = os.environ.get(MIRROR_VARIABLE)
    places = [Path(path), *([Path(mirror, path)] if mirror else [])]
    file = next((place for place in places if os.path.lexists(place)), None)
    if file is None:
        there = f"nor below {mirror}" if mirror else f"and {MIRROR_VARIABLE} is not set"
        raise OutOfReachError(
            f"params.yaml: {where}.path: got {path}, which is not below {Path.cwd()}, {there}; put "
            f"the file there, or set {MIRROR_VARIABLE} to a folder that holds it"
        )
    if not file.is_file():
        raise OctetError(f"params.yaml: {where}.path: got {path}; allowed is a regular file")
    if (digest := digest_of(file)) != sha256:
        raise OctetError(
            f"params.yaml: {where}.sha256: got {sha256}, but {file} has {digest}; bring back the "
            "file that was meant, or write this digest if it is this one"
        )
    return file


def digest_of(file: Path) -> str:
    """Its SHA-256, in 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
