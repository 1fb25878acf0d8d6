"""Whatever is wrong with data of one's own is one line that names it and says what to do."""

import datetime
import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from pydantic import TypeAdapter, ValidationError

from octet.errors import OctetError
from stages.dataset import dump_dataset
from stages.load import readers
from stages.params.data import Csv, Data
from tests.stages.load.own import (
    HOW,
    WHERE,
    csv_text,
    read,
    refusal,
    table,
    write_idx,
    write_images,
)

CSV: dict[str, Any] = {"kind": "csv", "path": "t.csv", "target": "price"}
PLAIN = csv_text(table())
FORTY = [str(i) for i in range(40)]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def columns(**texts: Any) -> str:
    return csv_text(table(**texts))


def parts(train: int, **texts: Any) -> str:
    return columns(part=["train"] * train + ["test"] * (40 - train), **texts)


# A bit of the second block is another.
DAMAGED = bytearray(gzip.compress(PLAIN.encode()))
DAMAGED[20] ^= 0x5A
BY_PART = {"split": {"column": "part"}}
MANY = "a,price\n" + "".join(f"{i}.5,{i}\n" for i in range(20_000))
NEW = ["a", "b"] * 15 + ["c"] * 10
# What a file holds, what params.yaml says of it, and how it is refused.
TABLES: dict[str, tuple[str | bytes | bytearray, dict[str, Any], str]] = {
    "nothing": ("", {}, "line 1: got nothing; allowed are names"),
    "no rows": ("age,city,price\n", {}, "got names of columns and no rows"),
    "no names": ("1,2,3\n4,5,6\n", {}, "line 1: got numbers; allowed are names of columns"),
    "semicolons": (PLAIN.replace(",", ";"), {}, "separated by ';'? Say `separator: \";\"`"),
    "tabs": (PLAIN.replace(",", "\t"), {}, 'separated by a tab? Say `separator: "\\t"`'),
    "UTF-16": (PLAIN.encode("utf-16"), {}, "not UTF-8; save it as UTF-8"),
    "Latin 1": (columns(city=["Zürich", "Bern"] * 20).encode("latin-1"), {}, "save it as UTF-8"),
    "a short row": (f"{PLAIN}1,2\n", {}, "Row #42: Expected 3 columns, got 2"),
    "an open quote": (f'{PLAIN}1,"a\n', {}, "not a whole table of CSV"),
    "half a gzip": (gzip.compress(PLAIN.encode())[:60], {}, "not a whole table of CSV"),
    "a damaged gzip": (DAMAGED, {}, "not a whole table of CSV (Error -3"),
    "one name twice": (PLAIN.replace("age", "city", 1), {}, "more than one column city"),
    "an empty name": (PLAIN.replace("age", "", 1), {}, "column '': allowed are names"),
    "another target": (PLAIN, {"target": "prise"}, "no column prise; got age, city, price"),
    "drop the target": (PLAIN, {"drop": ["price"]}, "price is the target"),
    "drop all": (PLAIN, {"drop": ["age", "city"]}, "nothing to learn from"),
    "gaps": (columns(age=["", *FORTY[1:]]), {}, "age 1; `missing: impute` (--missing impute of"),
    "gaps in the target": (columns(price=["NA", *FORTY[1:]]), {}, "price: got 1 missing values of"),
    "all gaps": (columns(age=[""] * 40), {"missing": "impute"}, "age: all missing; leave it out"),
    "a constant": (columns(age=["5"] * 40), {}, "age: got 5 in all training rows; leave it out"),
    "a constant text": (columns(age=["a"] * 40), {}, "age: got 'a' in all training rows"),
    "a constant target": (columns(price=["3"] * 40), {}, "price: got 3 in all 32 training rows"),
    "infinity": (columns(age=["inf", *["2", "3"] * 19, "4"]), {}, "age: got 'inf' among numbers"),
    "a word among more numbers than are kept": (
        f"{MANY}oops,1\n",
        {},
        "column a: got 'oops' among",
    ),
    "a word": (columns(age=["12 kg", *FORTY[1:]]), {}, "age: got '12 kg' among numbers"),
    "a comma": (columns(age=[f'"{i},5"' for i in FORTY]), {}, "a decimal comma?"),
    "dates": (columns(age=["2020-01-02", "2021-03-04"] * 20), {}, "age: got dates, 2020-01-02"),
    "ids": (columns(age=[f"id{i}" for i in FORTY]), {}, "age: got 40 different texts in 40 rows"),
    "large integers": (columns(age=[str(2**53 + 1 + i) for i in range(40)]), {}, "beyond 2^53"),
    "a tab in a category": (columns(city=["a\tb", "c"] * 20), {}, "category 'a\\tb': allowed"),
    "one class": (columns(price=["yes"] * 40), {}, "got yes in all 40 rows"),
    "ids as classes": (columns(price=[f"c{i}" for i in FORTY]), {}, "got 40 classes in 40 rows"),
    "a class of one": (columns(price=["yes"] * 39 + ["no"]), {}, "got 1 row of class no"),
    "text as numbers": (
        columns(price=["a", "b"] * 20),
        {"task": "regression"},
        "got 'a', which is",
    ),
    "broken classes": (columns(price=["1.5", "2"] * 20), {"task": "classification"}, "got 1.5"),
    "a third part": (columns(part=["train", "dev"] * 20), BY_PART, "got 'dev'; allowed are train"),
    "no test rows": (parts(40), BY_PART, "got train in all rows"),
    "a category of test rows": (
        parts(30, city=NEW),
        BY_PART,
        "row 31, to test on: city: got 'c'; all",
    ),
    "a class of test rows": (parts(30, price=NEW), BY_PART, "class c is in 10 test rows and in no"),
    "a text among test rows": (parts(30, age=[*FORTY[:39], "x"]), BY_PART, "age: got 'x' among"),
    "too few rows": (csv_text(table(3)), {"drop": ["city"]}, "leaves 2 at least to test on"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_is_refused(case: str) -> None:
    content, keys, expected = TABLES[case]
    Path("t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    message = refusal(**{**CSV, **keys})
    assert expected in message
    assert message.startswith(("t.csv: ", "params.yaml: "))


PARQUET: dict[str, tuple[Any, str]] = {
    "a list": ([[1]] * 40, "got list<element: int64>; allowed are numbers, texts"),
    "a struct": ([{"a": 1}] * 40, "got struct<a: int64>"),
    "dates": ([datetime.date(2020, 1, 1)] * 40, "got date32[day]; put numbers in the place of"),
    "large integers": ([2**60] * 40, "got integers beyond 2^53"),
    "infinity": ([np.inf] * 40, "got infinite values"),
    "nothing": ([None] * 40, "got null"),
}


@pytest.mark.parametrize("case", PARQUET)
def test_a_column_of_parquet_is_refused(case: str) -> None:
    values, expected = PARQUET[case]
    written = pyarrow.table({"n": values, "price": [float(i) for i in range(40)]})
    pyarrow.parquet.write_table(written, "t.parquet")
    message = refusal(kind="parquet", path="t.parquet", target="price")
    assert message.startswith(f"t.parquet: column n: {expected}")


@pytest.mark.parametrize("end", [b"", b"hello", b"\xff\xff\xff\x7fPAR1"])
def test_a_file_that_is_no_parquet_is_refused(end: bytes) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"n": [1.0, 2.0], "price": [1.0, 2.0]}), "t.parquet")
    whole = Path("t.parquet").read_bytes()
    Path("t.parquet").write_bytes(whole[:-8] + end)
    message = refusal(kind="parquet", path="t.parquet", target="price")
    assert message.startswith("t.parquet: not a whole Parquet file (")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_test_rows_with_other_columns_are_refused(kind: str) -> None:
    for path, renamed in (("a", "b"), ("t", "c")):
        texts = {renamed: FORTY, "a": FORTY, "price": FORTY}
        if kind == "csv":
            Path(path).write_text(csv_text(texts))
        else:
            numbers = {name: [*map(float, column)] for name, column in texts.items()}
            pyarrow.parquet.write_table(pyarrow.table(numbers), path)
    message = refusal(kind=kind, path="a", target="price", split={"test": "t"})
    assert message.startswith("t: got c, a, price; allowed are the columns of a, b, a, price: only")


