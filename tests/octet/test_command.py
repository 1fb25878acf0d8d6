"""python -m octet: predictions for rows as they come, and one line for whatever is wrong."""

import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from csv import reader as read_csv
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import save_file

from octet.elementary import softmax
from octet.exporters import onnx as export
from octet.layers import Linear, Softmax, Standardize
from octet.modelfile import storage
from octet.network import Network
from octet.runtime import inference
from octet.signature import Classes, Columns, Images, Numbers, Signature
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
    return Network((scaler, head), Signature(Columns(FEATURES), Numbers("price", "USD")))


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
    assert head == "price"
    return [float(line) for line in lines]


X = np.array([[1.0, 2.0, 3.0], [-4.5, 0.0, 1e-3], [1e6, -7.0, 2.5]])


def csv(header: str, x: np.ndarray) -> str:
    lines = [",".join(map(repr, row)) for row in x.tolist()]
    return "\n".join(([header] if header else []) + lines) + "\n"


def test_predictions_are_those_of_the_network_to_the_last_digit(
    table: Path, network: Network
) -> None:
    done = octet("predict", table, rows=csv("a,b,c", X))
    assert (done.returncode, done.stderr) == (0, "")
    assert numbers(done.stdout) == inference.run(network, X)[:, 0].tolist()


def test_a_bad_row_is_one_line_after_all_before_it_were_written(
    table: Path, network: Network
) -> None:
    done = octet("predict", table, rows="a,b,c\n1,2,3\n1,x,3\n4,5,6\n")
    assert done.returncode == 1
    said = "error: standard input: line 3: b: got 'x'; allowed is a finite number\n"
    assert done.stderr == said
    assert numbers(done.stdout) == inference.run(network, X[:1])[:, 0].tolist()


def test_bad_rows_can_be_left_out_and_are_counted(table: Path, network: Network) -> None:
    text = csv("a,b,c", X).replace("-4.5", "?") + "1,2\n"
    done = octet("predict", table, "--on-error", "skip", rows=text)
    assert done.returncode == 0
    assert numbers(done.stdout) == inference.run(network, X[[0, 2]])[:, 0].tolist()
    first = "standard input: line 3: a: got '?'; allowed is a finite number"
    more = "; --rows numbers those that were predicted"
    assert done.stderr == f"skipped 2, the first: {first}{more}\n"
    done = octet("predict", table, "--on-error", "skip", "--rows", rows=text)
    head, *lines = [line.split(",") for line in done.stdout.splitlines()]
    assert head == ["line", "price"]
    outputs = inference.run(network, X[[0, 2]])[:, 0]
    assert [(int(line), float(price)) for line, price in lines] == [
        *zip((2, 4), outputs, strict=True)
    ]
    assert done.stderr == f"skipped 2, the first: {first}\n"


def test_if_every_row_is_bad_that_is_an_error(table: Path) -> None:
    done = octet("predict", table, "--on-error", "skip", "--no-header", rows="1,2\n1\n")
    assert done.returncode == 1
    first = "standard input: line 1: got 2 columns; allowed are 3"
    assert done.stderr == f"error: every row was bad, 2 in all; {first}\n"


@pytest.mark.parametrize("arguments", [["--summary", "{}"], ["{}", "--summary"]])
def test_rows_may_stand_before_an_option_or_behind_it(
    table: Path, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "rows.csv").write_text("a,b,c\n1,2,3\n")
    done = octet("predict", table, *(each.format(tmp_path / "rows.csv") for each in arguments))
    assert done.returncode == 0
    assert "count               1" in done.stderr


def test_figures_beyond_counting_are_short_and_no_warning(table: Path) -> None:
    done = octet("predict", table, "--summary", "-", rows="a,b,c\n1e300,2,3\n-1e300,2,3\n")
    assert done.returncode == 0
    assert "range               -2.5e+299 … 2.5e+299\n" in done.stderr
    assert "standard deviation  inf\n" in done.stderr
    assert "Warning" not in done.stderr


def test_what_is_true_of_a_row_counts_only_where_it_is_asked_for(table: Path) -> None:
    text = "a,b,c,price\n1,2,3,?\n"
    assert octet("predict", table, rows=text).returncode == 0
    done = octet("predict", table, "--summary", rows=text)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard input: line 2: price: got '?'")


