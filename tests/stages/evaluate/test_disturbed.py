"""Disturbed images: the same for both models, in the unit in which networks see them."""

import numpy as np
import pytest

from octet.layers import Standardize
from octet.quantizer import quantize
from octet.runtime import floating, inference
from octet.signature import Pixels
from stages.evaluate import disturbed
from stages.tasks import scores
from tests.octet.quantizer.cases import config, random_cnn, random_images

SCALER = Standardize(np.array([40.0, 128.0]), np.array([70.0, 3.0]))


def colours(seed: int, rows: int = 400) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (rows, 2, 6, 6)).astype(np.uint8)


def test_noise_is_gaussian_in_deviations_of_the_pixels_of_each_channel() -> None:
    images = colours(0)
    noisy = disturbed.noisy(images, SCALER, 0.3)
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
    assert np.array_equal(disturbed.noisy(first, SCALER, 0.3), disturbed.noisy(first, SCALER, 0.3))
    noise = [disturbed.noisy(images, SCALER, 0.3) - images for images in (first, other)]
    assert noise[0] == pytest.approx(noise[1], abs=1e-12)


def test_noise_grows_with_its_deviation_and_none_is_none() -> None:
    images = colours(3)
    little, more = (disturbed.noisy(images, SCALER, std) - images for std in (0.1, 0.3))
    assert more == pytest.approx(3 * little, abs=1e-11)
    assert np.array_equal(disturbed.noisy(images, SCALER, 0.0), images)


def test_noisy_pixels_are_not_clipped() -> None:
    noisy = disturbed.noisy(colours(4), SCALER, 0.3)
    assert noisy.min() < -5
    assert noisy.max() > 260


@pytest.mark.parametrize("factor", [0.9, 1.0, 0.0, -1.0])
def test_scaling_multiplies_standardized_pixels(factor: float) -> None:
    images = colours(5)
    scaled = floating.step(SCALER, disturbed.scaled(images, SCALER, factor))
    plain = floating.step(SCALER, images.astype(np.float64))
    assert scaled == pytest.approx(factor * plain, abs=1e-12)


def test_images_are_left_as_they_were() -> None:
    images = colours(6)
    before = images.copy()
    disturbed.noisy(images, SCALER, 0.3)
    disturbed.scaled(images, SCALER, 0.9)
    assert np.array_equal(images, before)


@pytest.mark.parametrize("coded", [False, True])
def test_the_figures_are_those_of_the_disturbed_images(coded: bool) -> None:
    rng = np.random.default_rng(7)
    network, images = random_cnn(rng), random_images(rng, 300)
    scaler = network.layers[0]
    assert isinstance(scaler, Standardize)
    truth = np.argmax(inference.run(network, images), axis=1).astype(np.uint8)
    if coded:
        network = quantize(network, images, config(activations="uint8"))
    clean = inference.run(network, images)
    found = disturbed.figures(network, clean, scaler, images, truth)
    under_noise = inference.run(network, disturbed.noisy(images, scaler, 0.3))
    a_little = inference.run(network, disturbed.noisy(images, scaler, 0.1))
    fainter = inference.run(network, disturbed.scaled(images, scaler, 0.9))
    assert found == {
        "accuracy_noisy": np.mean(np.argmax(under_noise, axis=1) == truth),
        "robustness": {
            "noise": scores.moved(clean, a_little),
            "scaling": scores.moved(clean, fainter),
        },
    }
    assert 0.3 < found["accuracy_noisy"] <= 1
    assert min(found["robustness"].values()) > 0
