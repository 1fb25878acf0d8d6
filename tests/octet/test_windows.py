"""Correlation over windows: as torch computes it, with bits that nothing can change."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from octet.errors import OctetError
from octet.layers import correlation
from octet.layers.windows import Window, window
from tests.conftest import ROOT

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

SIDE_3 = window(3, padding=1)


def case(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of many sizes of values, and kernels of 3 by 3."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, channels, 8, 8)) * rng.uniform(0.01, 100, (100, 1, 1, 1))
    return x, rng.normal(size=(5, channels, 3, 3))


def bits_kept(inputs: int) -> int:
    """The t of the docstring."""
    return (53 - int(np.ceil(np.log2(inputs)))) // 2


def torchs(x: np.ndarray, weight: np.ndarray, where: Window, groups: int) -> np.ndarray:
    tensors = (torch.from_numpy(np.ascontiguousarray(array, np.float64)) for array in (x, weight))
    padding = where.padding[:2]
    return torch.nn.functional.conv2d(
        *tensors, stride=where.stride, padding=padding, groups=groups
    ).numpy()


@fixed
@given(
    seed=seeds,
    sides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    more=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    counts=st.tuples(
        st.sampled_from([1, 3, 16, 100]), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3)
    ),
    data=st.data(),
)
def test_no_output_is_off_by_more_than_what_rounding_both_factors_to_t_bits_costs(
    *,
    seed: int,
    sides: tuple[int, int],
    more: tuple[int, int],
    stride: tuple[int, int],
    counts: tuple[int, int, int, int],
    data: st.DataObject,
) -> None:
    rows, channels, outputs, groups = counts
    down, across = (data.draw(st.integers(0, side - 1)) for side in sides)
    where = Window(sides, stride, (down, across, down, across))
    rng = np.random.default_rng(seed)
    # Values of many sizes: those of an image and of an output share their unit, others do not.
    x = rng.normal(size=(rows, groups * channels, sides[0] + more[0], sides[1] + more[1]))
    x *= 10.0 ** rng.integers(-9, 9, (rows, 1, 1, 1)) * 10.0 ** rng.integers(-4, 1, x.shape)
    weight = rng.normal(size=(groups * outputs, channels, *sides))
    weight *= 10.0 ** rng.integers(-9, 9, (groups * outputs, 1, 1, 1))
    ours, theirs = correlation.correlate(x, weight, where, groups), torchs(x, weight, where, groups)
    # Half a unit is at most 2⁻ᵗ of the largest value, so |Σ w'x' - Σ wx| is at most 2⁻ᵗ times
    # Σ (|w| max|x| + max|w| |x| + 2⁻ᵗ max|w| max|x|). Both sides add roundings of 2⁻⁵³.
    inputs = weight[0].size
    largest_x = np.abs(x).max(axis=(1, 2, 3))[:, None, None, None]
    largest_w = np.abs(weight).max(axis=(1, 2, 3))[:, None, None]
    around = torchs(np.abs(x), np.ones_like(weight), where, groups)
    weights = np.abs(weight).sum(axis=(1, 2, 3))[:, None, None]
    t = bits_kept(inputs)
    bound = weights * largest_x + largest_w * around + 2.0**-t * inputs * largest_w * largest_x
    exact = 2 * inputs * 2.0**-53 * weights * largest_x
    assert (ours.dtype, ours.shape) == (np.float64, theirs.shape)
    assert np.all(np.abs(ours - theirs) <= 2.0**-t * bound + exact)


@fixed
@given(seed=seeds, side=st.integers(1, 3), exponent=st.integers(-40, 40), data=st.data())
def test_sums_of_integers_times_a_power_of_two_are_exact(
    seed: int, side: int, exponent: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    where = window(side, padding=data.draw(st.integers(0, side - 1)))
    most, rows = 2 ** bits_kept(3 * side**2), data.draw(st.sampled_from([2, 16]))
    x = rng.integers(-most, most, (rows, 3, 4, 6), endpoint=True)
    weight = rng.integers(-most, most, (2, 3, side, side), endpoint=True)
    seen = patches(x, where)[0]
    expected = np.tensordot(weight.reshape(2, -1), seen, 1).swapaxes(0, 1)
    unit = 2.0**exponent
    assert np.array_equal(correlation.correlate(x * unit, weight * unit, where), expected * unit**2)


@pytest.mark.parametrize(("channels", "side"), [(1, 1), (2, 4), (3, 3), (8, 4), (24, 3)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_sums_of_the_rounded_factors_are_exact_when_they_are_largest(
    channels: int, side: int, sign: int
) -> None:
    rng = np.random.default_rng(channels)
    x = 1 - rng.uniform(0, 1e-3, (16, channels, side, side + 1)) ** 2
    weight = sign * (1 - rng.uniform(0, 1e-3, (2, channels, side, side)) ** 2)
    steps = 2 ** bits_kept(channels * side**2)
    ours = correlation.correlate(x, weight, window(side))
    for row, output, j in np.ndindex(16, 2, 2):
        patch = np.rint(x[row, :, :, j : j + side] * steps).astype(int).ravel().tolist()
        kernel = np.rint(weight[output] * steps).astype(int).ravel().tolist()
        total = sum(a * b for a, b in zip(patch, kernel, strict=True))
        assert float(ours[row, output, 0, j]).as_integer_ratio() == (
            Fraction(total, steps**2).as_integer_ratio()
        )


@pytest.mark.parametrize("value", [1e-300, 1e-150, 1e150, 1e300, 8e307, 3.0])
@pytest.mark.parametrize("rows", [2, 20])
def test_a_kernel_of_one_by_one_scales_the_images_however_large_they_are(
    value: float, rows: int
) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1, (rows, 1, 3, 4))
    x[:-1] *= value
    doubled = correlation.correlate(x, np.full((1, 1, 1, 1), 2.0), window(1))
    assert np.allclose(doubled, 2 * x, rtol=2.0**-24, atol=0)


@pytest.mark.parametrize("rows", [1, 16])
def test_sums_that_would_overflow_in_part_or_beside_the_positions_do_not(rows: int) -> None:
    lines = np.tile([-1e160, 0.0, 1e160], (rows, 1, 3, 1))
    apart = correlation.correlate(lines, np.array([[[[1.2e148, -1.2e148], [0, 0]]]]), window(2))
    assert np.allclose(apart, -1.2e308, rtol=1e-6, atol=0)
    images = np.full((rows, 2, 3, 3), 1.7e308)
    images[:, 1] *= -1
    mean = correlation.correlate(images, np.full((1, 2, 3, 3), 0.25), window(3))
    assert not np.any(mean)


def test_a_product_below_what_float64_has_is_rounded_once() -> None:
    x, weight = np.full((20, 1, 1, 2), 1e-160), np.full((1, 1, 1, 2), 1.01e-155)
    rounded = [
        Fraction(round(Fraction(float(value)) * unit), unit)
        for value, unit in ((x.flat[0], 2**557), (weight.flat[0], 2**540))
    ]
    expected = float(2 * rounded[0] * rounded[1])
    assert 0 < expected < 1e-310
    assert np.all(correlation.correlate(x, weight, window((1, 2))) == expected)


def test_images_and_kernels_too_small_for_a_unit_give_zeros() -> None:
    tiny, ones = np.full((1, 1, 2, 2), 5e-324), np.ones((1, 1, 2, 2))
    assert np.all(np.abs(correlation.correlate(tiny, ones[..., :1, :1], window(1))) <= 5e-324)
    assert np.all(np.abs(correlation.correlate(ones, tiny, window(2))) <= 4 * 5e-324)


@pytest.mark.parametrize("channels", [3, 24])
def test_what_stands_beside_an_image_an_output_or_an_input_changes_no_bit(channels: int) -> None:
    x, weight = case(channels)
    whole = correlation.correlate(x, weight, SIDE_3)
    for together in (1, 4, 30):
        parts = np.split(x, range(together, len(x), together))
        assert _joined(parts, weight) == whole.tobytes()
        with threadpool_limits(2):
            assert _joined(parts, weight) == whole.tobytes()
    for i in range(len(weight)):
        alone = correlation.correlate(x, weight[i : i + 1], SIDE_3)
        assert alone.tobytes() == whole[:, [i]].tobytes()
    rng = np.random.default_rng(1)
    rows, inputs = rng.permutation(len(x)), rng.permutation(channels)
    assert correlation.correlate(x[rows], weight, SIDE_3).tobytes() == whole[rows].tobytes()
    mixed = correlation.correlate(x[:, inputs], weight[:, inputs], SIDE_3)
    assert mixed.tobytes() == whole.tobytes()
    assert correlation.correlate(np.asfortranarray(x), weight, SIDE_3).tobytes() == whole.tobytes()
    turned = correlation.correlate(x[..., ::-1, ::-1], weight[..., ::-1, ::-1], SIDE_3)
    assert turned[..., ::-1, ::-1].tobytes() == whole.tobytes()


@pytest.mark.parametrize("size", [1, 3 * 2**16, 2**18])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize(
    "where", [SIDE_3, window(1), Window((3, 2), (2, 1), (1, 0, 2, 1)), Window((2, 4), (1, 3))]
)
def test_how_many_lines_of_positions_go_together_changes_no_bit(
    size: int, groups: int, where: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    x, bias = rng.normal(size=(97, 6, 9, 8)), rng.normal(size=3)
    weight = rng.normal(size=(3, 6 // groups, *where.sides))
    whole = correlation.correlate(x, weight, where, groups, bias)
    without = correlation.correlate(x, weight, where, groups)
    assert whole.tobytes() == (without + bias[:, None, None]).tobytes()
    monkeypatch.setattr(correlation, "_LINES_BYTES", size)
    counts = lines_together(monkeypatch)
    in_lines = correlation.correlate(x, weight, where, groups, bias)
    assert in_lines.tobytes() == whole.tobytes()
    high, _ = where.positions((6, 9, 8))
    assert counts[0] < high
    assert sum(counts) == 2 * high  # of 96 rows, and of the last one
    codes = rng.integers(0, 256, x.shape).astype(np.uint8)
    flat = rng.integers(-99, 99, (groups, 3 // groups, weight[0].size)).astype(np.float32)
    few, many = (
        np.concatenate([correlation.products(part, flat, where, _halved) for part in parts])
        for parts in (np.array_split(codes, 10), (codes,))
    )
    assert np.array_equal(few, many)


def lines_together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines of positions are multiplied, each time that some are."""
    counts: list[int] = []
    seen = correlation._seen

    def counted(images: np.ndarray, where: Window, first: int, count: int) -> np.ndarray:
        counts.append(count)
        return seen(images, where, first, count)

    monkeypatch.setattr(correlation, "_seen", counted)
    return counts


