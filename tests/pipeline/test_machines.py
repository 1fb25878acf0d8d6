"""The same bits whatever the machine: kernels, vector instructions, threads, hash seeds."""

from collections.abc import Callable

import pytest

from tests.conftest import Clone

pytestmark = pytest.mark.slow

MACHINES = {
    "haswell": {"OPENBLAS_CORETYPE": "Haswell"},
    "prescott": {"OPENBLAS_CORETYPE": "Prescott"},
    "no vectors": {
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA",
    },
    "one thread": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "7"},
}


@pytest.mark.usefixtures("california")
@pytest.mark.parametrize("machine", MACHINES)
def test_every_output_is_as_committed(new_clone: Callable[..., Clone], machine: str) -> None:
    clone = new_clone()
    clone.dvc("repro", "--force", env={**MACHINES[machine]})
    # dvc.lock and metrics are in git, and dvc.lock has the digests of data and models.
    assert not clone.git("status", "--porcelain")


@pytest.mark.usefixtures("california")
def test_a_lock_made_from_nothing_is_the_committed_one(new_clone: Callable[..., Clone]) -> None:
    clone = new_clone()
    for path in (clone.path / "dvc.lock", *clone.path.glob("metrics/*")):
        path.unlink()
    clone.dvc("repro")
    assert not clone.git("status", "--porcelain")
