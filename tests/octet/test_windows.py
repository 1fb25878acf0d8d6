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

from octet.layers import windows

ROOT = Path(__file__).parents[2]

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)

CASES = [(1, 1, 0), (3, 1, 0), (3, 3, 1), (3, 4, 2), (1, 6, 0), (5, 2, 4), (3, 24, 1)]


def case(side: int, channels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(9, channels, 8, 8)) * rng.uniform(0.01, 100, (9, 1, 1, 1))
    return x, rng.normal(size=(5, channels, side, side))


@pytest.mark.parametrize(("side", "channels", "padding"), CASES)
def test_it_is_torchs_convolution_to_the_documented_bits(
    side: int, channels: int, padding: int
) -> None:
    x, weight = case(side, channels)
    ours = windows.correlate(x, weight, padding)
    theirs = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(weight), padding=padding)
    inputs = channels * side**2
    t = (53 - int(np.ceil(np.log2(inputs)))) // 2
    # Each factor is off by at most half a unit, which is 2^(1-t) of the largest value at most.
    largest = np.abs(x).max(axis=(1, 2, 3), keepdims=True)
    bound = 2.0 ** (1 - t) * inputs * largest * np.abs(weight).max() * 1.01
    assert ours.shape == theirs.shape
    assert np.all(np.abs(ours - theirs.numpy()) <= bound)


@pytest.mark.parametrize("together", [1, 2, 4])
@pytest.mark.parametrize("threads", [1, 2])
def test_batches_and_threads_change_no_bit(together: int, threads: int) -> None:
    x, weight = case(3, 24)
    whole = windows.correlate(x, weight, 1)
    with threadpool_limits(threads):
        parts = [
            windows.correlate(x[i : i + together], weight, 1) for i in range(0, len(x), together)
        ]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_the_order_of_the_inputs_changes_no_bit() -> None:
    x, weight = case(3, 24)
    order = np.random.default_rng(1).permutation(24)
    assert np.array_equal(
        windows.correlate(x[:, order], weight[:, order], 1), windows.correlate(x, weight, 1)
    )


def bits_kept(inputs: int) -> int:
    """The t of the docstring."""
    return (53 - int(np.ceil(np.log2(inputs)))) // 2


def torchs(x: np.ndarray, weight: np.ndarray, padding: int) -> np.ndarray:
    tensors = (torch.from_numpy(np.ascontiguousarray(array, np.float64)) for array in (x, weight))
    return torch.nn.functional.conv2d(*tensors, padding=padding).numpy()


@fixed
@given(
    seed=seeds,
    side=st.integers(1, 4),
    more=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    counts=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4)),
    data=st.data(),
)
def test_no_output_is_off_by_more_than_what_rounding_both_factors_to_t_bits_costs(
    seed: int, side: int, more: tuple[int, int], counts: tuple[int, int, int], data: st.DataObject
) -> None:
    rows, channels, outputs = counts
    padding = data.draw(st.integers(0, side - 1))
    rng = np.random.default_rng(seed)
    # Values of many sizes: those of an image and of an output share their unit, others do not.
    x = rng.normal(size=(rows, channels, side + more[0], side + more[1]))
    x *= 10.0 ** rng.integers(-9, 9, (rows, 1, 1, 1)) * 10.0 ** rng.integers(-4, 1, x.shape)
    weight = rng.normal(size=(outputs, channels, side, side))
    weight *= 10.0 ** rng.integers(-9, 9, (outputs, 1, 1, 1))
    ours, theirs = windows.correlate(x, weight, padding), torchs(x, weight, padding)
    # Half a unit is at most 2⁻ᵗ of the largest value, so |Σ w'x' - Σ wx| is at most 2⁻ᵗ times
    # Σ (|w| max|x| + max|w| |x| + 2⁻ᵗ max|w| max|x|). Both sides add roundings of 2⁻⁵³.
    inputs = channels * side**2
    largest_x = np.abs(x).max(axis=(1, 2, 3))[:, None, None, None]
    largest_w = np.abs(weight).max(axis=(1, 2, 3))[:, None, None]
    ones = np.ones((1, channels, side, side))
    around = torchs(np.abs(x), ones, padding)
    weights = np.abs(weight).sum(axis=(1, 2, 3))[:, None, None]
    t = bits_kept(inputs)
    bound = weights * largest_x + largest_w * around + 2.0**-t * inputs * largest_w * largest_x
    exact = 2 * inputs * 2.0**-53 * weights * largest_x
    assert ours.dtype == np.float64
    assert ours.shape == theirs.shape
    assert np.all(np.abs(ours - theirs) <= 2.0**-t * bound + exact)