def write_parquet(path: str, seed: int) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    numbers = {name: [*map(float, table(seed=seed)[name])] for name in ("age", "price")}
    pyarrow.parquet.write_table(pyarrow.table(numbers), path)


OF_ARRAYS = {"kind": "arrays", "x": "x.npy", "y": "y.npy"}
OF_PARQUET = {"kind": "parquet", "path": "p", "target": "price"}
OF_IDX = {"kind": "idx", "train_images": "x", "train_labels": "y"}
OF_IDX |= {"test_images": "z", "test_labels": "y"}
# What params.yaml says of files, where the test rows are, and the file that is refused.
SHARED: dict[str, tuple[dict[str, Any], str, str]] = {
    "the same table": (CSV, "t.csv", "t.csv"),
    "a copy": (CSV, "copy.csv", "copy.csv"),
    "a link": (CSV, "link.csv", "link.csv"),
    "the same folder": (OF_PARQUET, "p", "p/0.parquet"),
    "a file of the folder": (OF_PARQUET, "p/1.parquet", "p/1.parquet"),
    "a copy in another folder": (OF_PARQUET, "q", "q/2.parquet"),
    "an image": ({"kind": "images", "path": "zoo"}, "wild", "wild/cat/9.png"),
    "images as bytes": (OF_IDX, "", "z"),
    "an array": ({**OF_ARRAYS, "x_test": "z.npy", "y_test": "y.npy"}, "", "z.npy"),
}