def _halved(sums: np.ndarray) -> np.ndarray:
    return (sums // 2).astype(np.int32)


def _joined(parts: list[np.ndarray], weight: np.ndarray) -> bytes:
    return np.concatenate([correlation.correlate(part, weight, SIDE_3) for part in parts]).tobytes()


def test_a_black_image_gives_zeros_and_changes_no_bit_of_the_others() -> None:
    x, weight = case(3)
    whole = correlation.correlate(x, weight, SIDE_3)
    x[4] = 0
    with_black = correlation.correlate(x, weight, SIDE_3)
    assert with_black[4].tobytes() == bytes(with_black[4].nbytes)
    others = np.arange(len(x)) != 4
    assert with_black[others].tobytes() == whole[others].tobytes()
    assert not np.any(correlation.correlate(x, np.zeros_like(weight), SIDE_3))


@pytest.mark.parametrize("core", ["Prescott", "Nehalem", "Haswell"])
def test_another_kernel_of_blas_gives_the_same_bits(core: str, tmp_path: Path) -> None:
    x, weight = case(24)
    np.savez(tmp_path / "case.npz", x=x, weight=weight)
    code = (
        "import sys; import numpy as np; from octet.layers import correlation, windows\n"
        "case = np.load(sys.argv[1])\n"
        "here = correlation.correlate(case['x'], case['weight'], windows.window(3, padding=1))\n"
        "sys.stdout.buffer.write(here.tobytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "case.npz"],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_CORETYPE": core},
        capture_output=True,
        check=True,
    )
    assert done.stdout == correlation.correlate(x, weight, SIDE_3).tobytes()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("down", [1, 2])