def test_many_parts_are_one_prediction(table: Path, network: Network) -> None:
    size = 60_000
    x = np.random.default_rng(0).normal(size=(size, 3))
    truth = x.sum(axis=1)
    rows = csv("a,b,c,price", np.column_stack([x, truth]))
    done = octet("predict", table, "--summary", rows=rows)
    y = inference.run(network, x)[:, 0]
    assert numbers(done.stdout) == y.tolist()
    about, *lines = done.stderr.splitlines()
    assert about == "price (USD)"
    assert [line.split(maxsplit=1) for line in lines[:2]] == [
        ["count", str(size)],
        ["range", f"{y.min():.4f} … {y.max():.4f}"],
    ]
    assert lines[2].split() == ["mean", f"{y.mean():.4f}"]
    assert lines[3].split() == ["standard", "deviation", f"{y.std():.4f}"]
    assert lines[4].split() == ["MAE", f"{np.mean(np.abs(y - truth)):.4f}"]
    first = [f"{value:.4f} {value - true:+.4f}" for value, true in zip(y, truth, strict=True)]
    assert [" ".join(line.split()) for line in lines[6:]] == first[:10]


def test_rows_are_predicted_while_others_are_still_to_come(table: Path) -> None:
    command = [sys.executable, "-m", "octet", "predict", str(table), "--no-header"]
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for row in ("1,2,3", "4,5,6"):
            process.stdin.write(f"{row}\n")
            process.stdin.flush()
            assert any("." in line for line in iter(process.stdout.readline, ""))
        process.stdin.close()
        assert process.wait() == 0


def test_a_terminal_shows_how_far_it_has_come_and_nothing_of_it_stays(
    table: Path, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text(csv("a,b,c", np.ones((100_000, 3))))
    ours, theirs = pty.openpty()
    with (tmp_path / "out.csv").open("wb") as out:
        subprocess.run(
            [sys.executable, "-m", "octet", "predict", str(table), str(tmp_path / "rows.csv")],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=theirs,
            check=True,
        )
    shown = os.read(ours, 2**16).decode()
    os.close(ours)
    os.close(theirs)
    assert re.match(r"\r\|█* *\| +\d+% [\d,]+ rows", shown)
    assert shown.endswith("\r\x1b[K")


@pytest.mark.parametrize("bits", [8, 3])
def test_images_give_a_class_and_the_probability_of_each(tmp_path: Path, bits: int) -> None:
    network = networks.images(0, bits)
    assert isinstance(network.signature.inputs, Images)
    x = np.random.default_rng(0).integers(0, 17, (50, *network.signature.shape), np.uint8)
    labels = np.arange(50, dtype=np.uint8) % 3
    path = model(tmp_path, network)
    np.save(tmp_path / "x.npy", x)
    save_file({"x_test": x, "y_test": labels}, tmp_path / "data.safetensors")
    done = octet("predict", path, tmp_path / "data.safetensors", "--summary")
    outputs = inference.run(network, x)
    classes = network.signature.outputs.classes
    head, *lines = [line.split(",") for line in done.stdout.splitlines()]
    assert head == ["class", *classes]
    assert [line[0] for line in lines] == [classes[i] for i in outputs.argmax(axis=1)]
    assert [[float(one) for one in line[1:]] for line in lines] == softmax(outputs).tolist()
    right = np.mean(outputs.argmax(axis=1) == labels)
    assert f"accuracy  {right:.4f}" in done.stderr
    for rows in ([tmp_path / "x.npy"], []):
        text = csv("", x.reshape(50, -1).astype(float))
        assert octet("predict", path, *rows, rows=text).stdout == done.stdout


def test_a_table_gives_a_class_and_the_probability_of_each(tmp_path: Path) -> None:
    layer = Linear(np.array([[0.5, -1.5, 2.0], [1.0, 0.0, -1.0]]), np.array([0.125, 0.0]))
    classes = Classes(("harmless", "malignant, surely"))
    network = Network((layer,), Signature(Columns(FEATURES), classes))
    path = model(tmp_path, network)
    x = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, -3.0], [0.0, 1.0, 2.0]])
    outputs = inference.run(network, x)
    predicted = [classes.classes[i] for i in outputs.argmax(axis=1)]
    assert len({*predicted}) == 2
    lines = [f"{','.join(map(repr, row))},harmless" for row in x.tolist()]
    done = octet("predict", path, "--summary", rows="\n".join(["a,b,c,class", *lines]))
    assert done.returncode == 0
    head, *rows = list(read_csv(done.stdout.splitlines()))
    assert head == ["class", *classes.classes]
    assert [row[0] for row in rows] == predicted
    assert [[float(each) for each in row[1:]] for row in rows] == softmax(outputs).tolist()
    right = predicted.count("harmless")
    assert f"accuracy  {right / 3:.4f} ({3 - right} wrong)" in done.stderr
    counts = {name: predicted.count(name) for name in classes.classes}
    for name, count in counts.items():
        assert re.search(rf"^ +{name}  {count}$", done.stderr, re.MULTILINE)