@pytest.mark.parametrize("case", SHARED)
def test_files_to_train_on_are_not_tested_on(case: str) -> None:
    Path("t.csv").write_text(PLAIN)
    Path("link.csv").symlink_to("t.csv")
    for path, seed in (("p/0", 0), ("p/1", 1), ("q/2", 1), ("q/3", 3)):
        write_parquet(f"{path}.parquet", seed)
    write_images("zoo", {"cat": "RGB", "dog": "RGB"})
    write_images("wild", {"cat": "RGB", "dog": "RGB"}, suffix="jpg")
    for path in "xz":
        write_idx(path, np.zeros((40, 5, 5), np.uint8))
        np.save(f"{path}.npy", X)
    write_idx("y", np.arange(40, dtype=np.uint8) % 2)
    np.save("y.npy", Y)
    for copied, copy in (("t.csv", "copy.csv"), ("zoo/cat/1.png", "wild/cat/9.png")):
        Path(copy).write_bytes(Path(copied).read_bytes())
    keys, test, refused = SHARED[case]
    message = refusal(**keys, **({"split": {"test": test}} if test else {}))
    assert message.startswith(f"{refused}: got the same bytes to test on as to train on")


def test_a_column_in_the_names_of_folders_is_refused() -> None:
    for part, seed in (("u", 0), ("v", 1)):
        write_parquet(f"p/k={part}/0.parquet", seed)
    message = refusal(**OF_PARQUET)
    assert message.startswith("p: got a folder k=u, whose name is a column that no file has; write")
    # What it says to do.
    pyarrow.parquet.write_table(pyarrow.parquet.read_table("p"), "table.parquet")
    data = read(kind="parquet", path="table.parquet", target="price")
    assert data.signature.inputs.features == ("age", "k=v")


def test_folders_may_share_what_is_no_data() -> None:
    for folder, seed in (("p", 0), ("q", 1)):
        write_parquet(f"{folder}/0.parquet", seed)
        Path(folder, "_SUCCESS").touch()
    data = read(**OF_PARQUET, split={"test": "q"})
    assert data.y_test.tolist() == [float(price) for price in table(seed=1)["price"]]


def test_test_rows_may_have_their_columns_in_another_order() -> None:
    Path("a").write_text(csv_text(table()))
    Path("t").write_text(csv_text(dict(reversed(table(seed=1).items()))))
    data = read(**{**CSV, "path": "a", "split": {"test": "t"}})
    assert data.x_test[:, 0].tolist() == [float(age) for age in table(seed=1)["age"]]


