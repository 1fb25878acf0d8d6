"""The data file: what goes in comes out to the bit, and nothing else is taken for one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save

from octet.errors import OctetError
from octet.layers import Linear
from octet.modelfile import storage
from octet.modelfile.arrays import dump_arrays
from octet.network import Network
from octet.signature import Columns, Numbers, Signature
from stages import paths
from stages.dataset import Dataset, dump_dataset, load_dataset

ROOT = Path(__file__).parents[2]
SYSTEM = "small"
PARTS = ("x_train", "y_train", "x_test", "y_test")


def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(
        x_train=rng.normal(size=(5, 3)),
        y_train=rng.normal(size=5),
        x_test=rng.normal(size=(2, 3)),
        y_test=rng.normal(size=2),
        signature=Signature(Columns(("age", "bmi", "größe")), Numbers("progression", "points")),
    )


def dumped(header: dict[str, Any] | None = None, **parts: npt.NDArray[Any] | None) -> bytes:
    """A data file with other parts than `dataset` has; None leaves one out."""
    whole = {name: getattr(dataset(), name) for name in PARTS} | parts
    described = {"features": ["age", "bmi", "größe"], "target": "progression", "unit": "points"}
    given = {name: array for name, array in whole.items() if array is not None}
    return dump_arrays(described if header is None else header, given)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = paths.data_path(SYSTEM)
    path.parent.mkdir()
    return path


def refusal(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    with pytest.raises(OctetError) as caught:
        load_dataset(SYSTEM)
    assert_one_line(file, str(caught.value))
    return str(caught.value)


def assert_one_line(file: Path, message: str) -> None:
    assert message.splitlines() == [message]
    assert message.startswith(f"{file}: ")


def test_the_stages_write_where_dvc_looks() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for stage, path in [
        ("load", paths.data_path),
        ("train", paths.float_path),
        *(
            (stage, lambda system, file=file: paths.plot_path(system, file))
            for stage, file in [
                ("train", "training.csv"),
                ("train", "views.png"),
                ("evaluate", "outputs.safetensors"),
                ("evaluate", "predictions.csv"),
                ("sweep", "sweep.csv"),
            ]
        ),
        ("quantize", paths.quantized_path),
        *(
            ("quantize", lambda system, bits=bits: paths.apart_path(system, bits).parent)
            for bits in paths.APART_BITS
        ),
        ("evaluate", paths.metrics_path),
    ]:
        work = stages[stage]["do"]
        written = [name for out in work.get("outs", []) + work.get("metrics", []) for name in out]
        assert path("${key}").as_posix() in written


def test_what_is_written_is_what_is_read(file: Path) -> None:
    written = dataset()
    file.write_bytes(dump_dataset(written))
    read = load_dataset(SYSTEM)
    assert read.signature == written.signature
    for name in PARTS:
        array = getattr(read, name)
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, getattr(written, name), strict=True)


# What can be printed, and what a header of CSV can name.
names = st.text(max_size=5).filter(lambda text: text.isprintable() and text == text.strip())


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    x=arrays(np.float64, (4, 2), elements=st.floats(-1e100, 1e100)),
    y=arrays(np.float64, (4,), elements=st.floats(-1e100, 1e100)),
    names=st.lists(names, min_size=2, max_size=2, unique=True),
)
def test_every_number_and_every_name_survives_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    names: list[str],
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.getbasetemp())
        paths.data_path(SYSTEM).parent.mkdir(exist_ok=True)
        written = Dataset(x, y, x[:1], y[:1], Signature(Columns(tuple(names)), Numbers(*names)))
        paths.data_path(SYSTEM).write_bytes(dump_dataset(written))
        read = load_dataset(SYSTEM)
    assert read.signature == written.signature
    for name in PARTS:
        assert getattr(read, name).tobytes() == getattr(written, name).tobytes()


def test_the_same_data_makes_the_same_bytes_however_it_lies_in_memory() -> None:
    rows = dataset()
    strided = np.repeat(rows.x_test, 2, axis=0)[::2]
    scattered = replace(rows, x_train=np.asfortranarray(rows.x_train), x_test=strided)
    assert dump_dataset(scattered) == dump_dataset(rows)


def test_other_data_makes_other_bytes() -> None:
    rows = dataset()
    other = rows.x_train.copy()
    other[-1, -1] = np.nextafter(other[-1, -1], np.inf)
    assert dump_dataset(replace(rows, x_train=other)) != dump_dataset(rows)


def test_a_missing_file_is_answered_with_what_makes_it(file: Path) -> None:
    with pytest.raises(
        OctetError, match=r"no such file; if it is one of the pipeline's, `dvc repro` makes it"
    ) as caught:
        load_dataset(SYSTEM)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_folder_in_its_place_is_refused(file: Path) -> None:
    file.mkdir()
    with pytest.raises(OctetError, match=r"not a whole \.safetensors file"):
        load_dataset(SYSTEM)


def test_no_beginning_of_a_file_is_taken_for_the_whole(file: Path) -> None:
    content = dumped()
    for length in range(len(content)):
        assert "not a whole .safetensors file" in refusal(file, content[:length])


def test_a_file_with_a_tail_is_refused(file: Path) -> None:
    assert "not a whole .safetensors file" in refusal(file, dumped() + b"\0")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body>Please log in</body></html>\n" * 9,
        b"\0" * 99,
        b"\xff" * 99,
        b"PK\3\4" * 9,
    ],
    ids=["empty", "HTML page", "zeros", "ones", "archive"],
)
def test_another_kind_of_file_is_refused(file: Path, content: bytes) -> None:
    assert "not a whole .safetensors file" in refusal(file, content)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"octet": "5"}, {"octet": "{"}])
def test_a_safetensors_file_of_another_project_is_refused(
    file: Path, metadata: dict[str, str] | None
) -> None:
    content = save({name: getattr(dataset(), name) for name in PARTS}, metadata)
    assert "without this project's header" in refusal(file, content)


def test_a_header_too_deep_to_read_is_refused(file: Path) -> None:
    refusal(file, save({"x": np.zeros(1)}, {"octet": "[" * 100_000}))


def test_a_model_file_is_no_data_file(file: Path) -> None:
    signature = dataset().signature
    network = Network((Linear(np.ones((1, 3)), np.zeros(1)),), signature)
    message = refusal(file, storage.dump_network(network))
    assert "not a data file of this project" in message


@pytest.mark.parametrize(
    "header",
    [{}, {"features": ["a", "b", "c"]}, {"features": 3, "target": "t", "unit": "u"}],
    ids=["empty", "no target", "features no list"],
)
def test_a_header_that_does_not_name_the_columns_is_refused(
    file: Path, header: dict[str, Any]
) -> None:
    assert "not a data file of this project" in refusal(file, dumped(header))


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(file: Path, part: str) -> None:
    message = refusal(file, dumped(**{part: None}))
    assert "not a data file of this project" in message
    assert part in message


@pytest.mark.parametrize(
    ("part", "array"),
    [
        ("x_train", np.zeros((4, 3))),
        ("x_train", np.zeros((5, 2))),
        ("x_train", np.zeros((5, 4))),
        ("x_train", np.zeros((3, 5))),
        ("x_train", np.zeros((5, 3, 1))),
        ("x_train", np.zeros(15)),
        ("x_train", np.zeros((5, 3), np.float32)),
        ("x_train", np.zeros((5, 3), np.int64)),
        ("x_train", np.array(0.0)),
        ("y_train", np.zeros(4)),
        ("y_train", np.zeros((5, 1))),
        ("y_train", np.zeros(5, np.float32)),
        ("y_train", np.array(0.0)),
        ("x_test", np.zeros((2, 2))),
        ("y_test", np.zeros(3)),
        ("y_test", np.array(0.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.dtype}{value.shape}",
)
def test_a_part_of_another_shape_or_type_is_refused_with_what_is_allowed(
    file: Path, part: str, array: npt.NDArray[Any]
) -> None:
    message = refusal(file, dumped(**{part: array}))
    assert f"x_{part.partition('_')[2]}: got " in message
    assert "allowed is float64 of shape (" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("part", PARTS)
def test_a_number_that_is_not_finite_is_refused_with_its_place(
    file: Path, part: str, value: float
) -> None:
    array = getattr(dataset(), part).copy()
    array[1, ...] = value
    message = refusal(file, dumped(**{part: array}))
    place = [1, 0] if array.ndim == 2 else [1]
    assert f"{part}: got {value} at index {place}" in message


@pytest.mark.parametrize(
    "empty",
    [
        {"x_train": np.zeros((0, 3)), "y_train": np.zeros(0)},
        {"x_test": np.zeros((0, 3)), "y_test": np.zeros(0)},
    ],
    ids=["train", "test"],
)
def test_a_part_without_rows_is_refused(
    file: Path, empty: dict[str, npt.NDArray[np.float64]]
) -> None:
    assert next(iter(empty)) in refusal(file, dumped(**empty))


@settings(deadline=None, derandomize=True, max_examples=300)
@given(place=st.integers(0, len(dumped()) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_other_data_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    content = bytearray(dumped())
    content[place] = byte
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.getbasetemp())
        file = paths.data_path(SYSTEM)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        try:
            read = load_dataset(SYSTEM)
        except OctetError as error:
            assert_one_line(file, str(error))
        else:
            assert [getattr(read, name).shape for name in PARTS] == [(5, 3), (5,), (2, 3), (2,)]
            assert all(np.all(np.isfinite(getattr(read, name))) for name in PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_a_number_too_large_to_square_and_sum_is_refused(file: Path, part: str) -> None:
    array = np.asarray(getattr(dataset(), part)).copy()
    array.flat[-1] = -1e101
    message = refusal(file, dumped(**{part: array}))
    assert f"{part}: got 1e+101; allowed is up to 1e+100" in message