def test_probabilities_are_not_taken_for_logits(tmp_path: Path) -> None:
    layers = (Linear(np.eye(3), np.zeros(3)), Softmax())
    network = Network(layers, Signature(Columns(FEATURES), Classes(FEATURES, "flower")))
    text = octet("predict", model(tmp_path, network), rows="a,b,c\n1,2,3\n").stdout
    outputs = softmax([1.0, 2.0, 3.0]).tolist()
    assert text == f"flower,a,b,c\nc,{','.join(map(repr, outputs))}\n"


def test_it_ends_as_other_tools_do_when_its_reader_has_seen_enough(table: Path) -> None:
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
    assert done.returncode == 128 + signal.SIGPIPE
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["predict"], ["info", "no-such-file"]])
def test_what_is_missing_is_one_line(arguments: list[str]) -> None:
    done = octet(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["images", "table"])
def test_info_knows_every_layer_and_byte(tmp_path: Path, kind: str) -> None:
    network = replace(
        getattr(networks, kind)(0), provenance={"data": "0123", "params": {"a": {"c": 2, "b": 1}}}
    )
    path = model(tmp_path, network)
    facts = json.loads(octet("info", path, "--json").stdout)
    assert len(facts["layers"]) == len(network.layers)
    assert facts["bytes"] == asdict(storage.sizes(path))
    for what in ("codes", "scales"):
        assert facts["bytes"][what] == sum(layer[what] for layer in facts["layers"])
    assert facts["md5"] == hashlib.md5(path.read_bytes()).hexdigest()
    assert facts["provenance"] == {**network.provenance, "git_revision": None}
    text = octet("info", path).stdout
    assert all(layer["layer"] in text for layer in facts["layers"])
    assert re.search(r"^a params +b 1, c 2$", text, re.MULTILINE)


def test_the_exported_model_gives_what_predict_gives(tmp_path: Path) -> None:
    network = networks.images(1)
    path, target = model(tmp_path, network), tmp_path / "model.onnx"
    done = octet("export", path, "--onnx", target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    x = networks.rows(network, 40)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {export.INPUT: x.astype(np.float64)})
    np.testing.assert_array_equal(outputs, inference.run(network, x))


def test_a_model_is_not_exported_over_itself(tmp_path: Path) -> None:
    path = model(tmp_path, networks.images(1))
    content = path.read_bytes()
    done = octet("export", path, "--onnx", tmp_path / "." / path.name)
    assert done.returncode == 1
    assert done.stderr == f"error: {path}: this is the file of the model; name another\n"
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", ""])
def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path, kind: str) -> None:
    path = model(tmp_path, networks.images(1))
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    done = octet("export", path, "--onnx", tmp_path / kind if kind else "")
    assert done.returncode == 1
    assert done.stderr.endswith(": got a link, folder or device; name a file, old or new\n")
    assert (tmp_path / "folder").is_dir()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "pipe").is_fifo()


def test_importing_the_product_imports_nothing_heavy() -> None:
    code = """
import sys
from importlib import import_module
from octet.__main__ import COMMANDS
for name in COMMANDS.values():
    import_module(f"octet.cli.{name}")
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"onnx", "torch", "sklearn", "scipy", "dvc", "pydantic"} & set(done.stdout.split())