@fixed
@given(seed=seeds, side=st.integers(1, 3), exponent=st.integers(-40, 40), data=st.data())
def test_sums_of_integers_times_a_power_of_two_are_exact(
    seed: int, side: int, exponent: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    padding = data.draw(st.integers(0, side - 1))
    most = 2 ** bits_kept(3 * side**2)
    x = rng.integers(-most, most, (2, 3, 4, 6), endpoint=True)
    weight = rng.integers(-most, most, (2, 3, side, side), endpoint=True)
    seen = windows.patches(x, side, padding)
    expected = (weight.reshape(2, -1) @ seen).reshape(2, 2, 5 - side + 2 * padding, -1)
    unit = 2.0**exponent
    assert np.array_equal(windows.correlate(x * unit, weight * unit, padding), expected * unit**2)


@pytest.mark.parametrize(("channels", "side"), [(1, 1), (2, 4), (3, 3), (8, 4), (24, 3)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_sums_of_the_rounded_factors_are_exact_when_they_are_largest(
    channels: int, side: int, sign: int
) -> None:
    rng = np.random.default_rng(channels)
    x = 1 - rng.uniform(0, 1e-3, (3, channels, side, side + 1)) ** 2
    weight = sign * (1 - rng.uniform(0, 1e-3, (2, channels, side, side)) ** 2)
    steps = 2 ** bits_kept(channels * side**2)
    ours = windows.correlate(x, weight, 0)
    for row, output, j in np.ndindex(3, 2, 2):
        window = np.rint(x[row, :, :, j : j + side] * steps).astype(int).ravel().tolist()
        kernel = np.rint(weight[output] * steps).astype(int).ravel().tolist()
        total = sum(a * b for a, b in zip(window, kernel, strict=True))
        assert float(ours[row, output, 0, j]).as_integer_ratio() == (
            Fraction(total, steps**2).as_integer_ratio()
        )


@pytest.mark.parametrize("value", [1e-300, 1e-150, 1e150, 3.0])
def test_a_kernel_of_one_by_one_scales_the_images_however_large_they_are(value: float) -> None:
    x = value * np.random.default_rng(0).uniform(0.5, 1, (2, 1, 3, 4))
    doubled = windows.correlate(x, np.full((1, 1, 1, 1), 2.0), 0)
    assert np.allclose(doubled, 2 * x, rtol=2.0**-24, atol=0)


def test_images_and_kernels_too_small_for_a_unit_give_zeros() -> None:
    tiny = np.full((1, 1, 2, 2), 5e-324)
    assert np.all(np.abs(windows.correlate(tiny, np.ones((1, 1, 1, 1)), 0)) <= 5e-324)
    assert np.all(np.abs(windows.correlate(np.ones((1, 1, 2, 2)), tiny, 0)) <= 4 * 5e-324)


def test_an_image_of_zeros_gives_zeros_and_changes_no_bit_of_the_others() -> None:
    x, weight = case(3, 3)
    whole = windows.correlate(x, weight, 1)
    x[4] = 0
    with_black = windows.correlate(x, weight, 1)
    assert with_black[4].tobytes() == bytes(with_black[4].nbytes)
    others = np.arange(len(x)) != 4
    assert with_black[others].tobytes() == whole[others].tobytes()


@fixed
@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=5), seed=seeds)
def test_an_image_has_the_same_bits_in_every_batch(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(sum(sizes), 3, 5, 6))
    weight = rng.normal(size=(4, 3, 3, 3))
    whole = windows.correlate(x, weight, 1)
    assert whole.shape == (len(x), 4, 5, 6)
    parts = [windows.correlate(part, weight, 1) for part in np.split(x, np.cumsum(sizes)[:-1])]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    order = rng.permutation(len(x))
    assert windows.correlate(x[order], weight, 1).tobytes() == whole[order].tobytes()
    columns = np.asfortranarray(x)
    assert windows.correlate(columns, weight, 1).tobytes() == whole.tobytes()


def test_an_output_has_the_same_bits_whatever_stands_beside_it() -> None:
    x, weight = case(3, 24)
    whole = windows.correlate(x, weight, 1)
    for i in range(len(weight)):
        assert windows.correlate(x, weight[i : i + 1], 1).tobytes() == whole[:, [i]].tobytes()


def test_images_turned_round_under_a_kernel_turned_round_give_the_same_bits() -> None:
    x, weight = case(3, 24)
    turned = windows.correlate(x[..., ::-1, ::-1], weight[..., ::-1, ::-1], 1)
    assert turned[..., ::-1, ::-1].tobytes() == windows.correlate(x, weight, 1).tobytes()


@pytest.mark.parametrize("core", ["Prescott", "Nehalem", "Haswell"])
def test_another_kernel_of_blas_gives_the_same_bits(core: str) -> None:
    code = (
        "import sys; import numpy as np; from octet.layers import windows\n"
        "rng = np.random.default_rng(0)\n"
        "x, weight = rng.normal(size=(9, 24, 8, 8)), rng.normal(size=(5, 24, 3, 3))\n"
        "sys.stdout.buffer.write(windows.correlate(x, weight, 1).tobytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_CORETYPE": core},
        capture_output=True,
        check=True,
    )
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(9, 24, 8, 8)), rng.normal(size=(5, 24, 3, 3))
    assert done.stdout == windows.correlate(x, weight, 1).tobytes()


