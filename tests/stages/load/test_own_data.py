"""What each kind of one's own files becomes: rows, types, names, and what fills gaps."""

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from octet.modelfile.arrays import dump_arrays
from octet.signature import Arrays, Classes, Column, Columns, Images, Numbers
from stages.dataset import dump_dataset
from stages.load import readers
from stages.pinned import MIRROR_VARIABLE, OutOfReachError
from tests.stages.load.own import (
    HOW,
    WHERE,
    csv_text,
    parsed,
    read,
    table,
    write_idx,
    write_images,
)

CSV: dict[str, Any] = {"kind": "csv", "path": "t.csv", "target": "price"}
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(content: str | bytes, path: str = "t.csv") -> None:
    Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())


PLAIN = csv_text(table())


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (PLAIN, {}),
        (f"\ufeff{PLAIN}", {}),
        (PLAIN.replace("\n", "\r\n"), {}),
        (PLAIN.replace(",", " , "), {}),
        (PLAIN + "\n\n", {}),
        (gzip.compress(PLAIN.encode()), {}),
        (csv_text(table(), ";"), {"separator": ";"}),
        (csv_text(table(), "\t"), {"separator": "\t"}),
        (csv_text({f'"{n}"': [f'"{t}"' for t in ts] for n, ts in table().items()}), {}),
        (csv_text(table(when=["2020-01-02"] * 40)), {"drop": ["when"]}),
        (csv_text(table(when=["2020-01-02"] * 40)), {"columns": ["age", "city"]}),
    ],
    ids=[
        "plain",
        "BOM",
        "CRLF",
        "blanks",
        "empty lines",
        "gzip",
        ";",
        "tab",
        "quotes",
        "drop",
        "columns",
    ],
)
def test_a_table_is_the_same_however_it_is_written(
    content: str | bytes, keys: dict[str, object]
) -> None:
    write(PLAIN)
    expected = dump_dataset(read(**CSV))
    write(content)
    assert dump_dataset(read(**CSV, **keys)) == expected


def test_texts_are_categories_and_numbers_what_float_makes_of_them() -> None:
    write(PLAIN)
    data = read(**CSV, unit="CHF")
    columns = Column("age"), Column("city", ("Basel", "Bern", "Chur"))
    assert data.signature.inputs == Columns.of(columns)
    assert data.signature.outputs == Numbers("price", "CHF")
    everything = np.concatenate([data.x_train, data.x_test])
    ages = sorted(map(float, table()["age"]))
    assert sorted(everything[:, 0]) == ages
    assert everything[:, 1:].sum(axis=0).tolist() == [14, 13]


def test_gaps_are_filled_from_training_rows_alone() -> None:
    texts = table(part=["train"] * 30 + ["test"] * 10)
    ages = list(texts["age"])
    ages[3], ages[35] = "", "NA"
    cities = ["Chur", "?", *["Bern"] * 15, *["Basel"] * 13, *["Chur"] * 10]
    write(csv_text({**texts, "age": ages, "city": cities}))
    data = read(**CSV, missing="impute", split={"column": "part"})
    trained = [float(age) for age in ages[:30] if age]
    mean = math.fsum(trained) / len(trained)
    assert data.signature.inputs == Columns.of(
        [Column("age", (), mean), Column("city", ("Basel", "Bern", "Chur"), "Bern")]
    )
    assert data.x_train[3, 0] == data.x_test[5, 0] == mean
    assert data.x_train[1].tolist()[1:] == [1, 0]


@pytest.mark.parametrize(
    ("prices", "task", "names"),
    [
        (["yes", "no"] * 20, None, ("no", "yes")),
        (["10", "9"] * 20, "classification", ("9", "10")),
    ],
)
def test_classes_are_texts_or_numbers_that_task_calls_so_and_are_stratified(
    prices: list[str], task: str | None, names: tuple[str, ...]
) -> None:
    write(csv_text(table(price=prices)))
    data = read(**CSV, task=task)
    assert data.signature.outputs == Classes(names, "price")
    assert np.bincount(data.y_train).tolist() == [16, 16]
    assert np.bincount(data.y_test).tolist() == [4, 4]


def test_another_file_is_the_test_rows() -> None:
    write(PLAIN)
    write(csv_text(table(20, seed=1)), "later.csv")
    data = read(**CSV, split={"test": "later.csv"})
    assert data.y_train.tolist() == [float(price) for price in table()["price"]]
    assert data.y_test.tolist() == [float(price) for price in table(20, seed=1)["price"]]


def test_a_split_of_its_own_is_taken_over_the_common_one() -> None:
    write(PLAIN)
    assert len(read(**CSV, split={"test_size": 0.5}).y_test) == 20
    other = read(**CSV, split={"random_state": 1})
    assert len(other.y_test) == 8
    assert other.y_test.tolist() != read(**CSV).y_test.tolist()


