"""Training gives the same bits whatever vector instructions a machine has, or says that it has."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT, environment

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mnist")]

# A few hundred steps of the recipe of mnist-7k on real images, and the digest of the model file.
TRAIN = """
import hashlib, sys
from dataclasses import replace
import stages.train
import torch
from octet.modelfile import storage
from stages.params.file import load_params
from stages.load import readers
from octet.network import Network
from stages.train import kernels, network
checked = load_params()
data = readers.read("mnist", checked.split)
data = replace(data, x_train=data.x_train[:12_800], y_train=data.y_train[:12_800])
if "pinned" not in sys.argv:
    kernels.pin = lambda: None
model, how = checked.systems["mnist-7k"].model, checked.train_of("mnist-7k")
layers, _ = network.fit(data, model, how, "mnist-7k")
print(hashlib.sha256(storage.dump_network(Network(layers, data.signature))).hexdigest())
"""

# Each with as much as can be changed at once.
MACHINES = {
    "sse, two threads": {
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA",
        "OMP_NUM_THREADS": "2",
    },
    "avx2, one thread": {
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OMP_NUM_THREADS": "1",
    },
    "avx512": {"MKL_ENABLE_INSTRUCTIONS": "AVX512"},
}


def digest(machine: dict[str, str], code: str = TRAIN, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environment(machine),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def here() -> str:
    """What this machine trains as it is."""
    return digest({}, TRAIN, "pinned")


@pytest.mark.parametrize(
    "machine",
    [
        "sse, two threads",
        *(pytest.param(each, marks=pytest.mark.release) for each in [*MACHINES][1:]),
    ],
)
def test_another_machine_trains_the_same_bytes(here: str, machine: str) -> None:
    assert digest(MACHINES[machine], TRAIN, "pinned") == here


def test_without_the_pins_the_bytes_would_be_others(here: str) -> None:
    # Else the tests above could not fail.
    unpinned = TRAIN.replace("import stages.train\n", "")
    assert "stages.train\n" not in unpinned.partition("import torch")[0]
    assert digest({}, unpinned) != here
