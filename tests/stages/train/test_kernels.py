"""Torch runs kernels that every CPU has, in one thread, and on the device that params names."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from octet.errors import OctetError
from octet.layers.windows import window
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


LAYOUTS = ("in order", "reversed", "spread")


def laid_out(how: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A gradient, as it may lie in memory."""
    return {
        "in order": torch.randn(shape),
        "reversed": torch.randn(shape[::-1]).permute(*reversed(range(len(shape)))),
        "spread": torch.randn(shape[0], *[1] * (len(shape) - 1)).expand(shape),
    }[how]


def refuse_other_bits(
    ours: Callable[[torch.Tensor], torch.Tensor],
    torchs: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    how: str,
) -> None:
    """Both give the same outputs, and pass the same gradients on."""
    results = []
    for function in (ours, torchs):
        inputs = x.clone().requires_grad_()
        y = function(inputs)
        torch.manual_seed(1)
        (gradient,) = torch.autograd.grad(y, inputs, laid_out(how, tuple(y.shape)))
        results.append([each.detach().contiguous().view(torch.int32) for each in (y, gradient)])
    for got, expected in zip(*results, strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (5, 3), (0, 4)])
@pytest.mark.parametrize("how", LAYOUTS)
def test_a_relu_has_the_bits_of_torchs_own_and_so_has_its_gradient(
    shape: tuple[int, ...], how: str
) -> None:
    x = torch.randn(shape)
    x[x.abs() < 0.2] = 0.0
    x[x.abs() < 0.4] = -0.0
    x[x > 1] = torch.nan
    refuse_other_bits(kernels.relu, torch.relu, x, how)


@pytest.mark.parametrize("sides", [(2, 2), (3, 2), (1, 1), (1, 4)])
@pytest.mark.parametrize("stride", [None, (1, 2)])
@pytest.mark.parametrize("how", LAYOUTS)
def test_a_max_pool_has_the_bits_of_torchs_own_and_so_has_its_gradient(
    sides: tuple[int, int], stride: tuple[int, int] | None, how: str
) -> None:
    x = torch.randn(3, 2, 7, 8)
    x[x.abs() < 0.7] = 0.0  # windows have several that are largest
    x[x.abs() < 0.9] = -0.0
    where = window(sides, stride or sides)
    refuse_other_bits(
        lambda x: kernels.max_pool(x, where) + 0.0,  # a zero is positive
        lambda x: torch.max_pool2d(x, where.sides, where.stride) + 0.0,
        x,
        how,
    )


def test_other_numbers_than_float32_are_left_to_torch() -> None:
    x, where = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True), window((2, 2), 2)
    y = kernels.max_pool(kernels.relu(x), where)
    assert torch.equal(y, torch.max_pool2d(torch.relu(x), 2))
    y.sum().backward()


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