def test_parquet_is_as_csv_with_its_own_types() -> None:
    numbers = {name: [float(text) for text in table()[name]] for name in ("age", "price")}
    columns = {"age": numbers["age"], "city": table()["city"], "price": numbers["price"]}
    pyarrow.parquet.write_table(pyarrow.table(columns), "t.parquet")
    write(PLAIN)
    same = read(**{**CSV, "kind": "parquet", "path": "t.parquet"})
    assert dump_dataset(same) == dump_dataset(read(**CSV))
    columns["flag"] = pyarrow.array([True, False] * 20)
    columns["n"] = pyarrow.array([*range(39), None], pyarrow.int32())
    columns["city"] = pyarrow.array(columns["city"]).dictionary_encode()
    pyarrow.parquet.write_table(pyarrow.table(columns), "t.parquet")
    more = read(**{**CSV, "kind": "parquet", "path": "t.parquet"}, missing="impute")
    assert more.signature.inputs.features == (
        *("age", "city=Bern", "city=Chur"),
        *("flag=True", "n"),
    )


def test_arrays_are_images_columns_or_arrays_by_type_and_shape() -> None:
    labels = np.array(["a", "b"] * 20)
    arrays = {
        "grey": (RNG.integers(0, 256, (40, 5, 4), np.uint8), Images((1, 5, 4), 255)),
        "colour": (RNG.integers(0, 256, (40, 3, 5, 4), np.uint8), Images((3, 5, 4), 255)),
        "table": (RNG.normal(size=(40, 2)).astype(np.float32), Columns(("table[0]", "table[1]"))),
        "cube": (RNG.normal(size=(40, 2, 3, 4)), Arrays((2, 3, 4))),
    }
    np.savez("a.npz", y=labels, **{name: array for name, (array, _) in arrays.items()})
    for name, (array, inputs) in arrays.items():
        data = read(kind="arrays", path="a.npz", x=name)
        assert data.signature.inputs == inputs
        assert data.signature.outputs == Classes(("a", "b"), "y")
        everything = np.concatenate([data.x_train, data.x_test]).reshape(array.shape)
        np.testing.assert_array_equal(np.sort(everything, axis=0), np.sort(array, axis=0))


def test_arrays_come_from_npy_and_safetensors_too_with_test_rows_of_their_own() -> None:
    x, y = RNG.normal(size=(10, 3)), RNG.normal(size=10)
    np.save("x.npy", x)
    np.save("y.npy", y)
    np.save("z.npy", -x)
    files = {"x": "x.npy", "y": "y.npy", "x_test": "z.npy", "y_test": "y.npy"}
    write(dump_arrays({}, {"x": x, "y": y, "z": -x}), "a.safetensors")
    names = {"x_test": "z", "y_test": "y"}
    for data in (
        read(kind="arrays", **files),
        read(kind="arrays", path="a.safetensors", **names),
    ):
        np.testing.assert_array_equal(data.x_train, x)
        np.testing.assert_array_equal(data.x_test, -x)
        np.testing.assert_array_equal(data.y_test, y)


def test_idx_files_of_any_size_are_read_packed_or_not() -> None:
    x, y = RNG.integers(0, 256, (60, 6, 7), np.uint8), np.arange(60, dtype=np.uint8) % 4
    write_idx("x", x)
    write_idx("z", 255 - x)
    write_idx("y.gz", y, packed=True)
    data = read(
        kind="idx", train_images="x", train_labels="y.gz", test_images="z", test_labels="y.gz"
    )
    assert data.signature.inputs == Images((1, 6, 7), 255)
    assert data.signature.outputs == Classes(tuple("0123"))
    np.testing.assert_array_equal(data.x_test[:, 0], 255 - x)
    np.testing.assert_array_equal(data.y_train, y)


def test_a_folder_is_images_of_the_classes_that_its_folders_are_named_by() -> None:
    write_images("zoo", {"cat": "RGB", "dog": "RGB"}, count=10)
    write_images("grey", {"cat": "L", "dog": "L"}, suffix="jpg")
    Path("zoo/.DS_Store").write_bytes(b"hidden")
    colour = read(kind="images", path="zoo")
    assert colour.signature.inputs == Images((3, 8, 9), 255)
    assert colour.signature.outputs == Classes(("cat", "dog"))
    assert np.bincount(colour.y_test).tolist() == [2, 2]
    darker = colour.x_train[colour.y_train == 0]
    assert darker.max() < 90 <= colour.x_train[colour.y_train == 1].max()
    small = read(kind="images", path="zoo", size=[4, 5], colour=False, split={"test": "grey"})
    assert small.x_train.shape == (20, 1, 4, 5)
    assert small.x_test.shape == (12, 1, 4, 5)


def test_what_is_not_in_the_repository_is_looked_for_in_the_mirror(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(PLAIN)
    data = parsed(**CSV)
    (folder / "mirror").mkdir()
    Path("t.csv").rename("mirror/t.csv")
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    with pytest.raises(OutOfReachError, match=f"{WHERE}: got t.csv"):
        readers.read(data, HOW, WHERE)
    monkeypatch.setenv(MIRROR_VARIABLE, str(folder / "mirror"))
    assert readers.read(data, HOW, WHERE).x_train.shape == (32, 3)
