"""python -m octet export --c: files that compile and check themselves, or one line."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from octet.cli import export
from octet.errors import OctetError
from octet.exporters import c
from octet.modelfile.storage import dump_network
from octet.network import Network
from tests.octet.exporters.compiled import STRICT, needs
from tests.octet.modelfiles import weights_only
from tests.octet.networks import images, rows, table

NETWORKS = {"images": images(0), "table": table(0), "float": weights_only("unified", 4, (3, 1))}


def run(*words: str | Path) -> None:
    export.run(export.arguments("export").parse_intermixed_args(list(map(str, words))))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return written(NETWORKS["images"], tmp_path)


def written(network: Network, folder: Path) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(dump_network(network))
    return path


@pytest.mark.parametrize("target", ["small", "x86"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_file_checks_itself(kind: str, target: str, tmp_path: Path) -> None:
    needs("gcc")
    model, data = written(NETWORKS[kind], tmp_path), tmp_path / "rows.npy"
    np.save(data, rows(NETWORKS[kind], 20))
    source, header = tmp_path / "net.c", tmp_path / "net.h"
    words = ("--c", source, "--header", header, "--name", "net", "--target", target)
    run(model, *words, "--selftest", data)
    program = tmp_path / "net"
    command = ["gcc", *STRICT, "-O1", "-DNET_SELFTEST", str(source), "-o", str(program)]
    subprocess.run(command, check=True)
    assert subprocess.run([program], check=False).returncode == 0
    # A wrong code is told.
    text = source.read_text()
    start = text.index("{", text.index("net_expected[")) + 1
    broken = f"{text[:start]} 77, {text[start:].replace(' ', '', 1).split(',', 1)[1]}"
    source.write_text(broken)
    subprocess.run(command, check=True)
    assert subprocess.run([program], check=False).returncode == 1
    first = text.splitlines()[1]
    assert header.read_text().splitlines()[1] == first


def test_the_same_model_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    for name in ("a.c", "b.c"):
        run(model, "--c", tmp_path / name)
    assert (tmp_path / "a.c").read_bytes() == (tmp_path / "b.c").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--c", "{}"), "got a link, folder or device"),
        (("--c", "{}/model.safetensors"), "this is the file of the model"),
        (("--c", "{}/a.c", "--header", "{}/a.c"), "the header is the C file itself"),
        (("--c", "{}/a.c", "--name", "for"), "--name: got 'for'"),
        (("--c", "{}/a.c", "--header", "{}/é.h"), "--header: got 'é.h'; allowed are"),
        (("--c", "{}/a.c", "--target", "z80"), "argument --target: invalid choice"),
        (("--onnx", "{}/a.onnx", "--header", "{}/a.h"), "--header: only with --c"),
        (("--c", "{}/a.c", "--flash", "99"), r"--flash: constants, .* would take \d+ bytes"),
        (("--c", "{}/a.c", "--ram", "99"), r"--ram: the struct would take \d+ bytes"),
        (("--onnx", "{}/a.onnx", "--name", "a"), "--name: only with --c"),
        (("--onnx", "{}/a.onnx", "--c", "{}/a.c"), "not allowed with argument"),
        ((), "one of the arguments --onnx --c is required"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_words_are_refused_and_nothing_is_written(
    words: tuple[str, ...], message: str, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(OctetError, match=message):
        run(model, *(word.format(tmp_path) for word in words))
    assert [path.name for path in tmp_path.iterdir()] == [model.name]


@pytest.mark.parametrize(
    "name",
    ["memmove", "size_t", "int64_t", "UINT8_MAX", "FLT_EVAL_METHOD", "NULL", "free", "codes"],
)
def test_a_name_that_stands_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(OctetError, match=f"--name: got '{name}'; allowed is a C identifier"):
        c.export(NETWORKS["images"], c.Options(name))
