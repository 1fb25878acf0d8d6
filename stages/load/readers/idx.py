"""IDX files of bytes, as MNIST and its likes come in."""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np

from octet.errors import OctetError
from octet.signature import Pixels


def read_idx(path: Path, shape: tuple[int, ...], sha256: str) -> Pixels:
    """The array in a gzipped IDX file of bytes, http://yann.lecun.com/exdb/mnist.

    A file is 0, 0, 8 for unsigned bytes, the number of axes, the length of each as a big-endian
    32-bit integer, and then the values in C order.

    Args:
        path: the file.
        shape: what it must hold.
        sha256: of the unpacked file.

    Raises:
        OctetError: it is no gzip file or ends early, has another magic number, other lengths, more
            or fewer values than they say, or other values than published.
    """
    header = 4 + 4 * len(shape)
    expected = header + math.prod(shape)
    try:
        with gzip.open(path) as file:
            content = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise
        reason = " ".join(str(error).split())
        raise _not_idx(path, shape, f"no whole gzip file ({reason})") from None
    if not content:
        raise _not_idx(path, shape, "nothing")
    magic = bytes([0, 0, 8, len(shape)])
    if content[:4] != magic:
        raise _not_idx(path, shape, f"magic number {content[:4].hex(' ')}, not {magic.hex(' ')}")
    lengths = tuple(np.frombuffer(content[4:header].ljust(header - 4, b"\0"), ">u4").tolist())
    if lengths != shape:
        raise _not_idx(path, shape, f"{' × '.join(map(str, lengths))}")
    if len(content) != expected:
        more = "more" if len(content) > expected else str(len(content) - header)
        raise _not_idx(path, shape, f"{more} bytes behind the header")
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise _not_idx(path, shape, f"bytes with SHA-256 {digest}, not {sha256}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _not_idx(path: Path, shape: tuple[int, ...], got: str) -> OctetError:
    return OctetError(
        f"{path}: expected an IDX file of {' × '.join(map(str, shape))} bytes, got {got}; "
        "put the original file there"
    )
