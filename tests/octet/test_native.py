"""Machine code gives the outputs of NumPy's runtime, and its errors."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octet.cli import predict as command
from octet.errors import OctetError
from octet.layers import KINDS, Dequantize, LeakyRelu, Sigmoid, Softmax
from octet.modelfile.storage import dump_network
from octet.network import Network
from octet.runtime import integer, native
from octet.signature import Arrays, Images, Input, Signature
from tests.conftest import ROOT, environment
from tests.octet.exporters.compiled import needs
from tests.octet.layers import cases
from tests.octet.modelfiles import weights_only
from tests.octet.networks import images, in_array, rows, table

CODED = {case.layer.kind: case for case in cases.CASES if case.coded}
PIXELS = images(0)
TABLE = table(0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    needs("cc")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("OCTET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def with_tail(network: Network, *tail: type[LeakyRelu | Softmax | Sigmoid]) -> Network:
    return replace(network, layers=(*network.layers, Dequantize(), *(kind() for kind in tail)))


def assert_same(network: Network, *inputs: Input) -> None:
    machine = native.load(network)
    for x in inputs:
        assert np.array_equal(machine.run(x), integer.run(network, x)), network


def test_every_kind_gives_the_same_outputs() -> None:
    assert {*CODED, "softmax", "standardize"} == KINDS.keys()
    for i, case in enumerate(CODED.values()):
        network = cases.integers(case, np.random.default_rng(i))
        reals = replace(
            network,
            signature=Signature(Arrays(network.signature.shape), network.signature.outputs),
        )
        assert_same(reals, cases.rows(reals.signature.shape, 20, np.random.default_rng(i)))


def test_what_is_in_float_at_either_end_is_too() -> None:
    for network in (with_tail(TABLE, Sigmoid), with_tail(TABLE), in_array()):
        assert_same(
            network, rows(network, 300), rows(network, 0), np.asfortranarray(rows(network, 7))
        )


def test_pixels_go_in_as_they_come() -> None:
    x = rows(PIXELS, 40)
    assert_same(with_tail(PIXELS, Softmax), x, x.astype(np.float64), x[::2, :, ::-1][:, :, ::-1])
    # What is no pixel goes through NumPy; and what is beyond white, is not in the tables of C.
    dark = replace(PIXELS, signature=replace(PIXELS.signature, inputs=Images((2, 8, 8), 15)))
    assert_same(dark, x % 16, x.astype(np.float64) + 0.5, x.astype(np.float64), -1.0 * x)


@pytest.mark.parametrize("network", [PIXELS, TABLE], ids=["images", "table"])
def test_it_refuses_what_numpy_refuses(network: Network) -> None:
    machine, good = native.load(network), rows(network, 3).astype(np.float64)
    huge, unknown = good.copy(), good.copy()
    huge.reshape(-1)[1], unknown.reshape(-1)[1] = 1e300, np.nan
    for bad in (good[:, :1], unknown, huge, good.astype(np.float32)):
        messages = []
        for run in (machine.run, lambda x: integer.run(network, x)):
            with (
                np.errstate(all="raise"),
                pytest.raises((OctetError, FloatingPointError)) as caught,
            ):
                run(bad)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


def model(network: Network, folder: Path) -> list[str]:
    """What predict is told for a network and rows of it."""
    path, data = folder / "model.safetensors", folder / "rows.npy"
    path.write_bytes(dump_network(network))
    np.save(data, rows(network, 200))
    return [str(path), str(data)]


def predict(words: list[str], engine: str) -> None:
    arguments = command.arguments("predict").parse_intermixed_args([*words, "--engine", engine])
    command.run(arguments)


def test_processes_do_not_spoil_each_other(tmp_path: Path, cache: Path) -> None:
    words = [sys.executable, "-m", "octet", "predict", *model(PIXELS, tmp_path), "--engine"]
    env = environment({"PYTHONPATH": str(ROOT)})
    started = [
        subprocess.Popen([*words, engine], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        for engine in ("numpy", "native", "native")
    ]
    numpy, *others = [process.communicate() for process in started]
    assert (numpy[0].count(b"\n"), numpy[1]) == (201, b"")
    assert others == [numpy] * 2
    assert {path.suffix for path in cache.iterdir()} == {".so"}


def test_a_compiler_that_does_not_work_is_said_and_numpy_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = model(PIXELS, tmp_path)
    predict(words, "numpy")
    expected, _ = capsys.readouterr()
    (tmp_path / "empty").mkdir()
    # Its libraries are none.
    broken = tmp_path / "broken"
    empty = 'case "$*" in *-E*) ;; *) echo > "$last" ;; esac'
    broken.write_text(f"#!/bin/sh\nfor last; do :; done\n{empty}\n")
    broken.chmod(0o755)
    for name, value, why in (
        ("PATH", str(tmp_path / "empty"), "no C compiler; install one of cc, gcc, clang"),
        ("CC", "no-such-cc -m64", "CC: got 'no-such-cc', and no such program"),
        ("CC", "'", "(No closing quotation)"),
        ("CC", "false", "the C compiler false failed: status 1"),
        ("CC", "cc -Dsizeof=;", "failed: "),
        ("CC", str(broken), "what the C compiler made does not load: "),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            predict(words, "native")
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == (expected, 1)
        assert err.startswith("--engine native: ")
        assert why in err
        assert err.endswith("; NumPy runs it, with the same codes\n")


def test_what_c_has_no_form_for_runs_in_numpy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(model(with_tail(PIXELS, LeakyRelu), tmp_path), "native")
    out, err = capsys.readouterr()
    assert out.count("\n") == 201
    assert "a leaky_relu in float behind dequantize has no form in C" in err


def test_a_model_in_float_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OctetError, match="it computes in float, and --engine"):
        predict(model(weights_only("unified", 4, (5, 1)), tmp_path), "native")


def test_the_note_on_a_cache_is_one_line_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("OCTET_CACHE", f"{tmp_path}/a file/two\nlines")
    predict(model(PIXELS, tmp_path), "native")
    _, err = capsys.readouterr()
    assert err == (
        "--engine native: compiled, but not kept: "
        rf"{tmp_path}/a file/two\nlines: Not a directory" + "\n"
    )
