"""The data sets, each checked number by number against its digest, and their split."""

import hashlib
import io
import math
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from octet.affine import Array
from octet.errors import OctetError
from octet.signature import Columns, Numbers, Signature
from stages.dataset import Dataset
from stages.load.sources import Source, fetch
from stages.params.split import Split

CALIFORNIA = Source(
    mirrored="california_housing/cal_housing.data",
    url="https://ndownloader.figshare.com/files/5976036",
    filename="cal_housing.tgz",
    sha256="aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681",
)
_CALIFORNIA_MEMBER = "CaliforniaHousing/cal_housing.data"
_CALIFORNIA_ROWS, _CALIFORNIA_COLUMNS = 20_640, 9
# SHA-256 of the numbers, C order, little-endian float64.
_CALIFORNIA_RAW = "a2f4f55ff91c67e60391318ea4d61d247d09f8fef119ec6f44a1eb727d7f1f7b"
_CALIFORNIA_X = "c8f43774aa27b7ec034e60db31b6124e12b4a0d42b55b0c8eb1320089e2ebc37"
_CALIFORNIA_Y = "ae80bb98487c04d7383ed8aecda8e207583dfd3e66f6679fded97597c3f6c87e"
_DIABETES_X = "6b93b2556c8942c79d8374838768047adf9d1f4044510b9f948ddace62567d75"
_DIABETES_Y = "4911e8747aff95aa1cd523fea86dd91cfd1cd14c1a8ead274f1913b14fa853c4"


_A = TypeVar("_A", bound=npt.NDArray[Any])
_B = TypeVar("_B", bound=npt.NDArray[Any])


@dataclass(frozen=True)
class Table:
    """Features ``(rows, features)`` and target ``(rows,)``, float64."""

    x: Array
    y: Array
    signature: Signature


@dataclass(frozen=True)
class DataSet:
    """Where the files of a data set come from, and how to read and check them."""

    sources: tuple[Source, ...]
    read: Callable[..., Table]


def load(name: str) -> Table:
    """The data set of this name, a key of `TABLES`.

    Raises:
        OctetError: a file is not in reach, is no table, or holds other numbers than published.
    """
    data_set = TABLES[name]
    return data_set.read(*(fetch(source) for source in data_set.sources))


def split(table: Table, how: Split) -> Dataset:
    """Shuffle the rows with a seed and hold some of them out; errors as for `split_rows`."""
    return Dataset(*split_rows(table.x, table.y, how), table.signature)


def split_rows(x: _A, y: _B, how: Split) -> tuple[_A, _B, _A, _B]:
    """Shuffle rows with a seed and hold some out: x and y of the rest, x and y of those.

    Raises:
        OctetError: too few rows are left for one of the two parts.
    """
    rows = len(y)
    held_out = math.ceil(how.test_size * rows)
    if not 2 <= held_out <= rows - 2:
        raise OctetError(
            f"params.yaml: split.test_size: got {how.test_size}, which holds out {held_out} of "
            f"{rows} rows; allowed is what leaves at least two to test on and two to train on"
        )
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=how.test_size, random_state=how.random_state
    )
    return x_train, y_train, x_test, y_test


def _diabetes() -> Table:
    """442 patients, as scikit-learn carries them: Efron et al., Least Angle Regression, 2004."""
    bunch = load_diabetes(scaled=False)
    table = Table(
        np.asarray(bunch.data, np.float64),
        np.asarray(bunch.target, np.float64),
        Signature(
            Columns(tuple(bunch.feature_names)), Numbers("progression", "points after one year")
        ),
    )
    check_digest(table.x, _DIABETES_X, "scikit-learn's diabetes table: features")
    check_digest(table.y, _DIABETES_Y, "scikit-learn's diabetes table: target")
    return table


def _california_housing(path: Path) -> Table:
    """20,640 block groups of the 1990 census: Pace & Barry, Sparse Spatial Autoregressions, 1997.

    The features are scikit-learn's: rooms, bedrooms and people per household, not their totals.
    """
    raw = _parse_california(path)
    check_digest(raw, _CALIFORNIA_RAW, str(path))
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
    check_digest(x, _CALIFORNIA_X, f"{path}: derived features")
    check_digest(y, _CALIFORNIA_Y, f"{path}: target")
    names = "MedInc HouseAge AveRooms AveBedrms Population AveOccup Latitude Longitude"
    return Table(
        x, y, Signature(Columns(tuple(names.split())), Numbers("MedHouseVal", "100,000 USD"))
    )


def _parse_california(path: Path) -> Array:
    """The raw table, from the plain file or from the published archive."""
    content = path.read_bytes()
    allowed = f"{_CALIFORNIA_ROWS} rows of {_CALIFORNIA_COLUMNS} comma-separated numbers"
    try:
        if path.suffix == ".tgz":
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                member = archive.extractfile(_CALIFORNIA_MEMBER)
                content = member.read() if member else b""
        if not content.strip():
            raise ValueError("0 rows")
        table = np.loadtxt(io.BytesIO(content), delimiter=",", ndmin=2)
    except (ValueError, KeyError, EOFError, tarfile.TarError) as error:
        kind = "an HTML page" if content.lstrip()[:1] == b"<" else " ".join(str(error).split())
        raise OctetError(
            f"{path}: expected {allowed}, found {kind} ({len(content)} bytes); "
            "put the original file there"
        ) from None
    if table.shape != (_CALIFORNIA_ROWS, _CALIFORNIA_COLUMNS):
        raise OctetError(
            f"{path}: expected {allowed}, found {table.shape[0]} of {table.shape[1]} "
            f"({len(content)} bytes); put the original file there"
        )
    return table


def check_digest(array: npt.NDArray[np.float64 | np.uint8], expected: str, name: str) -> None:
    """Raise an OctetError unless this is the SHA-256 of the values, C order, little-endian."""
    little_endian = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    found = hashlib.sha256(little_endian.tobytes()).hexdigest()
    if found != expected:
        raise OctetError(
            f"{name}: expected numbers with SHA-256 {expected}, found {found}; "
            "put the original file there"
        )


TABLES = {
    "diabetes": DataSet((), _diabetes),
    "california_housing": DataSet((CALIFORNIA,), _california_housing),
}
