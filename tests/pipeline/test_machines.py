"""The same bits whatever the machine: kernels, vector instructions, threads, hash seeds."""

from collections.abc import Callable

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__

from tests.conftest import Clone

pytestmark = pytest.mark.slow

# Each way to train, and both to compute: in float and in integers.
SYSTEMS = ("california", "wine", "wine-mlp", "digits")
# Each with as much as can be changed at once.
MACHINES = {
    "haswell, one thread": {
        "OPENBLAS_CORETYPE": "Haswell",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "7",
    },
    "no avx, no fma, two threads": {
        "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
        "OPENBLAS_CORETYPE": "Prescott",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
    },
}


def test_the_settings_change_what_numpy_runs_on(new_clone: Callable[..., Clone]) -> None:
    show = """
import numpy, threadpoolctl
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
print(*[name for name in __cpu_dispatch__ if __cpu_features__[name]])
print(*[pool["architecture"] for pool in threadpoolctl.threadpool_info()])
"""
    clone = new_clone()
    new, old = MACHINES.values()
    vectors, kernel = clone.run("python", "-c", show, env={**old}).stdout.splitlines()
    assert not vectors
    # OpenBLAS has one kernel for all of the first 64-bit processors, and calls it by another name.
    assert kernel in ("Prescott", "Katmai", "Core2")
    assert clone.run("python", "-c", show, env={**new}).stdout.split()[-1] == "Haswell"


@pytest.mark.usefixtures("california")
@pytest.mark.parametrize(
    "machine",
    [
        pytest.param("haswell, one thread", marks=pytest.mark.release),
        "no avx, no fma, two threads",
    ],
)
def test_every_output_is_as_committed(new_clone: Callable[..., Clone], machine: str) -> None:
    clone = new_clone(*SYSTEMS, whole=True)
    # The sweeps of all would take as long again; one has what they do.
    targets = [*(f"evaluate@{system}" for system in SYSTEMS), "sweep@wine"]
    clone.dvc("repro", "--force", *targets, env={**MACHINES[machine]})
    # dvc.lock and metrics are in git, and dvc.lock has the digests of data and models.
    assert not clone.git("status", "--porcelain")
