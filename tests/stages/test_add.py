"""A new system is ten lines of params.yaml at most, and names in dvc.yaml; nothing else changes."""

import difflib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from octet import files
from octet.layers import Linear
from octet.modelfile import storage
from octet.network import Network
from octet.signature import Columns, Numbers, Signature
from stages import dvc
from stages.add import __main__ as command
from stages.add.documents import with_system
from stages.load.readers.csv import separator_of
from tests.conftest import ROOT
from tests.stages.load.own import csv_text, table, write_idx, write_images

TRACK = command._track


@pytest.fixture(autouse=True)
def _top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with both documents, of which git and DVC know nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "dvc.yaml"):
        Path(name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(command, "_track", lambda _: None)


def add(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["add", *arguments])
    command.main()


def lines_added(name: str) -> list[str]:
    """To a document, of which no line may be gone or another."""
    before, after = ((folder / name).read_text().splitlines() for folder in (ROOT, Path()))
    changes = [line for line in difflib.ndiff(before, after) if not line.startswith("  ")]
    assert all(line.startswith("+ ") for line in changes)
    return [line.removeprefix("+ ") for line in changes]


def write_table() -> None:
    Path("t.csv").write_text(csv_text(table()))


def write_parts() -> None:
    Path("parts").mkdir()
    for part in range(2):
        rows = pyarrow.table({name: [*map(str, texts)] for name, texts in table(seed=part).items()})
        pyarrow.parquet.write_table(rows, f"parts/{part}.parquet")


def write_arrays() -> None:
    np.save("x.npy", np.random.default_rng(0).normal(size=(40, 3)))
    np.save("y.npy", np.array(["a", "b"] * 20))


def write_mnist() -> None:
    images = np.arange(40 * 25, dtype=np.uint8).reshape(40, 5, 5)
    write_idx("x", images)
    write_idx("z", images[:, ::-1])
    write_idx("y", np.arange(40, dtype=np.uint8) % 2)


# How a file is made, what the command is told, and what it says and writes.
CASES: dict[str, tuple[Callable[[], object], list[str], str, str]] = {
    "csv": (write_table, ["--data", "t.csv", "--target", "price"], "city: 3 categories", "linear"),
    "weights": (
        write_table,
        ["--data", "t.csv", "--target", "price", "--weights", "age"],
        "weights: age, ",
        "linear",
    ),
    "parts": (write_parts, ["--data", "parts", "--target", "price"], "64 rows", "linear"),
    "arrays": (write_arrays, ["--data", "x.npy", "y.npy"], "y, one of 2 classes", "logistic"),
    "images": (
        lambda: write_images("zoo", {"cat": "RGB", "dog": "RGB"}),
        ["--data", "zoo"],
        "images of 3 × 8 × 9",
        "network",
    ),
    "bundled": (lambda: None, ["--data", "wine"], "wine: 178 rows", "logistic"),
    "idx": (write_mnist, ["--data", "x", "y", "z", "y"], "images of 1 × 5 × 5", "network"),
}


@pytest.mark.parametrize("case", CASES)
def test_ten_lines_are_added_and_none_is_changed(
    case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write, arguments, said, model = CASES[case]
    write()
    add(monkeypatch, "mine", *arguments, "--dry")
    assert not lines_added("params.yaml")
    assert said in capsys.readouterr().out
    add(monkeypatch, "mine", *arguments)
    added = lines_added("params.yaml")
    assert ("weights: age" in "".join(added)) == (case == "weights")
    assert len(added) <= 10
    assert any(f"kind: {model}" in line for line in added)
    named = lines_added("dvc.yaml")
    assert "    path: models/mine/quantized.safetensors" in named
    # The report draws every system; a line of its own would draw this one twice.
    assert not [line for line in named if "plots/" in line]


def test_what_is_null_stays_so() -> None:
    text = "gates:\n  mse_increase: null\n# Mine.\nsystems:\n  wine: {data: wine}\n"
    document, _ = with_system(text, "mine", {"data": "wine", "model": {"kind": "logistic"}})
    assert document == f"{text}  mine:\n    data: wine\n    model: {{kind: logistic}}\n"


def test_a_changed_file_is_pinned_anew_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    write_table()
    add(monkeypatch, "mine", "--data", "t.csv", "--target", "price")
    first = lines_added("params.yaml")
    Path("t.csv").write_text(csv_text(table(60)))
    add(monkeypatch, "mine")
    second = lines_added("params.yaml")
    assert [a == b for a, b in zip(first, second, strict=True)].count(False) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mine"], "no system mine; --data FILE adds it"),
        (["mine", "--data", "t.csv"], "--target COLUMN: which column"),
        (["mine", "--data", "nowhere.csv"], "got nowhere.csv, which is not below"),
        (
            ["mine", "--data", "t.csv", "--target", "city", "--size", "3", "3"],
            "--size: csv takes none",
        ),
        (["mine", "--data", "t.doc"], "of no known kind"),
        (["mine", "--data", "empty", "--target", "y"], "--data empty: no file of a kind that is"),
        (["mine", "--data", "t.csv", "--target", "prise"], "no column prise; got age"),
        (["wine", "--data", "t.csv", "--target", "price"], "systems.wine is there"),
        (["a b", "--data", "nowhere.csv"], "allowed is a name of up to 64 letters"),
        (["mine", "--data", "wine", "--weights", "age"], "--weights: wine takes none"),
        (
            [
                *("mine", "--data", "t.csv", "--target", "price", "--weights", "age"),
                *("--model", "of_others.safetensors"),
            ],
            "systems.mine.data.weights: got age with a model of kind given, which is fitted",
        ),
        (
            ["mine", "--data", "t.csv", "--target", "price", "--model", "of_others.safetensors"],
            "of_others.safetensors: got a network that takes columns of others; allowed is columns",
        ),
    ],
)
def test_what_cannot_be_added_is_one_line_and_nothing_is_written(
    arguments: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table()
    Path("t.doc").write_text("what is this")
    Path("empty").mkdir()
    weight, bias = np.ones((1, 1), np.float32), np.zeros(1, np.float32)
    signature = Signature(Columns(("of others",)), Numbers("price", ""))
    files.write(
        Path("of_others.safetensors"),
        storage.dump_network(Network((Linear(weight, bias),), signature)),
    )
    with pytest.raises(SystemExit) as caught:
        add(monkeypatch, *arguments)
    message = str(caught.value)
    assert message.startswith("error: ")
    assert message.splitlines() == [message]
    assert expected in message
    assert not lines_added("params.yaml") + lines_added("dvc.yaml")


@pytest.mark.parametrize("content", [b"", b"stages: [", b"\xff\xfe", b"3"])
def test_a_pipeline_that_is_none_is_refused_before_anything_is_written(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table()
    Path("dvc.yaml").write_bytes(content)
    with pytest.raises(SystemExit, match=r"^error: dvc\.yaml: .*`git restore dvc\.yaml`$"):
        add(monkeypatch, "mine", "--data", "t.csv", "--target", "price")
    assert Path("dvc.yaml").read_bytes() == content
    assert not lines_added("params.yaml")


def test_without_a_pipeline_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dvc.yaml").unlink()
    with pytest.raises(SystemExit, match=r"dvc\.yaml: No such file"):
        add(monkeypatch, "mine", "--data", "wine")
    assert not lines_added("params.yaml")


def test_what_dvc_does_not_take_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_track", TRACK)
    subprocess.run(["git", "init", "--quiet"], check=True)
    assert dvc.run("init", "--quiet") == 0
    Path("dvc.yaml").write_text("stages: {}\n")  # params and metrics of the other are not here
    Path("data").mkdir()
    Path("data/t.csv").write_text(csv_text(table()))
    Path(".gitignore").write_text("/data/\n")
    with pytest.raises(SystemExit, match=r"git-ignored\. params\.yaml is as it was; data may lie"):
        add(monkeypatch, "mine", "--data", "data/t.csv", "--target", "price")
    assert not lines_added("params.yaml")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_line_of_names(separator: str) -> None:
    Path("t.csv").write_text(csv_text(table(), separator))
    assert separator_of(Path("t.csv")) == separator


def test_a_document_keeps_its_line_ends_and_a_link_to_it_stays_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("kept").mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        Path("kept", name).write_bytes(Path(name).read_bytes().replace(b"\n", b"\r\n"))
        Path(name).unlink()
        Path(name).symlink_to(Path("kept", name))
    add(monkeypatch, "mine", "--data", "wine")
    for name in ("params.yaml", "dvc.yaml"):
        assert Path(name).is_symlink()
        assert b"mine" in (content := Path("kept", name).read_bytes())
        assert content.count(b"\n") == content.count(b"\r\n")
