"""Disturbed images: the same for both models, in the unit in which networks see them."""

import numpy as np
import pytest

from octet.layers import Standardize
from octet.runtime import floating
from octet.signature import Pixels
from stages import disturbance
from tests.stages.small import IMAGES, TABLE, systems

SCALER = Standardize(np.array([40.0, 128.0]), np.array([70.0, 3.0]))


def colours(seed: int, rows: int = 400) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (rows, 2, 6, 6)).astype(np.uint8)


def test_noise_is_gaussian_in_deviations_of_the_pixels_of_each_channel() -> None:
    images = colours(0)
    noisy = disturbance.noisy(images, SCALER, 0.3)
    assert noisy.dtype == np.float64
    noise = floating.step(SCALER, noisy) - floating.step(SCALER, images.astype(np.float64))
    for channel in (0, 1):
        values = noise[:, channel].ravel()
        # 14,400 values know their mean and deviation to 0.8 and 0.6 %: 4 times that.
        assert abs(values.mean()) < 0.3 * 4 / 120
        assert values.std() == pytest.approx(0.3, rel=0.024)
        assert np.mean(np.abs(values) < 0.3) == pytest.approx(0.6827, abs=0.016)


def test_noise_is_seeded_and_the_same_whatever_the_images() -> None:
    first, other = colours(1), colours(2)
    assert np.array_equal(
        disturbance.noisy(first, SCALER, 0.3), disturbance.noisy(first, SCALER, 0.3)
    )
    noise = [disturbance.noisy(images, SCALER, 0.3) - images for images in (first, other)]
    assert noise[0] == pytest.approx(noise[1], abs=1e-12)


def test_noise_grows_with_its_deviation_and_none_is_none() -> None:
    images = colours(3)
    little, more = (disturbance.noisy(images, SCALER, std) - images for std in (0.1, 0.3))
    assert more == pytest.approx(3 * little, abs=1e-11)
    assert np.array_equal(disturbance.noisy(images, SCALER, 0.0), images)


def test_noisy_pixels_are_not_clipped() -> None:
    noisy = disturbance.noisy(colours(4), SCALER, 0.3)
    assert noisy.min() < -5
    assert noisy.max() > 260


@pytest.mark.parametrize("factor", [0.9, 1.0, 0.0, -1.0])
def test_scaling_multiplies_standardized_pixels(factor: float) -> None:
    images = colours(5)
    scaled = floating.step(SCALER, disturbance.scaled(images, SCALER, factor))
    plain = floating.step(SCALER, images.astype(np.float64))
    assert scaled == pytest.approx(factor * plain, abs=1e-12)


def test_images_are_left_as_they_were() -> None:
    images = colours(6)
    before = images.copy()
    disturbance.noisy(images, SCALER, 0.3)
    disturbance.scaled(images, SCALER, 0.9)
    assert np.array_equal(images, before)


def test_rows_of_images_are_disturbed_in_three_ways_and_rows_of_a_table_are_not() -> None:
    system = systems()[IMAGES]
    scaler = disturbance.scaler_of(system.network)
    images = system.data.x_test
    rows = disturbance.disturbed(system.data, system.network)
    assert {name: make().tolist() for name, make in rows.items()} == {
        "noisy": disturbance.noisy(images, scaler, 0.3).tolist(),
        "noise": disturbance.noisy(images, scaler, 0.1).tolist(),
        "scaling": disturbance.scaled(images, scaler, 0.9).tolist(),
    }
    table = systems()[TABLE]
    assert disturbance.disturbed(table.data, table.network) == {}