def test_a_patch_is_what_the_kernel_covers(dtype: type, groups: int, down: int) -> None:
    x = np.arange(1, 1 + 2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(dtype)
    high = (4 + 1 + 2 - 3) // down + 1
    seen = patches(x, Window((3, 2), (down, 1), (1, 0, 2, 1)), groups)
    assert (seen.dtype, seen.shape) == (dtype, (groups, 3 * 6 // groups, 2, high, 5))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 2), (0, 1)))
    for row, i, j in np.ndindex(2, high, 5):
        patch = padded[row, :, down * i : down * i + 3, j : j + 2]
        assert np.array_equal(seen[:, :, row, i, j], patch.reshape(groups, -1))


def patches(x: np.ndarray, where: Window, groups: int = 1) -> np.ndarray:
    seen = correlation.unfold(x, where, groups)
    return seen.at_positions(seen.columns)


@pytest.mark.parametrize(("m", "n", "many"), [(1, 1, 0), (8, 9, 1), (3, 400, 5000), (900, 2, 700)])
def test_a_product_in_pieces_is_the_product(m: int, n: int, many: int) -> None:
    rng = np.random.default_rng(m)
    a, b = rng.integers(-9, 9, (2, m, n)), rng.integers(-9, 9, (2, n, many))
    product = correlation._multiply(a.astype(np.float32), b.astype(np.float32))
    assert np.array_equal(product, a @ b)


@pytest.mark.parametrize(
    "numbers",
    [(0,), ((3, 0),), (3, 0), (3, (1, 0)), (3, 1, -1), (3, 1, 3), ((3, 2), 1, (0, 2, 0, 0))],
)
def test_what_is_no_window_is_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(OctetError, match=r"^got a window of \d+ by \d+ with stride"):
        window(*numbers)


def test_a_window_may_be_said_in_lists() -> None:
    assert window([2, 3], [1, 2], [0, 1, 1, 0]) == Window((2, 3), (1, 2), (0, 1, 1, 0))
