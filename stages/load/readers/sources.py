"""One public file: from the user's mirror, the user's cache, or its public address."""

import os
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests

from octet.errors import OctetError
from stages.pinned import MIRROR_VARIABLE, OutOfReachError

_TIMEOUT = (3, 10)  # seconds to connect, seconds without a byte
_RETRIES = 2
_MOST_BYTES = 1 << 26


@dataclass(frozen=True)
class Source:
    """Where a file can come from.

    Attributes:
        mirrored: its path below the mirror folder.
        url: its public address; the cache keeps the file under the last part of the name.
        filename: its name in the cache.
        sha256: of the public file.
    """

    mirrored: str
    url: str
    filename: str
    sha256: str


def fetch(source: Source) -> Path:
    """A local path of the file: in $OCTET_DATA, else in the cache, else downloaded to the cache.

    The cache is trusted only by its SHA-256, at every use: a damaged copy is downloaded again, and
    a download is moved to its place only when whole. A file of the mirror is the user's own; what
    it holds is for the reader to check.

    Raises:
        OutOfReachError: none of the three has it; the message says how to bring it in.
        OctetError: the mirror has something else in the file's place.
    """
    mirror = os.environ.get(MIRROR_VARIABLE)
    if mirror and os.path.lexists(path := Path(mirror, source.mirrored)):
        _refuse_what_is_no_small_file(path)
        return path
    cache = pooch.create(
        path=pooch.os_cache("octet"),
        base_url="",
        registry={source.filename: f"sha256:{source.sha256}"},
        urls={source.filename: source.url},
        retry_if_failed=_RETRIES,
    )
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=_TIMEOUT)
    try:
        return Path(cache.fetch(source.filename, downloader=downloader))
    except (requests.RequestException, ValueError, OSError) as error:
        looked = f"{mirror} has no {source.mirrored}" if mirror else f"{MIRROR_VARIABLE} is not set"
        raise OutOfReachError(
            f"{source.filename} is not in reach: {looked}; no whole copy in {cache.abspath}; "
            f"{source.url} gave: {_reason(error)}. "
            f"Set {MIRROR_VARIABLE} to a folder that holds {source.mirrored}"
        ) from None


def _refuse_what_is_no_small_file(path: Path) -> None:
    if not path.is_file():
        raise OctetError(f"{path}: no regular file; put the original file there")
    if path.stat().st_size > _MOST_BYTES:
        raise OctetError(
            f"{path}: got {path.stat().st_size} bytes, where the original has less than "
            f"{_MOST_BYTES}; put the original file there"
        )


def _reason(error: BaseException) -> str:
    """The root of a chain of errors, as one short line."""
    while isinstance(error.args[0] if error.args else None, BaseException):
        error = error.args[0]
    cause = getattr(error, "reason", None) or error
    return " ".join(str(cause).split())