def test_black_images_and_empty_kernels_give_zeros() -> None:
    x, weight = case(3, 2)
    assert not np.any(windows.correlate(np.zeros_like(x), weight, 1))
    assert not np.any(windows.correlate(x, np.zeros_like(weight), 1))


def test_a_patch_is_what_the_kernel_covers() -> None:
    x = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    seen = windows.patches(x, 3, 1)
    assert seen.shape == (2, 27, 20)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for row in range(2):
        for i in range(4):
            for j in range(5):
                window = padded[row, :, i : i + 3, j : j + 3]
                assert np.array_equal(seen[row, :, i * 5 + j], window.ravel())


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_patches_keep_their_type_and_padding_is_zero(padding: int, dtype: type) -> None:
    x = np.full((2, 2, 4, 5), 7, dtype)
    seen = windows.patches(x, 3, padding)
    assert seen.dtype == dtype
    assert seen.shape == (2, 18, (2 + 2 * padding) * (3 + 2 * padding))
    assert set(np.unique(seen)) == ({0, 7} if padding else {7})
    # A kernel with padding p and side 3 meets each pixel that is no nearer than 2 - p to an edge
    # nine times; with padding 2 it meets all of them so.
    if padding == 2:
        assert np.count_nonzero(seen) == 9 * x.size


def test_patches_of_a_kernel_of_one_are_the_pixels() -> None:
    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert np.array_equal(windows.patches(x, 1, 0), x.reshape(2, 3, 20))


def test_the_kernel_as_large_as_the_image_sees_it_whole() -> None:
    x = np.arange(2 * 3 * 16).reshape(2, 3, 4, 4)
    assert np.array_equal(windows.patches(x, 4, 0), x.reshape(2, 48, 1))


def test_tiles_of_one_leave_an_image_as_it_is() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    assert np.array_equal(windows.max_pool(x, 1), x)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_max_pool_takes_the_largest_of_each_tile(dtype: type) -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 2, 6, 9)).astype(dtype)
    pooled = windows.max_pool(x, 3)
    assert pooled.dtype == dtype
    assert np.array_equal(pooled, x.reshape(3, 2, 2, 3, 3, 3).max(axis=(3, 5)))
