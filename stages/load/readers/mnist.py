"""MNIST, byte by byte as published, with its own test images."""

from pathlib import Path

from octet.signature import Classes, Images, Signature
from stages.dataset import Dataset
from stages.load.readers.data_set import DataSet
from stages.load.readers.idx import read_idx
from stages.load.readers.sources import Source
from stages.params.split import Split


def _source(name: str, sha256: str) -> Source:
    return Source(
        mirrored=f"mnist/{name}",
        url=f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}",
        filename=name,
        sha256=sha256,
    )


SOURCES = (
    _source(
        "train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    _source(
        "train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    _source(
        "t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    _source(
        "t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)
_SIDE = 28
_TRAIN, _TEST = 60_000, 10_000
# SHA-256 of the unpacked files, in the order of SOURCES.
_UNPACKED = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)


def _mnist(_: Split, *paths: Path) -> Dataset:
    """70,000 digits of 28 by 28 pixels: LeCun, Cortes & Burges; its own test images."""
    pixels = _SIDE, _SIDE
    shapes = (_TRAIN, *pixels), (_TRAIN,), (_TEST, *pixels), (_TEST,)
    x_train, y_train, x_test, y_test = (
        read_idx(path, shape, digest)
        for path, shape, digest in zip(paths, shapes, _UNPACKED, strict=True)
    )
    signature = Signature(Images((1, *pixels), 255), Classes(tuple("0123456789")))
    return Dataset(x_train[:, None], y_train, x_test[:, None], y_test, signature)


MNIST = DataSet(SOURCES, _mnist)
