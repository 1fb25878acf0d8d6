"""The image data sets, each checked byte by byte against its digest, and their split."""

import gzip
import hashlib
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from octet.errors import OctetError
from octet.signature import Classes, Images, Pixels, Signature
from stages.dataset import Dataset
from stages.load import tables
from stages.load.sources import Source, fetch
from stages.params.split import Split

_CLASSES = tuple("0123456789")


def _mnist_source(name: str, sha256: str) -> Source:
    return Source(
        mirrored=f"mnist/{name}",
        url=f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}",
        filename=name,
        sha256=sha256,
    )


MNIST = (
    _mnist_source(
        "train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    _mnist_source(
        "train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    _mnist_source(
        "t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    _mnist_source(
        "t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)
_MNIST_SIDE = 28
_MNIST_TRAIN, _MNIST_TEST = 60_000, 10_000
# SHA-256 of the unpacked files, in the order of MNIST.
_MNIST_UNPACKED = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
# SHA-256 of the pixels and of the labels as uint8, C order.
_DIGITS_X = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
_DIGITS_Y = "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"


@dataclass(frozen=True)
class DataSet:
    """Where the files of a data set come from, and how to read, check and split them."""

    sources: tuple[Source, ...]
    read: Callable[..., Dataset]


def load(name: str, split: Split) -> Dataset:
    """The data set of this name, a key of `IMAGES`; ``split`` serves where it has no test images.

    Raises:
        OctetError: a file is not in reach, is not what its name says, or holds other bytes than
            published.
    """
    data_set = IMAGES[name]
    return data_set.read(split, *(fetch(source) for source in data_set.sources))


def _digits(how: Split) -> Dataset:
    """1,797 digits of 8 by 8 pixels: Alpaydin & Kaynak, Optical Recognition of Digits, 1998."""
    bunch = load_digits()
    x, y = bunch.images.astype(np.uint8)[:, None], bunch.target.astype(np.uint8)
    tables.check_digest(x, _DIGITS_X, "scikit-learn's digits: pixels")
    tables.check_digest(y, _DIGITS_Y, "scikit-learn's digits: labels")
    return Dataset(
        *tables.split_rows(x, y, how), Signature(Images((1, 8, 8), 16), Classes(_CLASSES))
    )


def _mnist(_: Split, *paths: Path) -> Dataset:
    """70,000 digits of 28 by 28 pixels: LeCun, Cortes & Burges; its own test images."""
    pixels = _MNIST_SIDE, _MNIST_SIDE
    shapes = (_MNIST_TRAIN, *pixels), (_MNIST_TRAIN,), (_MNIST_TEST, *pixels), (_MNIST_TEST,)
    x_train, y_train, x_test, y_test = (
        read_idx(path, shape, digest)
        for path, shape, digest in zip(paths, shapes, _MNIST_UNPACKED, strict=True)
    )
    signature = Signature(Images((1, *pixels), 255), Classes(_CLASSES))
    return Dataset(x_train[:, None], y_train, x_test[:, None], y_test, signature)


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
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise _not_idx(path, shape, f"bytes with SHA-256 {found}, not {sha256}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _not_idx(path: Path, shape: tuple[int, ...], found: str) -> OctetError:
    return OctetError(
        f"{path}: expected an IDX file of {' × '.join(map(str, shape))} bytes, found {found}; "
        "put the original file there"
    )


IMAGES = {
    "digits": DataSet((), _digits),
    "mnist": DataSet(MNIST, _mnist),
}
