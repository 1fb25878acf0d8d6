"""The data file: what goes in comes out to the bit, and nothing else is taken for one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from octet.layers import Relu
from octet.modelfile import storage
from octet.modelfile.arrays import dump_arrays, load_arrays
from octet.network import Network
from octet.signature import Arrays, Classes, Column, Columns, Images, Numbers, Signature
from stages import paths
from stages.dataset import Dataset, dump_dataset, load_dataset

SYSTEM = "small"
PARTS = ("x_train", "y_train", "x_test", "y_test")
WHITE = 16

GAPS = Columns.of([Column("age", missing=30.5), Column("city", ("Rome", "Oslo", "größe"), "Oslo")])
INPUTS = {
    "columns": Columns(("age", "bmi", "größe")),
    "text": GAPS,
    "images": Images((1, 3, 2), WHITE),
    "array": Arrays((1, 3, 2)),
}
OUTPUTS = {
    "numbers": Numbers("progression", "points"),
    "classes": Classes(tuple("0123456789")),
    "many classes": Classes(tuple(map(str, range(257)))),
}
# What goes in and what comes out are combined freely.
SIGNATURES = {
    f"{x}, {y}": Signature(inputs, outputs)
    for x, inputs in INPUTS.items()
    for y, outputs in OUTPUTS.items()
}

every_signature = pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)


def dataset(signature: Signature, seed: int = 0) -> Dataset:
    """Five rows to train on and two to test on."""
    rng = np.random.default_rng(seed)
    arrays = []
    for rows in (5, 2):
        arrays += [
            rng.integers(0, signature.inputs.white + 1, (rows, *signature.shape), np.uint8)
            if isinstance(signature.inputs, Images)
            else rng.normal(size=(rows, *signature.shape)),
            rng.normal(size=rows)
            if isinstance(signature.outputs, Numbers)
            else rng.integers(0, count := len(signature.outputs.classes), rows).astype(
                np.min_scalar_type(count - 1)
            ),
        ]
    return Dataset(*arrays, signature=signature)


def dumped(signature: Signature, **parts: npt.NDArray[Any] | None) -> bytes:
    """A data file with other parts than `dataset` has; None leaves one out."""
    whole = {name: getattr(dataset(signature), name) for name in PARTS} | parts
    arrays = {name: array for name, array in whole.items() if array is not None}
    return dump_arrays(storage.dump_signature(signature), arrays)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the file of a system is, below the working folder."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("dataset"))
        path = paths.data_path(SYSTEM)
        path.parent.mkdir()
        yield path


def refusal(file: Path, content: bytes) -> str:
    """What is said of a file, behind its name: one line."""
    file.write_bytes(content)
    with pytest.raises(OctetError) as caught:
        load_dataset(SYSTEM)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"{file}: ")
    return message.removeprefix(f"{file}: ")


names = st.text(max_size=5).filter(lambda text: text.isprintable() and text == text.strip())
several = st.lists(names, min_size=1, max_size=12, unique=True).map(tuple)
sides = st.integers(1, 5)
words = st.lists(names.filter(bool), min_size=2, max_size=5, unique=True).map(tuple)
columns = st.one_of(
    st.builds(Column, names, missing=st.none() | st.floats(allow_nan=False, allow_infinity=False)),
    words.flatmap(
        lambda each: st.builds(Column, names, st.just(each), st.none() | st.sampled_from(each))
    ),
)
# The names of features are made of those of columns: with "=" in these, they might not differ.
tables = (
    st.lists(columns, min_size=1, max_size=5, unique_by=lambda column: column.name)
    .filter(lambda table: not any("=" in column.name for column in table))
    .map(Columns.of)
)
signatures = st.builds(
    Signature,
    st.one_of(
        st.builds(Columns, several),
        st.builds(Images, st.tuples(sides, sides, sides), st.integers(1, 255)),
        st.builds(Arrays, st.lists(sides, min_size=1, max_size=4).map(tuple)),
        tables,
    ),
    st.one_of(st.builds(Numbers, names, names), st.builds(Classes, several, names)),
)


@settings(deadline=None, derandomize=True)
@given(signature=signatures, seed=st.integers(0, 2**32 - 1), size=st.integers(-300, 99))
def test_every_number_and_every_name_survives_to_the_bit(
    file: Path, signature: Signature, seed: int, size: int
) -> None:
    written = dataset(signature, seed)
    for part in PARTS:
        if getattr(written, part).dtype == np.float64:
            written = replace(written, **{part: getattr(written, part) * 10.0**size})
    file.write_bytes(dump_dataset(written))
    read = load_dataset(SYSTEM)
    assert read.signature == written.signature
    for name in PARTS:
        ours, theirs = getattr(written, name), getattr(read, name)
        assert (theirs.dtype, theirs.shape) == (ours.dtype, ours.shape)
        assert theirs.tobytes() == ours.tobytes()


@every_signature
def test_the_same_data_makes_the_same_bytes_however_it_lies_in_memory(
    signature: Signature,
) -> None:
    rows = dataset(signature)
    assert dump_dataset(rows) == dumped(signature)
    strided = np.repeat(rows.x_test, 2, axis=0)[::2]
    scattered = replace(rows, x_train=np.asfortranarray(rows.x_train), x_test=strided)
    assert dump_dataset(scattered) == dump_dataset(rows)
    other = rows.x_train.copy()
    other.view(np.uint8)[-1, ..., -1] ^= 1
    assert dump_dataset(replace(rows, x_train=other)) != dump_dataset(rows)


@every_signature
def test_the_first_and_the_last_pixel_and_label_are_read(file: Path, signature: Signature) -> None:
    rows = dataset(signature)
    if isinstance(signature.inputs, Images):
        rows.x_test[0], rows.x_test[1] = 0, WHITE
    if isinstance(signature.outputs, Classes):
        rows.y_test[:] = 0, len(signature.outputs.classes) - 1
    file.write_bytes(dump_dataset(rows))
    read = load_dataset(SYSTEM)
    np.testing.assert_array_equal(read.x_test, rows.x_test)
    np.testing.assert_array_equal(read.y_test, rows.y_test)


@every_signature
def test_a_part_that_is_missing_or_empty_is_named(file: Path, signature: Signature) -> None:
    for part in PARTS:
        said = refusal(file, dumped(signature, **{part: None}))
        assert "not a data file of this project" in said
        assert part in said
    for part in ("train", "test"):
        empty = {name: getattr(dataset(signature), name)[:0] for name in (f"x_{part}", f"y_{part}")}
        said = refusal(file, dumped(signature, **empty))
        assert f"x_{part}: got " in said
        assert "at least one row" in said


@every_signature
def test_a_part_of_another_shape_or_type_is_refused_with_what_is_allowed(
    file: Path, signature: Signature
) -> None:
    for part in PARTS:
        right = getattr(dataset(signature), part)
        wrong = [right[:-1], right[..., None], right.reshape(-1, 1, 1), right.flat[0:1].reshape(())]
        wrong += [right.swapaxes(-2, -1)] if right.ndim > 1 else [right.reshape(1, -1)]
        types = {"b1", "i1", "u1", "u2", "i8", "f4", "f8"} - {right.dtype.str[1:]}
        wrong += [right.astype(dtype) for dtype in types]
        for array in wrong:
            said = refusal(file, dumped(signature, **{part: array}))
            which = part.partition("_")[2]
            assert f"x_{which}: got " in said
            assert f"{array.dtype} of shape {array.shape}" in said
            shape = ", ".join(map(str, signature.shape))
            x_type = "uint8" if isinstance(signature.inputs, Images) else "float64"
            assert (
                f"allowed is {x_type} of shape (rows, {shape}), at least one row, with a " in said
            )


@every_signature
def test_a_value_that_is_not_allowed_is_refused_with_what_is(
    file: Path, signature: Signature
) -> None:
    for part in PARTS:
        right = getattr(dataset(signature), part)
        place = [1, *[0] * (right.ndim - 1)]
        finite = "; every value must be finite"
        wrong = {np.nan: f"nan at index {place}{finite}", -1e101: "1e+101; allowed is up to 1e+100"}
        wrong |= {
            np.inf: f"inf at index {place}{finite}",
            -np.inf: f"-inf at index {place}{finite}",
        }
        if right.dtype != np.float64:
            most = WHITE if part[0] == "x" else len(signature.outputs.classes) - 1
            top = np.iinfo(right.dtype).max
            wrong = {value: f"{value}; allowed are 0 to {most}" for value in {most + 1, top}}
        for value, message in wrong.items():
            array = right.copy()
            array[tuple(place)] = value
            assert refusal(file, dumped(signature, **{part: array})) == f"{part}: got {message}"


AGE, CITY = ({"name": "age", "categories": [], "missing": 30.5}, {"name": "city"})
WORDS = ["Rome", "Oslo"]
WRONG_TABLES: list[Any] = [
    *(None, 3, "age", {}, [], [None], [[]], ["age"], [CITY], [{**AGE, "unit": "years"}]),
    *([AGE, {**AGE, "name": name}] for name in ("age", 3, None, "a\nb", " a")),
    [{**AGE, "missing": None}],  # nothing but numbers without gaps: those are features
    *([{**AGE, "missing": gap}] for gap in ("30.5", True, [], 10**400, float("nan"))),
    *(
        [{**CITY, "categories": words, "missing": gap}]
        for words, gap in (
            *((WORDS, gap) for gap in ("", "Paris", 0, [], ["Rome"])),
            *((words, None) for words in (["Rome"], ["Rome", ""], ["Rome"] * 2, "Rome", [1, 2])),
        )
    ),
    [{**CITY, "categories": WORDS, "missing": None}, {**AGE, "name": "city=Oslo"}],
    [{"name": "x" * 10_000, "categories": [*map(str, range(1000))], "missing": None}],
]
HEADERS = [
    {},
    {"features": ["a", "b", "c"]},
    {"features": 3, "target": "t", "unit": "u"},
    {"array": [1, 3, 2], "features": ["a"], "classes": ["a"]},
    *({"array": shape, "classes": ["a"]} for shape in (None, 3, [], [1] * 5, [0], [2.0], [2**21])),
    *({"table": table, "classes": ["a"]} for table in WRONG_TABLES),
    {"features": [], "target": "t", "unit": "u"},
    {"shape": [1, 3, 2], "classes": ["a"]},
    {"shape": [1, 3, 2], "white": 16},
    {"white": 16, "classes": ["a"]},
    *(
        {"shape": shape, "white": 16, "classes": ["a"]}
        for shape in (
            None,
            5,
            "abc",
            [],
            [1, 3],
            [1, 3, 2, 1],
            [1, 3, 0],
            [1, 3, 2.0],
            [1, 3, True],
        )
    ),
    *(
        {"shape": [1, 3, 2], "white": white, "classes": ["a"]}
        for white in (0, -1, 16.0, None, True, "16", [16])
    ),
    *(
        {"shape": [1, 3, 2], "white": 16, "classes": classes}
        for classes in (None, 10, "012", [0, 1], [None], {}, ["a", "a"], ["a\nb"])
    ),
]


def test_a_header_that_does_not_say_what_the_data_is_is_refused(file: Path) -> None:
    arrays = {name: getattr(dataset(SIGNATURES["images, classes"]), name) for name in PARTS}
    for header in HEADERS:
        assert "not a data file of this project" in refusal(file, dump_arrays(header, arrays))


def test_the_header_of_a_table_over_images_is_refused_and_the_other_way_round(file: Path) -> None:
    table, images = (dumped(SIGNATURES[f"{kind}, classes"]) for kind in ("columns", "images"))
    file.write_bytes(table)
    table_header, table_arrays = load_arrays(file)
    file.write_bytes(images)
    image_header, image_arrays = load_arrays(file)
    allowed = "allowed is float64 of shape (rows, 3)"
    assert allowed in refusal(file, dump_arrays(table_header, image_arrays))
    allowed = "allowed is uint8 of shape (rows, 1, 3, 2)"
    assert allowed in refusal(file, dump_arrays(image_header, table_arrays))


def test_weights_survive_and_others_than_they_can_be_are_refused(file: Path) -> None:
    signature = SIGNATURES["columns, numbers"]
    weights = np.array([1e-15, 0.1, 1, 2, 1e15])
    file.write_bytes(dump_dataset(replace(dataset(signature), weights_train=weights)))
    np.testing.assert_array_equal(load_dataset(SYSTEM).weights_train, weights)
    assert "no array of it: weights" in refusal(file, dumped(signature, weights=weights))
    for wrong, expected in (
        (weights[:4], "got float64 of shape (4,); allowed is float64 of (5,)"),
        (np.ones(5, np.float32), "got float32 of shape (5,)"),
        (weights * 0, "got 0 to 0; allowed are 1e-15 to 1e+15, and 0 in a table"),
        (-weights, "got -1e+15 to -1e-15"),
        (weights * 1.1, "got 1.1e-15 to 1.1e+15"),
        (weights * np.nan, "every value must be finite"),
    ):
        said = refusal(file, dumped(signature, weights_train=wrong))
        assert said.startswith("weights_train: ")
        assert expected in said


def test_a_file_that_is_not_there_or_no_data_file_is_refused(file: Path) -> None:
    file.unlink(missing_ok=True)
    made = r"no such file; if it is one of the pipeline's, `dvc repro` makes it$"
    with pytest.raises(OctetError, match=made):
        load_dataset(SYSTEM)
    content = dumped(SIGNATURES["columns, numbers"])
    for wrong in (b"", b"<html></html>\n" * 9, content[:-1], content + b"\0"):
        assert "not a whole .safetensors file" in refusal(file, wrong)
    model = Network((Relu(),), SIGNATURES["columns, numbers"])
    assert "not a data file of this project" in refusal(file, storage.dump_network(model))


@pytest.mark.parametrize("kind", ["columns, numbers", "images, classes"])
@settings(deadline=None, derandomize=True, max_examples=300)
@given(data=st.data())
def test_a_changed_byte_is_other_data_or_an_error(
    file: Path, kind: str, data: st.DataObject
) -> None:
    content = bytearray(dumped(SIGNATURES[kind]))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    try:
        read = load_dataset(SYSTEM)
    except OctetError as error:
        message = str(error)
        assert message.splitlines() == [message]
    else:
        right = dataset(SIGNATURES[kind])
        for name in PARTS:
            assert getattr(read, name).shape == getattr(right, name).shape
            assert np.all(np.isfinite(getattr(read, name)))
