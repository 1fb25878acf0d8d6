"""The data sets that scikit-learn carries, each checked number by number against its digest."""

from typing import Any

import numpy as np

from octet.signature import Classes, Columns, Images, Numbers, Signature
from stages.dataset import Dataset
from stages.load.readers.data_set import DataSet
from stages.load.readers.digests import check_digest
from stages.load.split import split
from stages.params.split import Split

# SHA-256 of the numbers, C order: features and targets little-endian float64, pixels and labels
# uint8.
_DIABETES_X = "6b93b2556c8942c79d8374838768047adf9d1f4044510b9f948ddace62567d75"
_DIABETES_Y = "4911e8747aff95aa1cd523fea86dd91cfd1cd14c1a8ead274f1913b14fa853c4"
_WINE_X = "8edcf3903afd97c64d51e0212eb10b213f7943da650574d1c055b836c5c35d37"
_WINE_Y = "fc03f75caa6e6d07d5b445dd799c334fdee22c5b64240511a10ac30feb3a09e9"
_BREAST_CANCER_X = "6b202a2072f9a0385f405a8f8605b1b06f6f36ae6d23d9cd6cbbc0974a416bc7"
_BREAST_CANCER_Y = "9d6ceae78443535169ef00f2c8012032241393c09a9adb2f9e82c55e1ba534bd"
_DIGITS_X = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
_DIGITS_Y = "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"


def _diabetes(how: Split) -> Dataset:
    """442 patients: Efron et al., Least Angle Regression, 2004."""
    bunch = _bunch("diabetes", scaled=False)
    x, y = np.asarray(bunch.data, np.float64), np.asarray(bunch.target, np.float64)
    check_digest(x, _DIABETES_X, "scikit-learn's diabetes: features")
    check_digest(y, _DIABETES_Y, "scikit-learn's diabetes: targets")
    outputs = Numbers("progression", "points after one year")
    return split(x, y, Signature(Columns(tuple(bunch.feature_names)), outputs), how)


def _wine(how: Split) -> Dataset:
    """178 wines of three cultivars: Aeberhard & Forina, UCI Machine Learning Repository, 1991."""
    return _table_of_classes("wine", _WINE_X, _WINE_Y, how)


def _breast_cancer(how: Split) -> Dataset:
    """569 tumours: Street, Wolberg & Mangasarian, Nuclear Feature Extraction, 1993."""
    return _table_of_classes("breast_cancer", _BREAST_CANCER_X, _BREAST_CANCER_Y, how)


def _table_of_classes(name: str, x_digest: str, y_digest: str, how: Split) -> Dataset:
    bunch, title = _bunch(name), name.replace("_", " ")
    x, y = np.asarray(bunch.data, np.float64), bunch.target.astype(np.uint8)
    check_digest(x, x_digest, f"scikit-learn's {title}: features")
    check_digest(y, y_digest, f"scikit-learn's {title}: labels")
    columns = Columns(tuple(map(str, bunch.feature_names)))
    classes = Classes(tuple(map(str, bunch.target_names)))
    return split(x, y, Signature(columns, classes), how)


def _bunch(name: str, **options: Any) -> Any:
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")(**options)


def _digits(how: Split) -> Dataset:
    """1,797 digits of 8 by 8 pixels: Alpaydin & Kaynak, Optical Recognition of Digits, 1998."""
    bunch = _bunch("digits")
    x, y = bunch.images.astype(np.uint8)[:, None], bunch.target.astype(np.uint8)
    check_digest(x, _DIGITS_X, "scikit-learn's digits: pixels")
    check_digest(y, _DIGITS_Y, "scikit-learn's digits: labels")
    return split(x, y, Signature(Images((1, 8, 8), 16), Classes(tuple("0123456789"))), how)


DIABETES = DataSet((), _diabetes)
WINE = DataSet((), _wine)
BREAST_CANCER = DataSet((), _breast_cancer)
DIGITS = DataSet((), _digits)
