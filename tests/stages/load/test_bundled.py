"""What scikit-learn carries is taken as it was published, or refused."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from sklearn import datasets
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from octet.errors import OctetError
from octet.signature import Classes, Columns, Images
from stages.dataset import Dataset
from stages.load import readers
from stages.load.readers import DATA_SETS
from stages.params.data import Bundled
from stages.params.split import Split


def diabetes() -> Any:
    return load_diabetes(scaled=False)


# The name of each, how scikit-learn loads it, what it calls the rows, and of what type they are.
BUNDLED = [
    ("diabetes", diabetes, "data", np.float64, np.float64),
    ("wine", load_wine, "data", np.float64, np.uint8),
    ("breast_cancer", load_breast_cancer, "data", np.float64, np.uint8),
    ("digits", load_digits, "images", np.uint8, np.uint8),
]


def read(name: str, test_size: float = 0.2, seed: int = 42) -> Dataset:
    return readers.read(name, Split(test_size=test_size, random_state=seed))


def test_every_data_set_that_params_allows_has_a_reader() -> None:
    assert set(DATA_SETS) == set(get_args(Bundled))


@pytest.mark.parametrize(("name", "load", "rows", "x_type", "y_type"), BUNDLED)
def test_every_row_is_there_once_and_shuffled(
    name: str, load: Callable[[], Any], rows: str, x_type: type, y_type: type
) -> None:
    data, bunch = read(name), load()
    x = np.concatenate([data.x_train, data.x_test])
    y = np.concatenate([data.y_train, data.y_test])
    assert (x.dtype, y.dtype) == (x_type, y_type)
    assert x.shape == (len(bunch.target), *data.signature.shape)

    def pairs(x: Any, y: Any) -> list[tuple[bytes, float]]:
        return [(row.tobytes(), float(truth)) for row, truth in zip(x, y, strict=True)]

    expected = pairs(bunch[rows].astype(x_type), bunch.target)
    assert sorted(pairs(x, y)) == sorted(expected)
    assert pairs(x, y) != expected
    assert len(data.x_test) == -(-len(expected) // 5)


@pytest.mark.parametrize(("name", "load", "rows"), [each[:3] for each in BUNDLED])
def test_other_numbers_are_refused(
    name: str, load: Callable[[], Any], rows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in (rows, "target"):
        bunch = load()
        bunch[part].flat[7] += 1
        monkeypatch.setattr(datasets, f"load_{name}", lambda changed=bunch, **_: changed)
        with pytest.raises(OctetError) as caught:
            read(name)
        message = str(caught.value)
        assert message.splitlines() == [message]
        assert message.startswith(f"scikit-learn's {name.replace('_', ' ')}: ")
        assert "expected numbers with SHA-256 " in message


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("wine", ("class_0", "class_1", "class_2")),
        ("breast_cancer", ("malignant", "benign")),
        ("digits", tuple("0123456789")),
    ],
)
def test_labels_are_indices_of_classes_and_each_is_on_both_sides(
    name: str, classes: tuple[str, ...]
) -> None:
    data = read(name)
    assert data.signature.outputs == Classes(classes)
    for labels in (data.y_train, data.y_test):
        assert sorted(set(labels.tolist())) == list(range(len(classes)))


def test_columns_have_the_names_of_scikit_learn() -> None:
    for name, load in (("diabetes", diabetes), ("wine", load_wine)):
        assert read(name).signature.inputs == Columns(tuple(load().feature_names))


def test_digits_are_8_by_8_in_16_greys() -> None:
    data = read("digits")
    assert data.signature.inputs == Images((1, 8, 8), 16)
    assert (data.x_train.min(), data.x_train.max()) == (0, 16)


@pytest.mark.parametrize(("test_size", "rows"), [(0.1, 180), (0.5, 899)])
def test_the_share_held_out_is_that_of_params(test_size: float, rows: int) -> None:
    data = read("digits", test_size)
    assert (len(data.x_train), len(data.x_test)) == (1797 - rows, rows)


@pytest.mark.parametrize("test_size", [0.9995, 1e-9])
def test_a_split_that_leaves_no_rows_on_one_side_is_refused(test_size: float) -> None:
    with pytest.raises(OctetError, match=r"split\.test_size: .* of 1797 rows"):
        read("digits", test_size)
