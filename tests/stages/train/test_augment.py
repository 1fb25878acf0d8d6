"""A view is the image turned, moved, scaled, tilted or cropped as asked, and black outside."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.params.train import Augment
from stages.train.augment import views
from tests.stages.train.small import COMMITTED, strengths

SIDE = 8
PIXEL = 1 / SIDE
# Where `views` draws how far each thing goes, from -1 to 1.
ANGLE, ZOOM, RIGHT, DOWN, TILT_X, TILT_Y, CROP_X, CROP_Y = range(8)


class Drawn(np.random.Generator):
    """A generator that draws what a test says, and 0 for the rest."""

    def __init__(self, drawn: dict[int, float]) -> None:
        super().__init__(np.random.PCG64(0))
        self._drawn = np.array([drawn.get(i, 0.0) for i in range(8)])

    def uniform(self, *_: Any, **__: Any) -> Any:
        return self._drawn


def image(seed: int = 0, side: int = SIDE) -> npt.NDArray[np.float32]:
    """A picture without any symmetry."""
    return np.random.default_rng(seed).random((side, side), np.float32)


def view(
    picture: npt.NDArray[np.float32],
    drawn: dict[int, float],
    black: float = 0.0,
    **strength: float,
) -> npt.NDArray[np.float32]:
    """One picture, seen as far from itself as drawn."""
    seen = views(torch.from_numpy(picture)[None, None], strengths(**strength), black, Drawn(drawn))
    assert seen.shape == (1, 1, *picture.shape)
    assert seen.dtype == torch.float32
    return seen[0, 0].numpy()


def assert_same(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 7, 8, 28])
@pytest.mark.parametrize("black", [0.0, -0.42])
def test_views_of_no_strength_are_the_images(side: int, black: float) -> None:
    images = torch.from_numpy(np.stack([image(seed, side) for seed in range(5)])[:, None])
    rng = np.random.default_rng(0)
    assert_same(views(images, strengths(), black, rng).numpy(), images.numpy())


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize(
    ("degrees", "drawn", "turns"), [(90, 1, 1), (90, -1, -1), (180, 1, 2), (180, 0.5, 1)]
)
def test_a_rotation_turns_the_picture(side: int, degrees: float, drawn: float, turns: int) -> None:
    found = view(image(side=side), {ANGLE: drawn}, rotation=degrees)
    assert_same(found, np.rot90(image(side=side), turns))


def test_a_rotation_by_an_eighth_turn_has_no_light_in_the_corners() -> None:
    found = view(np.ones((SIDE, SIDE), np.float32), {ANGLE: 1}, rotation=45)
    corners = [found[i, j] for i in (0, -1) for j in (0, -1)]
    assert corners == [0, 0, 0, 0]
    assert_same(found[3:5, 3:5], np.ones((2, 2)))
    assert_same(found, np.rot90(found))


@pytest.mark.parametrize("pixels", [1, 3, 7])
@pytest.mark.parametrize(("axis", "draw"), [(1, RIGHT), (0, DOWN)], ids=["across", "down"])
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("black", [0.0, -0.42])
def test_a_translation_moves_the_picture_by_its_fraction_of_the_side(
    pixels: int, axis: int, draw: int, direction: int, black: float
) -> None:
    found = view(image(), {draw: direction}, black, translation=pixels * PIXEL)
    moved = np.roll(image(), -direction * pixels, axis)
    edge = slice(SIDE - pixels, None) if direction > 0 else slice(None, pixels)
    np.moveaxis(moved, axis, 0)[edge] = black
    assert_same(found, moved)


def test_half_a_pixel_mixes_two_neighbours() -> None:
    found = view(image(), {RIGHT: 1}, translation=PIXEL / 2)
    assert_same(found[:, :-1], (image()[:, :-1] + image()[:, 1:]) / 2)


def test_a_picture_of_half_its_size_has_a_black_frame() -> None:
    found = view(np.ones((SIDE, SIDE), np.float32), {ZOOM: -1}, black=-0.42, scale=0.5)
    expected = np.full((SIDE, SIDE), -0.42)
    expected[2:6, 2:6] = 1
    assert_same(found, expected)


def test_a_picture_scaled_up_shows_its_middle() -> None:
    picture = np.zeros((SIDE, SIDE), np.float32)
    picture[3:5, 3:5] = 1
    found = view(picture, {ZOOM: 1}, scale=0.9)
    assert found.sum() > 3 * picture.sum()
    assert_same(found, found[::-1, ::-1])


@pytest.mark.parametrize(("x", "y"), [(-1, -1), (1, -1), (-1, 1), (1, 1)])
def test_a_crop_shows_one_part_of_the_picture(x: int, y: int) -> None:
    """Half of each side is cut away: a quarter of the picture is left."""
    picture = np.zeros((SIDE, SIDE), np.float32)
    rows, columns = (slice(0, 4) if end < 0 else slice(4, 8) for end in (y, x))
    picture[rows, columns] = 1
    found = view(picture, {CROP_X: x, CROP_Y: y}, crop=0.5)
    assert_same(found[1:-1, 1:-1], np.ones((6, 6)))
    opposite = view(picture, {CROP_X: -x, CROP_Y: -y}, crop=0.5)
    assert_same(opposite[1:-1, 1:-1], np.zeros((6, 6)))


def test_a_tilt_brings_one_side_nearer_and_the_other_farther() -> None:
    picture = np.ones((SIDE, SIDE), np.float32)
    found = view(picture, {TILT_X: 1}, perspective=0.9)
    left, right = found[:, :4].sum(), found[:, 4:].sum()
    assert left < right
    mirrored = view(picture, {TILT_X: -1}, perspective=0.9)
    assert_same(mirrored, found[:, ::-1])
    assert_same(view(picture, {TILT_Y: 1}, perspective=0.9), found.T)


def ramp() -> npt.NDArray[np.float32]:
    """A picture of how far to the right each point is, from -1 to 1."""
    across = (2 * np.arange(SIDE) + 1) / SIDE - 1
    return np.tile(across, (SIDE, 1)).astype(np.float32)


@pytest.mark.parametrize("perspective", [0.2, 0.4, 0.8])
def test_a_tilt_divides_by_half_of_its_strength_at_the_side(perspective: float) -> None:
    middle = SIDE // 2
    found = view(ramp(), {TILT_X: 1}, perspective=perspective)[middle]
    expected = ramp()[middle] / (1 + perspective / 2 * ramp()[middle])
    inside = np.abs(expected) <= 1 - PIXEL
    assert np.count_nonzero(inside) > SIDE / 2
    assert_same(found[inside], expected[inside])


def test_a_picture_is_cropped_before_it_is_moved() -> None:
    found = view(ramp(), {RIGHT: 1}, crop=0.5, translation=0.1)
    assert_same(found, 0.5 * ramp() + 0.2)


def test_a_picture_is_cropped_before_it_is_tilted_and_tilted_before_it_is_moved() -> None:
    drawn, strength = {TILT_X: 1, RIGHT: 1}, {"crop": 0.5, "perspective": 0.4, "translation": 0.05}
    cropped = 0.5 * ramp()
    assert_same(view(ramp(), drawn, **strength), cropped / (1 + 0.2 * cropped) + 0.1)


ANY = st.builds(
    strengths,
    rotation=st.floats(0, 180),
    translation=st.floats(0, 0.999),
    scale=st.floats(0, 0.999),
    perspective=st.floats(0, 0.999),
    crop=st.floats(0, 0.999),
)
fixed = settings(deadline=None, derandomize=True, max_examples=60)


@fixed
@given(augment=ANY, seed=st.integers(0, 2**32 - 1), black=st.floats(-3, 0))
def test_no_view_is_brighter_or_darker_than_image_and_black(
    augment: Augment, seed: int, black: float
) -> None:
    images = torch.from_numpy(np.stack([image(i) for i in range(4)])[:, None])
    found = views(images, augment, black, np.random.default_rng(seed)).numpy()
    assert np.all(np.isfinite(found))
    assert found.min() >= min(black, 0) - 1e-5
    assert found.max() <= float(images.max()) + 1e-5


@fixed
@given(augment=ANY, seed=st.integers(0, 2**32 - 1), black=st.floats(-3, 3, width=32))
def test_a_black_image_stays_black(augment: Augment, seed: int, black: float) -> None:
    images = torch.full((3, 1, 5, 6), black)
    found = views(images, augment, black, np.random.default_rng(seed))
    assert torch.equal(found, images)


def batch(rows: int, channels: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((rows, channels, 8, 8), np.float32))


EVERY = COMMITTED.train.augment


def seen(images: torch.Tensor, seed: int = 0, augment: Augment = EVERY) -> torch.Tensor:
    return views(images, augment, 0.0, np.random.default_rng(seed))


def test_a_seed_gives_the_same_views_every_time_and_another_seed_others() -> None:
    assert torch.equal(seen(batch(6)), seen(batch(6)))
    assert not torch.equal(seen(batch(6)), seen(batch(6), seed=1))


def test_what_torch_drew_before_has_no_say() -> None:
    torch.manual_seed(0)
    first = seen(batch(6))
    torch.manual_seed(1)
    assert torch.equal(seen(batch(6)), first)


def test_every_image_has_a_view_of_its_own_which_no_other_image_changes() -> None:
    same = batch(1).expand(6, -1, -1, -1)
    found = seen(same)
    assert len({each.numpy().tobytes() for each in found}) == 6
    assert torch.equal(seen(batch(6))[:2], seen(batch(2)))


def test_all_channels_of_an_image_move_alike() -> None:
    images = batch(4, channels=3)
    found = seen(images)
    assert found.shape == images.shape
    assert torch.equal(found[:, 1:2], seen(images[:, 1:2]))


def test_the_share_has_no_say_here() -> None:
    half = EVERY.model_copy(update={"share": 0.5})
    assert torch.equal(seen(batch(4), augment=half), seen(batch(4)))


def test_the_images_are_not_changed() -> None:
    images = batch(4)
    seen(images)
    assert torch.equal(images, batch(4))


@pytest.mark.parametrize("name", ["rotation", "translation", "scale", "perspective", "crop"])
def test_each_strength_makes_a_difference_of_its_own(name: str) -> None:
    assert getattr(EVERY, name) > 0
    only = strengths(**{name: getattr(EVERY, name)})
    without = EVERY.model_copy(update={name: 0})
    images = batch(4)
    assert not torch.allclose(seen(images, augment=only), images, atol=1e-3)
    assert not torch.allclose(seen(images, augment=without), seen(images), atol=1e-3)


@pytest.mark.parametrize("strength", [0.05, 0.1])
def test_twice_the_translation_is_twice_as_far(strength: float) -> None:
    picture = np.zeros((40, 40), np.float32)
    picture[18:22, 18:22] = 1
    near, far = (
        centre(view(picture, {RIGHT: 1, DOWN: -1}, translation=factor * strength))
        for factor in (1, 2)
    )
    assert math.isclose(2 * (near[0] - 19.5), far[0] - 19.5, abs_tol=1e-3)
    assert math.isclose(2 * (near[1] - 19.5), far[1] - 19.5, abs_tol=1e-3)


def centre(picture: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Row and column of the centre of light."""
    rows, columns = np.indices(picture.shape)
    return tuple(float((each * picture).sum() / picture.sum()) for each in (rows, columns))