X, Y = np.arange(80.0).reshape(40, 2), np.arange(40.0)
ARRAYS: dict[str, tuple[Any, Any, str]] = {
    "fewer labels": (X, Y[:39], "allowed are as many rows of both"),
    "no rows": (X[:0], Y[:0], "allowed are as many rows of both"),
    "gaps": (np.full((40, 2), np.nan), Y, "got 80 missing or infinite values"),
    "no axis": (Y, Y, "allowed are rows of 1 to 4 axes"),
    "channels last": (np.zeros((40, 9, 9, 3), np.uint8), Y, "channels come first: store"),
    "large integers": (np.full((40, 2), 2**60), Y, "got integers beyond 2^53"),
    "complex": (X.astype(complex), Y, "got complex128; allowed are integers and floats"),
    "many targets": (X, X, "got shape (40, 2); allowed is (rows,)"),
    "bytes": (X, np.array([b"a", b"b"] * 20), "got bytes; allowed are numbers, text"),
    "objects": (X, np.array([None] * 40), "not a whole .npy file (Object arrays"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_are_refused(case: str) -> None:
    x, y, expected = ARRAYS[case]
    np.save("x.npy", x)
    np.save("y.npy", y)
    assert expected in refusal(**OF_ARRAYS)


def test_an_array_that_is_not_there_or_not_alone_is_refused() -> None:
    np.savez("a.npz", inputs=X, y=Y)
    assert "no array x; got inputs, y: say" in refusal(kind="arrays", path="a.npz")
    np.save("x.npy", X)
    np.save("y.npy", Y)
    Path("y.npy").write_bytes(Path("y.npy").read_bytes() * 2)
    assert "something behind the array" in refusal(**OF_ARRAYS)
    for name in ("a.npz", "a.safetensors", "a.pkl"):
        Path(name).write_bytes(b"nothing of the kind")
        assert refusal(kind="arrays", path=name).startswith(f"{name}: ")


IN_ONE = {"kind": "arrays", "path": "a", "y_test": "r"}
CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "these arrays have test rows of their": {**IN_ONE, "x_test": "q", "split": {"test_size": 0.3}},
    "got x as x and as x_test; allowed are other rows": {**IN_ONE, "x_test": "x"},
    "got age more than once in columns": {**CSV, "columns": ["age", "age"]},
    "got age more than once in drop": {**CSV, "drop": ["age", "age"]},
}


@pytest.mark.parametrize("message", CONTRADICTIONS)
def test_keys_that_contradict_each_other_are_refused(message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter[Any](Data).validate_python({"sha256": "0" * 64, **CONTRADICTIONS[message]})


def test_names_that_no_file_may_hold_are_not_written() -> None:
    np.save("x.npy", np.random.default_rng(0).normal(size=(8, 90_000)))
    np.save("y.npy", np.arange(8.0))
    with pytest.raises(OctetError, match="allowed are 1048576: have fewer"):
        dump_dataset(read(**OF_ARRAYS))


def write_as(path: str, content: bytes) -> Callable[[], object]:
    return lambda: Path(path).write_bytes(content)


IDX: dict[str, tuple[Callable[[], object], str]] = {
    "labels for images": (lambda: write_idx("x", np.zeros(40, np.uint8)), "got 00 00 08 01"),
    "no IDX file": (write_as("x", b"hello, world. hello"), "got 68 65 6c 6c"),
    "nothing": (write_as("x", b""), "got nothing"),
    "lengths that lie": (write_as("x", struct.pack(">4i", 0x803, -1, 5, 5)), "4294967295"),
    "half a gzip": (write_as("x", gzip.compress(b"\0\0\x08\3" * 9)[:-9]), "no whole gzip file"),
    "fewer images": (lambda: write_idx("x", np.zeros((9, 5, 5), np.uint8)), "a label for each"),
}


@pytest.mark.parametrize("case", IDX)
def test_idx_files_are_refused(case: str) -> None:
    spoil, expected = IDX[case]
    write_idx("x", np.zeros((40, 5, 5), np.uint8))
    write_idx("z", np.ones((40, 5, 5), np.uint8))
    write_idx("y", np.arange(40, dtype=np.uint8) % 2)
    spoil()
    message = refusal(**OF_IDX)
    assert message.startswith("x: ")
    assert expected in message


def cut(path: str) -> None:
    Path(path).write_bytes(Path(path).read_bytes()[:100])


IMAGES: dict[str, tuple[Callable[[], object], str]] = {
    "half a file": (lambda: cut("zoo/dog/3.png"), "zoo/dog/3.png: not a whole PNG or JPEG file"),
    "no image": (write_as("zoo/dog/3.png", b"hello"), "zoo/dog/3.png: not a whole PNG or JPEG"),
    "another size": (
        lambda: write_images("zoo", {"elk": "RGB"}, size=(3, 4)),
        "zoo/elk/0.png: got 3 × 4 pixels, where zoo/cat/0.png has 8 × 9 pixels",
    ),
    "grey among colour": (
        lambda: write_images("zoo", {"elk": "L"}),
        "zoo/elk/0.png: got 1 channels, where zoo/cat/0.png has 3; say `colour: true`",
    ),
    "16 bits": (lambda: write_images("zoo", {"ape": "I;16"}), "zoo/ape/0.png: got pixels of mode"),
    "a file beside the folders": (write_as("zoo/a.txt", b""), "zoo/a.txt: allowed are files"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_a_folder_of_images_is_refused(case: str) -> None:
    spoil, expected = IMAGES[case]
    write_images("zoo", {"cat": "RGB", "dog": "RGB"})
    spoil()
    assert refusal(kind="images", path="zoo").startswith(expected)


def test_a_folder_of_one_class_or_of_nothing_is_refused() -> None:
    write_images("zoo", {"cat": "RGB"})
    assert "got cat in all 6 rows; allowed are two classes" in refusal(kind="images", path="zoo")
    Path("empty").mkdir()
    assert "no file in it" in refusal(kind="images", path="empty")


def test_a_file_that_was_changed_is_refused_with_the_command_that_takes_it() -> None:
    Path("t.csv").write_text(PLAIN)
    with pytest.raises(OctetError) as caught:
        readers.read(Csv(**CSV, sha256="0" * 64), HOW, WHERE)
    message = str(caught.value)
    assert message.startswith(f"params.yaml: {WHERE}.sha256: got 000")
    assert message.endswith("`python -m stages.add NAME` takes this")
