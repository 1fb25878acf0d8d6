"""California Housing, from the file that its authors published."""

import io
import tarfile
from pathlib import Path

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.signature import Columns, Numbers, Signature
from stages.dataset import Dataset
from stages.load.readers.data_set import DataSet
from stages.load.readers.digests import check_digest
from stages.load.readers.sources import Source
from stages.load.split import split
from stages.params.split import Split

SOURCE = Source(
    mirrored="california_housing/cal_housing.data",
    url="https://ndownloader.figshare.com/files/5976036",
    filename="cal_housing.tgz",
    sha256="aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681",
)
_MEMBER = "CaliforniaHousing/cal_housing.data"
_ROWS, _COLUMNS = 20_640, 9
# SHA-256 of the numbers, C order, little-endian float64.
_RAW = "a2f4f55ff91c67e60391318ea4d61d247d09f8fef119ec6f44a1eb727d7f1f7b"
_X = "c8f43774aa27b7ec034e60db31b6124e12b4a0d42b55b0c8eb1320089e2ebc37"
_Y = "ae80bb98487c04d7383ed8aecda8e207583dfd3e66f6679fded97597c3f6c87e"


def _california_housing(how: Split, path: Path) -> Dataset:
    """20,640 block groups of 1990: Pace & Barry, Sparse Spatial Autoregressions, 1997."""
    x, y = read_table(path)
    names = "MedInc HouseAge AveRooms AveBedrms Population AveOccup Latitude Longitude"
    outputs = Numbers("MedHouseVal", "100,000 USD")
    return split(x, y, Signature(Columns(tuple(names.split())), outputs), how)


def read_table(path: Path) -> tuple[Array, Array]:
    """Features ``(rows, features)`` and targets ``(rows,)``.

    The features are scikit-learn's: rooms, bedrooms and people per household, not their totals.

    Raises:
        OctetError: the file is no such table, or holds other numbers than published.
    """
    raw = _parse(path)
    check_digest(raw, _RAW, str(path))
    longitude, latitude, age, rooms, bedrooms, people, households, income, value = raw.T
    x = np.column_stack(
        [
            income,
            age,
            rooms / households,
            bedrooms / households,
            people,
            people / households,
            latitude,
            longitude,
        ]
    )
    y = value / 100_000
    check_digest(x, _X, f"{path}: derived features")
    check_digest(y, _Y, f"{path}: targets")
    return x, y


def _parse(path: Path) -> Array:
    """The raw table, from the plain file or from the published archive."""
    content = path.read_bytes()
    allowed = f"{_ROWS} rows of {_COLUMNS} comma-separated numbers"
    try:
        if path.suffix == ".tgz":
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                member = archive.extractfile(_MEMBER)
                content = member.read() if member else b""
        if not content.strip():
            raise ValueError("0 rows")
        table = np.loadtxt(io.BytesIO(content), delimiter=",", ndmin=2)
    except (ValueError, KeyError, EOFError, tarfile.TarError) as error:
        kind = "an HTML page" if content.lstrip()[:1] == b"<" else " ".join(str(error).split())
        raise OctetError(
            f"{path}: expected {allowed}, got {kind} ({len(content)} bytes); "
            "put the original file there"
        ) from None
    if table.shape != (_ROWS, _COLUMNS):
        raise OctetError(
            f"{path}: expected {allowed}, got {table.shape[0]} of {table.shape[1]} "
            f"({len(content)} bytes); put the original file there"
        )
    return table


CALIFORNIA_HOUSING = DataSet((SOURCE,), _california_housing)
