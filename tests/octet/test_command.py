"""python -m octet: predictions for rows as they come, and one line for whatever is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import save_file

from octet import export, inference, storage
from octet.network import Columns, Linear, Network, Standardize
from tests.conftest import ROOT
from tests.octet import networks

FEATURES = ("a", "b", "c")


def model(folder: Path, network: Network) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(storage.dump_network(network))
    return path


@pytest.fixture
def network() -> Network:
    scaler = Standardize(np.array([1.0, -2.0, 0.5]), np.array([2.0, 0.25, 3.0]))
    head = Linear(np.array([[0.5, -1.5, 2.0]]), np.array([0.125]))
    return Network((scaler, head), Columns(FEATURES, "price", "USD"))


@pytest.fixture
def table(tmp_path: Path, network: Network) -> Path:
    return model(tmp_path, network)


def octet(*arguments: object, rows: str | bytes = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "octet", *map(str, arguments)],
        input=rows.encode() if isinstance(rows, str) else rows,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    text = subprocess.CompletedProcess(done.args, done.returncode, "", "")
    text.stdout, text.stderr = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in text.stderr
    return text


def numbers(text: str) -> list[float]:
    head, *lines = text.splitlines()
    assert head == "prediction"
    return [float(line) for line in lines]


X = np.array([[1.0, 2.0, 3.0], [-4.5, 0.0, 1e-3], [1e6, -7.0, 2.5]])


def csv(header: str, x: np.ndarray) -> str:
    lines = [",".join(map(repr, row)) for row in x.tolist()]
    return "\n".join(([header] if header else []) + lines) + "\n"


@pytest.mark.parametrize("text", [csv("", X), csv("a,b,c", X), csv("a,b,c", X).rstrip()])
def test_predictions_are_those_of_the_network_to_the_last_digit(
    table: Path, network: Network, text: str
) -> None:
    done = octet("predict", table, rows=text)
    assert (done.returncode, done.stderr) == (0, "")
    assert numbers(done.stdout) == inference.run(network, X)[:, 0].tolist()


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_columns_are_found_by_name_in_any_order_among_others(
    table: Path, network: Network, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / "rows.csv"
    lines = [
        "name,c,price,a, b",
        *(f"x{i},{c},0,{a},{b}" for i, (a, b, c) in enumerate(X.tolist())),
    ]
    file.write_text(ending.join(["", *lines, "", ""]), newline="")
    done = octet("predict", table, file)
    assert numbers(done.stdout) == inference.run(network, X)[:, 0].tolist()


def test_a_byte_order_mark_and_quotes_are_no_part_of_a_name(table: Path, network: Network) -> None:
    done = octet("predict", table, rows='\ufeff"a","b","c"\n1,"2",3\n')
    assert numbers(done.stdout) == inference.run(network, X[:1])[:, 0].tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "standard input: line 1: no column 'c'; the model takes a, b, c"),
        ("a,b,C\n1,2,3\n", "line 1: no column 'c'"),
        ("a,a,b,c\n1,2,3,4\n", "line 1: two columns are called 'a'"),
        ("1,2\n", "line 1: got 2 columns; allowed are 3, a, b, c, with the target behind them"),
        ("a,b,c\n1,2,3\n1,2\n", "line 3: got 2 fields; allowed are 3"),
        ("a,b,c\n1,2,3\n1,2,3,4\n", "line 3: got 4 fields; allowed are 3"),
        ("a,b,c\n1,2,3\n\n1,x,3\n", "line 4: column 'b': got 'x'; allowed is a finite number"),
        ("a,b,c\n1,2,3\n1,,3\n", "line 3: column 'b': got ''"),
        ("a,b,c\n1,2,3\nnan,2,3\n", "line 3: column 'a': got 'nan'"),
        ("a,b,c\n1,2,3\n1,2,-inf\n", "line 3: column 'c': got '-inf'"),
        ("a,b,c\n1,2,3\n1,2,1e999\n", "line 3: column 'c': got '1e999'"),
        ("a,b,c\n1,2,3\n1,2,0x10\n", "line 3: column 'c': got '0x10'"),
        ("a,b,c\n1,2,3\n1_0,2,3\n", "line 3: column 'a': got '1_0'"),
        ("a,b,c\n1,2,3\n# no,comment,here\n", "line 3: column 'a': got '# no'"),
        ("a,b,c\n1,2,3\n1,2,\x00\n", "line 3: "),
        ("a,b,c\n1,2,3\n1,2,\ud800\n".encode("utf-8", "surrogatepass"), "line 3: column 'c'"),
        ("a,b,c\n1,2,3\n" + "9" * 2**21, "line 3: longer than 1048576 bytes"),
    ],
)
def test_a_bad_row_is_named_after_all_before_it_were_written(
    table: Path, network: Network, text: str | bytes, message: str
) -> None:
    done = octet("predict", table, rows=text)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: standard input: line ")
    assert done.stderr.count("\n") == 1
    written = inference.run(network, X[:1])[:, 0].tolist() if "line 1:" not in message else []
    assert numbers(done.stdout) == written


def test_bad_rows_can_be_left_out_and_are_counted(table: Path, network: Network) -> None:
    text = csv("a,b,c", X).replace("-4.5", "?") + "1,2\n"
    done = octet("predict", table, "--on-error", "skip", "--summary", rows=text)
    assert done.returncode == 0
    assert numbers(done.stdout) == inference.run(network, X[[0, 2]])[:, 0].tolist()
    assert "left out: standard input: line 3: column 'a': got '?'" in done.stderr
    assert "left out: standard input: line 5: got 2 fields" in done.stderr
    assert "bad rows left out: 2" in done.stderr


def test_many_parts_are_one_prediction(table: Path, network: Network) -> None:
    x = np.random.default_rng(0).normal(size=(60_000, 3))
    truth = x.sum(axis=1)
    done = octet(
        "predict", table, "--summary", rows=csv("a,b,c,price", np.column_stack([x, truth]))
    )
    y = inference.run(network, x)[:, 0]
    assert numbers(done.stdout) == y.tolist()
    lines = done.stderr.splitlines()
    assert lines[:3] == [
        "predictions: 60,000 of price (USD)",
        f"range: {y.min():.4f} … {y.max():.4f}",
        f"mean: {y.mean():.4f}, standard deviation: {y.std():.4f}",
    ]
    assert lines[3] == "first: " + " ".join(f"{value:.4f}" for value in y[:10])
    assert lines[4] == "first errors: " + " ".join(f"{e:+.4f}" for e in (y - truth)[:10])
    assert lines[5] == f"mean absolute error: {np.mean(np.abs(y - truth)):.4f}"


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_arrays_are_rows_too(table: Path, network: Network, tmp_path: Path, dtype: type) -> None:
    x = np.round(10 * np.random.default_rng(0).normal(size=(20, 3))).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    save_file({"x": x, "y": x[:, 0].copy()}, tmp_path / "x.safetensors")
    expected = inference.run(network, x.astype(np.float64))[:, 0].tolist()
    for name in ("x.npy", "x.safetensors"):
        assert numbers(octet("predict", table, tmp_path / name).stdout) == expected


def test_a_row_of_an_array_that_is_not_finite_is_named(table: Path, tmp_path: Path) -> None:
    x = X.copy()
    x[1, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    done = octet("predict", table, tmp_path / "x.npy")
    assert (done.returncode, done.stderr) == (1, "error: x.npy: row 1: not finite\n")
    assert len(numbers(done.stdout)) == 1
    done = octet("predict", table, tmp_path / "x.npy", "--on-error", "skip")
    assert len(numbers(done.stdout)) == 2


def test_an_array_of_objects_runs_no_code(table: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([Evil()], object), allow_pickle=True)
    done = octet("predict", table, tmp_path / "x.npy")
    assert done.returncode == 1
    assert "not an array in NumPy's format" in done.stderr
    assert not (tmp_path / "owned").exists()


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{", b"PK\x03\x04"]
)
def test_a_file_that_is_no_array_is_one_line(table: Path, tmp_path: Path, content: bytes) -> None:
    for name in ("x.npy", "x.safetensors"):
        (tmp_path / name).write_bytes(content)
        done = octet("predict", table, tmp_path / name)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {tmp_path / name}: not a")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("bits", [8, 3])
def test_images_give_a_class_and_its_probability(tmp_path: Path, bits: int) -> None:
    network = networks.images(0, bits)
    x = networks.rows(network, 50)
    path = model(tmp_path, network)
    np.save(tmp_path / "x.npy", x)
    done = octet("predict", path, tmp_path / "x.npy", "--summary")
    outputs = inference.run(network, x)
    head, *lines = done.stdout.splitlines()
    assert head == "prediction,probability"
    classes = network.signature.classes
    assert [line.split(",")[0] for line in lines] == [classes[i] for i in outputs.argmax(axis=1)]
    share = np.exp(outputs).max(axis=1) / np.exp(outputs).sum(axis=1)
    np.testing.assert_allclose([float(line.split(",")[1]) for line in lines], share, atol=1e-6)
    assert done.stderr.startswith("predictions: 50\n")
    as_text = octet("predict", path, rows=csv("", x.reshape(50, -1).astype(float)))
    assert as_text.stdout == done.stdout


def test_a_reader_that_has_seen_enough_is_no_error(table: Path) -> None:
    command = f"{sys.executable} -m octet predict {table} | head -n 2"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        input=csv("a,b,c", np.ones((200_000, 3))),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["predict"], ["predict", "no-such-file"], ["info", "no-such-file"]],
)
def test_what_is_missing_is_one_line(arguments: list[str]) -> None:
    done = octet(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["images", "table", "flattened"])
def test_info_knows_every_layer_and_byte(tmp_path: Path, kind: str) -> None:
    network = getattr(networks, kind)(0)
    path = model(tmp_path, network)
    facts = json.loads(octet("info", path, "--json").stdout)
    assert len(facts["layers"]) == len(network.layers)
    sizes = storage.sizes(path)
    assert facts["bytes"] == {
        "codes": sizes.codes,
        "file": path.stat().st_size,
        "floats": sizes.floats,
        "scaler": sizes.scaler,
        "scales": sizes.scales,
    }
    text = octet("info", path).stdout
    assert all(layer["layer"] in text for layer in facts["layers"])
    assert f"{path.stat().st_size:,} bytes" in text


def test_the_exported_model_gives_the_codes_that_predict_gives(tmp_path: Path) -> None:
    network = networks.images(1)
    path, target = model(tmp_path, network), tmp_path / "model.onnx"
    done = octet("export", path, "--onnx", target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    x = networks.rows(network, 40)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {export.INPUT: x.astype(np.float64)})
    np.testing.assert_array_equal(outputs, inference.run(network, x).astype(np.float32))


def test_importing_the_product_imports_nothing_heavy() -> None:
    code = "import sys, octet.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"onnx", "torch", "sklearn", "scipy", "dvc", "pydantic"} & set(done.stdout.split())
