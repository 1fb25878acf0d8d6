"""Torch runs kernels that every CPU has, in one thread, and on the device that params names."""

import json
import os
import subprocess
import sys

import pytest
import torch

from octet.errors import OctetError
from stages.train import kernels
from tests.stages.train.small import ROOT, recipe

VARIABLES = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}

# Runs `python -m stages.train --help`, and says what torch's import finds.
WATCH = """
import json, os, runpy, sys
class Watch:
    found = []
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            self.found.append({key: os.environ.get(key) for key in VARIABLES})
watch = Watch()
sys.meta_path.insert(0, watch)
sys.argv = ["stages.train", "--help"]
try:
    runpy.run_module("stages.train", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
import torch
found = [watch.found, torch.backends.cpu.get_cpu_capability()]
print("\\n" + json.dumps(found))
"""


@pytest.mark.parametrize("before", [{}, {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AUTO"}])
def test_torch_finds_its_variables_set_when_the_stage_imports_it(before: dict[str, str]) -> None:
    env = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", WATCH.replace("VARIABLES", repr(list(VARIABLES)))],
        cwd=ROOT,
        env=env | before,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[VARIABLES], "DEFAULT"]


def test_in_these_tests_too_torch_runs_the_kernels_that_every_cpu_has() -> None:
    assert torch.backends.cpu.get_cpu_capability() == "DEFAULT"


def test_pinned_torch_leaves_out_what_depends_on_processor_and_threads() -> None:
    torch.set_num_threads(2)
    torch.backends.mkldnn.set_flags(True)
    torch.backends.nnpack.set_flags(True)
    kernels.pin()
    assert torch.get_num_threads() == 1
    assert not torch.backends.mkldnn.enabled
    assert not torch.backends.nnpack.set_flags(False)[0]


def test_pinning_twice_is_no_error() -> None:
    kernels.pin()
    kernels.pin()
    assert torch.get_num_threads() == 1


def test_cuda_is_refused_in_one_line_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(OctetError) as caught:
        kernels.device(recipe(device="cuda"))
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith("params.yaml: train.device: got cuda, ")
    assert message.endswith("set train.device: cpu")


@pytest.mark.parametrize(
    ("asked", "there", "taken"),
    [
        ("cpu", False, "cpu"),
        ("cpu", True, "cpu"),
        ("auto", False, "cpu"),
        ("auto", True, "cuda"),
        ("cuda", True, "cuda"),
    ],
)
def test_a_device_is_what_was_asked_for_or_what_is_there(
    asked: str, there: bool, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert kernels.device(recipe(device=asked)) == torch.device(taken)
