"""How much memory rows and files from outside may take, whatever is in them."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from octet.modelfile import packing, storage
from octet.network import Network
from tests.conftest import ROOT
from tests.octet.modelfiles import Parts, take_apart, weights_only

FEATURES = 63
OUTPUTS = 2**20
ROWS = 10_000_000
# Headers are parsed, arrays checked part by part, and allocators keep some of what was freed.
SLACK = 16 * 2**20

# Not getrusage's: that begins with what the process was that started this one.
PEAK = """
import atexit, re, runpy, sys
from pathlib import Path

def peak():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024
"""
READ = """
from octet.modelfile import storage
from octet.errors import OctetError

small, large = map(Path, sys.argv[1:])
storage.load_network(small)
before = peak()
try:
    storage.load_network(large)
except OctetError as error:
    print(peak() - before, error)
"""
RUN = """
atexit.register(lambda: print(peak(), file=sys.stderr))
runpy.run_module("octet", run_name="__main__", alter_sys=True)
"""


def grow(parts: Parts, outputs: int) -> None:
    """Many more outputs, all of them 0."""
    layer = parts.header["layers"][1]
    layer["outputs"] = outputs
    for kind, count in (("weight", outputs * FEATURES), ("bias", outputs)):
        old = parts.arrays.get(f"1.{kind}.codes")
        if old is None:
            shape = (outputs, FEATURES) if kind == "weight" else (outputs,)
            parts.arrays[f"1.{kind}"] = np.zeros(shape)
        else:
            size = packing.packed_size(count, layer[kind]["bits"])
            parts.arrays[f"1.{kind}.codes"] = np.zeros(size, np.uint8)


def not_a_number(parts: Parts) -> None:
    """In float."""
    grow(parts, OUTPUTS // 8)
    parts.arrays["1.bias"][-1] = np.nan


def padding(parts: Parts) -> None:
    """In the last byte of many codes of 3 bits."""
    grow(parts, OUTPUTS - 1)
    parts.arrays["1.weight.codes"][-1] = 255


def surplus(parts: Parts) -> None:
    """One array too many, behind many codes of 2 bits."""
    grow(parts, OUTPUTS)
    parts.arrays["2.weight"] = np.zeros(1)


def scales(parts: Parts) -> None:
    """Of many scales, the last is infinite."""
    grow(parts, OUTPUTS // 8)
    many = np.full((OUTPUTS // 8, FEATURES), 0.5, np.float32)
    many[-1, -1] = np.inf
    parts.arrays["1.weight.scale"] = many
    parts.arrays["1.weight.zero_point"] = np.zeros(many.shape, np.uint8)
    parts.arrays["1.bias.scale"] = many[:, 0]
    parts.arrays["1.bias.zero_point"] = np.zeros(len(many), np.uint8)


def too_wide(parts: Parts) -> None:
    """More outputs than there may be."""
    grow(parts, OUTPUTS + 1)


@pytest.mark.parametrize(
    ("granularity", "bits", "damage"),
    [
        ("float", 8, not_a_number),
        ("per_tensor", 3, padding),
        ("per_tensor", 2, surplus),
        ("per_parameter", 4, scales),
        ("per_tensor", 8, too_wide),
    ],
)
def test_a_file_that_is_refused_takes_twice_its_size_at_most(
    tmp_path: Path, granularity: str, bits: int, damage: Callable[[Parts], None]
) -> None:
    small = tmp_path / "small.safetensors"
    small.write_bytes(storage.dump_network(weights_only("float")))
    network = weights_only(granularity, bits, (FEATURES, 2))
    parts = take_apart(tmp_path / "large.safetensors", network)
    damage(parts)
    parts.write()
    done = subprocess.run(
        [sys.executable, "-c", PEAK + READ, str(small), str(parts.file)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    added, *message = done.stdout.split()
    size = parts.file.stat().st_size
    assert message
    assert size > 16 * 2**20
    assert int(added) <= 2 * size + SLACK


def predicting(network: Network, blocks: Iterator[bytes], folder: Path) -> tuple[int, int]:
    """Bytes that predicting takes at most, and the lines that it writes."""
    model, options = folder / "model.safetensors", ("--no-header", "--on-error", "skip")
    model.write_bytes(storage.dump_network(network))
    with (
        (folder / "predictions.csv").open("w+b") as out,
        subprocess.Popen(
            [sys.executable, "-c", PEAK + RUN, "predict", str(model), *options],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdin
        assert process.stderr
        for block in blocks:
            process.stdin.write(block)
        process.stdin.close()
        *_, used = process.stderr.read().split()
        assert process.wait() == 0
        out.seek(0)
        lines = sum(block.count(b"\n") for block in iter(lambda: out.read(2**20), b""))
    return int(used), lines


@pytest.mark.slow
def test_ten_million_rows_through_a_pipe_take_less_than_200_mb(tmp_path: Path) -> None:
    network = weights_only("float", widths=(8, 1))
    rows = itertools.repeat(b"0.5,1.25,2,3,4,5,6,7\n" * 10_000, ROWS // 10_000)
    used, lines = predicting(network, rows, tmp_path)
    assert lines == ROWS + 1
    assert used < 200e6


def test_nor_do_millions_of_empty_lines(tmp_path: Path) -> None:
    network = weights_only("float", widths=(2, 1))
    blocks = itertools.chain([b"1,2\n"], itertools.repeat(b"\n" * 10**6, 5), [b"1,2\n"])
    used, lines = predicting(network, blocks, tmp_path)
    assert lines == 3
    assert used < 200e6


def test_nor_does_a_network_that_is_wide_inside(tmp_path: Path) -> None:
    network = weights_only("per_tensor", 8, (1, 2**12, 1))
    used, lines = predicting(network, iter([b"1\n" * 20_000]), tmp_path)
    assert lines == 20_001
    assert used < 200e6
