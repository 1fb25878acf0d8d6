"""exp and its relatives: close to the truth, and the same bits without any vector instruction."""

import subprocess
import sys
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__

from octet import elementary
from tests.conftest import ROOT, environment

DIGEST = """
import hashlib
import numpy as np
from octet import elementary
rng = np.random.default_rng(0)
x = np.concatenate([rng.uniform(-745, 709, 20_000), rng.normal(size=20_000)])
digest = hashlib.sha256()
for function in (elementary.exp, elementary.sigmoid, elementary.tanh):
    digest.update(function(x).tobytes())
digest.update(elementary.softmax(x.reshape(-1, 100) / 50).tobytes())
print(digest.hexdigest())
"""


def inputs() -> list[float]:
    rng = np.random.default_rng(3)
    tiny = np.ldexp(rng.choice([-1.0, 1.0], 1000), -rng.integers(0, 1000, 1000))
    near_halves_of_ln2 = np.arange(-60, 61) / 2 * np.log(2)
    return np.concatenate(
        [rng.uniform(-708, 709.7, 3000), rng.normal(size=5000), near_halves_of_ln2, tiny]
    ).tolist()


@pytest.mark.parametrize(
    ("function", "true", "most"),
    [
        (elementary.exp, mpmath.exp, 1),
        (elementary.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), 1),
        (elementary.tanh, mpmath.tanh, 2),
    ],
    ids=["exp", "sigmoid", "tanh"],
)
def test_errors_are_of_the_last_digit(
    function: Callable[[float], float], true: Callable[[mpmath.mpf], mpmath.mpf], most: float
) -> None:
    with mpmath.workprec(200):
        for x in inputs():
            exact = true(mpmath.mpf(x))
            ulp = float(np.spacing(abs(float(exact))))
            assert abs(mpmath.mpf(float(function(x))) - exact) < most * ulp, x


def test_at_the_ends() -> None:
    ends = [-np.inf, -800.0, 0.0, 800.0, np.inf, np.nan]
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(elementary.exp(ends), [0, 0, 1, np.inf, np.inf, np.nan])
    np.testing.assert_array_equal(elementary.sigmoid(ends), [0, 0, 0.5, 1, 1, np.nan])
    np.testing.assert_array_equal(elementary.tanh(ends), [-1, -1, 0, 1, 1, np.nan])
    assert elementary.exp(-745.0) == np.exp(-745.0) > 0  # a subnormal number


def test_tanh_is_odd_and_sigmoid_of_both_signs_adds_to_1() -> None:
    x = np.array(inputs())
    np.testing.assert_array_equal(elementary.tanh(-x), -elementary.tanh(x))
    np.testing.assert_allclose(elementary.sigmoid(x) + elementary.sigmoid(-x), 1, rtol=1e-15)


def test_softmax_shares_1_out_along_an_axis() -> None:
    x = np.random.default_rng(4).normal(scale=300, size=(3, 4, 5))
    for axis in (0, 1, -1):
        shares = elementary.softmax(x, axis)
        np.testing.assert_allclose(shares.sum(axis), 1, rtol=1e-14)
        true = np.exp(x - x.max(axis, keepdims=True))
        np.testing.assert_allclose(shares, true / true.sum(axis, keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(elementary.softmax([1e300, -1e300]), [1, 0])


def test_the_same_bits_without_vector_instructions() -> None:
    def digest(machine: dict[str, str]) -> str:
        return subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=ROOT,
            env=environment(machine),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    plain = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
    }
    assert digest({}) == digest(plain)
