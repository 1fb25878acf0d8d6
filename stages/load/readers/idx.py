"""IDX files of bytes, as MNIST and its likes come in."""

import gzip
import hashlib
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from octet.errors import OctetError
from octet.signature import LARGEST_ROW, Images, Pixels
from stages.dataset import Dataset
from stages.load.readers.truth import Truth
from stages.load.split import refuse_shared
from stages.params import data as params
from stages.params.split import Split

_WHITE = 255
_PACKED = b"\x1f\x8b"
_TOGETHER = 1 << 20


class Stream(Protocol):
    """Bytes, packed or not."""

    def read(self, size: int, /) -> bytes:
        """So many at most."""
        ...


def read(_: params.Idx, paths: Sequence[Path], __: Split) -> Dataset:
    """Four files as MNIST's: grey images and their labels, with test rows of their own.

    Raises:
        OctetError: a file is none of the format or ends early, or two do not belong together; or as
            `refuse_shared`, of the images.
    """
    refuse_shared(paths[:1], paths[2:3])
    x_train, y_train, x_test, y_test = (
        read_any_idx(path, axes) for path, axes in zip(paths, (3, 1, 3, 1), strict=True)
    )
    for x, y, path in ((x_train, y_train, paths[0]), (x_test, y_test, paths[2])):
        if len(x) != len(y) or x.shape[1:] != x_train.shape[1:] or not x.size:
            raise OctetError(
                f"{path}: got images of shape {x.shape}, and labels of {y.shape}; allowed are "
                "images of one size, at least one, and a label for each"
            )
    truth = Truth("class", "", "classification", str(paths[1]))
    inputs = Images((1, *x_train.shape[1:]), _WHITE)
    return truth.dataset(inputs, (x_train[:, None], y_train), (x_test[:, None], y_test))


def read_any_idx(path: Path, axes: int) -> Pixels:
    """The array in an IDX file of bytes, packed with gzip or not.

    Raises:
        OctetError: it has another magic number or number of axes, or more or fewer values than its
            lengths say; or it is packed and not whole.
    """
    header = 4 + 4 * axes
    with path.open("rb") as file:
        packed = file.read(len(_PACKED)) == _PACKED
    with gzip.open(path) if packed else path.open("rb") as stream:
        try:
            begin = stream.read(header)
            magic = bytes([0, 0, 8, axes])
            if len(begin) < header or begin[:4] != magic:
                got = begin[:4].hex(" ") or "nothing"
                raise _no_idx(path, f"got {got}; allowed is {magic.hex(' ')} and {axes} lengths")
            shape = tuple(np.frombuffer(begin, ">u4", offset=4).tolist())
            if math.prod(shape[1:]) > LARGEST_ROW:
                raise _no_idx(path, f"got {_times(shape)}; allowed are rows of {LARGEST_ROW} bytes")
            content = _exactly(stream, math.prod(shape))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _no_idx(path, f"no whole gzip file ({_line(error)})") from None
    if content is None:
        raise _no_idx(path, f"more or fewer bytes than the {_times(shape)} that it says")
    return np.frombuffer(content, np.uint8).reshape(shape)


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
        raise _not_idx(path, shape, f"no whole gzip file ({_line(error)})") from None
    if not content:
        raise _not_idx(path, shape, "nothing")
    magic = bytes([0, 0, 8, len(shape)])
    if content[:4] != magic:
        raise _not_idx(path, shape, f"magic number {content[:4].hex(' ')}, not {magic.hex(' ')}")
    lengths = tuple(np.frombuffer(content[4:header].ljust(header - 4, b"\0"), ">u4").tolist())
    if lengths != shape:
        raise _not_idx(path, shape, _times(lengths))
    if len(content) != expected:
        more = "more" if len(content) > expected else str(len(content) - header)
        raise _not_idx(path, shape, f"{more} bytes behind the header")
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise _not_idx(path, shape, f"bytes with SHA-256 {digest}, not {sha256}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _not_idx(path: Path, shape: tuple[int, ...], got: str) -> OctetError:
    return OctetError(
        f"{path}: expected an IDX file of {_times(shape)} bytes, got {got}; "
        "put the original file there"
    )


def _no_idx(path: Path, why: str) -> OctetError:
    return OctetError(f"{path}: not an IDX file of bytes, as MNIST's are: {why}")


def _exactly(stream: Stream, count: int) -> bytes | None:
    """So many bytes and no more, or None; what lengths lie about is never taken into memory."""
    parts, rest = [], count
    while rest and (part := stream.read(min(rest, _TOGETHER))):
        parts.append(part)
        rest -= len(part)
    return None if rest or stream.read(1) else b"".join(parts)


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
