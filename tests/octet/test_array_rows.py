"""Rows from arrays, and files that are neither these nor text: each is used, or is named."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import pickle
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from octet.affine import Array
from octet.errors import OctetError
from octet.modelfile.arrays import dump_arrays
from octet.modelfile.signatures import dump_signature
from octet.runtime.predict import opened, predict
from octet.signature import Classes, Signature
from tests.octet.networks import images
from tests.octet.rowfiles import FLOWERS, TABLE, X, expected, predicted


@pytest.mark.parametrize("label", [2, 255])
def test_a_label_of_no_class_is_a_bad_row(tmp_path: Path, label: int) -> None:
    file = tmp_path / "x.safetensors"
    save_file({"x": X, "y": np.array([0, label, 1], np.uint8)}, file)
    with (
        pytest.raises(OctetError, match=r"row 1: the label is not the index of a class, 0 to 1"),
        opened(file, FLOWERS.signature, with_truth=True) as rows,
    ):
        list(predict(FLOWERS, rows, skip=False))


def npz(x: Array) -> bytes:
    file = io.BytesIO()
    np.savez(file, x=x)
    return file.getvalue()


def npy(x: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, x)
    return file.getvalue()


IDX = struct.pack(">BBBBII", 0, 0, 8, 2, 2, 3) + bytes(range(6))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("rows.npz", npz(X), "an .npz archive of NumPy; "),
        (
            "rows.xlsx",
            b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml",
            "a ZIP archive, as .xlsx",
        ),
        ("rows.csv", npy(X), "an array of NumPy; "),
        ("rows", save({"x": X}), "a .safetensors file; "),
        ("train-images-idx3-ubyte", IDX, "an IDX file, as MNIST has; "),
        ("rows.pickle", pickle.dumps([1]), "a pickle, of which none is ever read; "),
        ("rows.json", b'[{"a": 1}]', "JSON; "),
        ("rows.csv", b"<!DOCTYPE html>", "a web page or XML; "),
        ("rows.csv.xz", lzma.compress(b"1,2,3\n"), "a compressed file; "),
        ("rows.csv.bz2", bz2.compress(b"1,2,3\n"), "a compressed file; "),
        ("rows.parquet", b"PAR1\x15\x04", "a Parquet file; "),
        ("rows.png", b"\x89PNG\r\n\x1a\n", "a picture; "),
        ("rows.dat", "1,2,3\n".encode("utf-16-le"), "bytes that are no text, or UTF-16 without"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_kind_of_file_is_called_by_its_name(
    tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    (tmp_path / name).write_bytes(content)
    outputs, said = predicted(tmp_path / name)
    assert not outputs
    assert said.startswith(f"got {kind}")
    assert "; allowed are CSV, .npy and .safetensors: " in said
    (tmp_path / "packed").write_bytes(gzip.compress(content))
    _, said = predicted(tmp_path / "packed")
    assert said.startswith(f"{tmp_path / 'packed'} (in gzip): got {kind}")


@pytest.mark.parametrize(
    ("name", "content"), [("x.NPY", npy(X)), ("x.SafeTensors", save({"x": X}))]
)
def test_the_end_of_a_name_may_be_in_capitals(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert predicted(tmp_path / name) == (expected(X), "")


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_arrays_are_rows_too(tmp_path: Path, dtype: type[np.number]) -> None:
    x = np.round(10 * np.random.default_rng(0).normal(size=(20, 3))).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    save_file({"x": x, "y": x[:, 0].copy()}, tmp_path / "x.safetensors")
    for name in ("x.npy", "x.safetensors"):
        assert predicted(tmp_path / name) == (expected(x.astype(np.float64)), "")


def test_a_row_of_an_array_that_is_none_is_named(tmp_path: Path) -> None:
    x = X.copy()
    x[1, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    outputs, said = predicted(tmp_path / "x.npy")
    assert said == "row 1: got NaN or an infinity; every value must be finite"
    assert outputs == expected(X[:1])
    assert predicted(tmp_path / "x.npy", skip=True) == (expected(X[[0, 2]]), "")


def test_more_than_one_array_in_a_file_is_asked_about(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        np.save(file, X)
        np.save(file, X)
    _, said = predicted(tmp_path / "x.npy")
    assert said.startswith(f"got {len(npy(X))} bytes behind the array, a second one it seems; ")
    save_file({"x": X, "x_test": X}, tmp_path / "x.safetensors")
    said = predicted(tmp_path / "x.safetensors")
    assert said == ([], "got both x and x_test; one of them holds the rows")


def test_a_shape_that_is_nearly_right_is_told_what_makes_it_so(tmp_path: Path) -> None:
    network = images(0)
    for shape, way_out in (
        ((2, 8, 8), "; `x[None]` makes a row of one"),
        ((3, 8, 8, 2), "; `np.moveaxis(x, -1, 1)` puts the channels first"),
        ((3, 128), "; if its numbers are in that order, `x.reshape(-1, 2, 8, 8)`"),
        ((3, 5), ""),
    ):
        np.save(tmp_path / "x.npy", np.zeros(shape, np.uint8))
        allowed = f"got shape {shape}; allowed is (rows, 2, 8, 8)"
        assert predicted(tmp_path / "x.npy", network) == ([], allowed + way_out)


def test_integers_that_floats_do_not_hold_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1, 2, 2**53]]))
    _, said = predicted(tmp_path / "x.npy")
    assert said == "got an integer from 2⁵³ on, which float64 would round"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"features": ["a", "c", "b"]}, "got data of a, c, b; allowed is a, b, c"),
        ({"target": "rent"}, "the truth: got Numbers(target='rent', unit='USD'); allowed is "),
        ({"layers": []}, "got a model; allowed are rows: CSV, .npy and .safetensors"),
    ],
)
def test_data_of_another_model_is_refused_though_its_shape_is_right(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    file, header = tmp_path / "x.safetensors", dump_signature(TABLE.signature)
    file.write_bytes(dump_arrays({**header, **change}, {"x_test": X, "y_test": X[:, 0]}))
    with contextlib.ExitStack() as stack:
        if message:
            stack.enter_context(pytest.raises(OctetError, match=re.escape(message)))
        rows = stack.enter_context(opened(file, TABLE.signature, with_truth=True))
        assert sum(len(part.outputs) for part in predict(TABLE, rows, skip=False)) == len(X)


def test_labels_that_may_be_names_or_indices_are_asked_about(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    save_file({"x": X, "y": np.array([1, 2, 1], np.uint8)}, file)
    signature = Signature(FLOWERS.signature.inputs, Classes(("1", "2")))
    with (
        pytest.raises(OctetError, match="are labels names of classes, 1, 2, or their indices from"),
        opened(file, signature, with_truth=True),
    ):
        pass


@pytest.mark.parametrize("brightest", [1.0, 0.25])
def test_images_scaled_to_1_are_not_taken_for_dark_ones(tmp_path: Path, brightest: float) -> None:
    network = images(0)
    x = np.zeros((2, *network.signature.shape))
    x[1, 0, 1, 1] = brightest
    np.save(tmp_path / "x.npy", x)
    outputs, said = predicted(tmp_path / "x.npy", network)
    assert said.startswith("row 1: got no pixel above 1, and white is 255: scaled to 0 … 1? multip")
    assert outputs == expected(x[:1], network)
    np.save(tmp_path / "x.npy", np.ceil(x).astype(np.uint8))
    assert predicted(tmp_path / "x.npy", network) == (expected(np.ceil(x), network), "")


@pytest.mark.parametrize("pixel", [255.5, -1.0])
def test_a_pixel_that_is_none_is_a_bad_row(tmp_path: Path, pixel: float) -> None:
    network = images(0)
    x = np.zeros((3, *network.signature.shape))
    x[2, 0, 1, 1] = pixel
    np.save(tmp_path / "x.npy", x)
    outputs, said = predicted(tmp_path / "x.npy", network)
    assert said == "row 2: got a pixel outside 0 … 255; pixels go in as they are stored"
    assert outputs == expected(x[:2], network)


@dataclass
class Evil:
    target: Path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def test_an_array_of_objects_runs_no_code_as_unpickled_it_would(tmp_path: Path) -> None:
    evil = Evil(tmp_path / "owned")
    np.save(tmp_path / "x.npy", np.array([evil], object), allow_pickle=True)
    _, said = predicted(tmp_path / "x.npy")
    objects = "Array can't be memory-mapped: Python objects in dtype."
    assert f"not an .npy file of numbers ({objects})" in said
    assert not (tmp_path / "owned").exists()
    pickle.loads(pickle.dumps(evil))
    assert (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"PK\x03\x04",
        b"\x93NUMPY\x01\x00\x0e\x00{'descr': (((\n",
        b"\x93NUMPY\x01\x00\x0a\x00(10L, 10L)",
    ],
)
def test_a_file_that_is_no_array_is_one_line(tmp_path: Path, content: bytes) -> None:
    for name in ("x.npy", "x.safetensors"):
        (tmp_path / name).write_bytes(content)
        outputs, said = predicted(tmp_path / name)
        assert not outputs
        assert re.match(r"not an? ", said)
