"""The sample in an image is the first test rows, to the bit."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from container.sample import ROWS, sample
from octet.errors import OctetError
from octet.modelfile.arrays import dump_arrays
from octet.signature import Classes, Columns, Images, Numbers, Signature
from stages.dataset import Dataset, dump_dataset

RNG = np.random.default_rng(0)


def table(rows: int) -> Dataset:
    x, y = RNG.normal(size=(rows, 2)) / 3, RNG.normal(size=rows) * 1e300
    return Dataset(
        x, y, x, y, Signature(Columns(("age", 'name, "größe"')), Numbers("price", "USD"))
    )


@pytest.mark.parametrize("rows", [1, ROWS + 1])
def test_of_a_table_it_is_csv_with_every_digit_and_the_target(tmp_path: Path, rows: int) -> None:
    data = table(rows)
    (tmp_path / "data").write_bytes(dump_dataset(data))
    name, content = sample(tmp_path / "data")
    assert name == "sample.csv"
    head, *lines = csv.reader(io.StringIO(content.decode()))
    assert head == ["age", 'name, "größe"', "price"]
    both = np.column_stack([data.x_test, data.y_test])[:ROWS]
    np.testing.assert_array_equal(np.array(lines, np.float64), both)


def test_of_a_table_with_classes_it_is_csv_with_their_names(tmp_path: Path) -> None:
    x, y = RNG.normal(size=(4, 2)), np.array([1, 0, 1, 1], np.uint8)
    signature = Signature(Columns(("age", "bmi")), Classes(("no", "yes, surely")))
    (tmp_path / "data").write_bytes(dump_dataset(Dataset(x, y, x, y, signature)))
    name, content = sample(tmp_path / "data")
    assert name == "sample.csv"
    head, *lines = csv.reader(io.StringIO(content.decode()))
    assert head == ["age", "bmi", "class"]
    assert [line[-1] for line in lines] == ["yes, surely", "no", "yes, surely", "yes, surely"]
    np.testing.assert_array_equal(np.array([line[:-1] for line in lines], np.float64), x)


@pytest.mark.parametrize("rows", [1, ROWS + 1])
def test_of_images_it_is_pixels_and_classes(tmp_path: Path, rows: int) -> None:
    x = RNG.integers(0, 17, (rows, 1, 3, 2), np.uint8)
    y = RNG.integers(0, 2, rows, np.uint8)
    data = Dataset(x, y, x, y, Signature(Images((1, 3, 2), 16), Classes(("a", "b"))))
    (tmp_path / "data").write_bytes(dump_dataset(data))
    name, content = sample(tmp_path / "data")
    assert name == "sample.safetensors"
    arrays = load(content)
    np.testing.assert_array_equal(arrays["x"], x[:ROWS])
    np.testing.assert_array_equal(arrays["y"], y[:ROWS])


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(dump_arrays({"target": 1}, {"x_test": np.zeros(2)}))
    with pytest.raises(OctetError, match="not a data file"):
        sample(tmp_path / "data")
