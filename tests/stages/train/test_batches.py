"""What a network is shown: each image once in an epoch, some noisy, some as another view."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from stages.dataset import Dataset
from stages.train import network
from stages.train.architecture import Step
from stages.train.module import Module
from stages.train.network import standardize
from tests.stages.train.small import COMMITTED, dense, fit, flat, pictures, recipe

FLAT = flat(), dense()
VIEWS = {**COMMITTED.train.augment.model_dump(), "share": 0.5}


Seen = list[npt.NDArray[np.float32]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """The batches that enter the module in the trainings of a test."""
    batches: Seen = []

    class Watched(Module):
        def __init__(self, steps: tuple[Step, ...]) -> None:
            super().__init__(steps)
            self.register_forward_pre_hook(
                lambda _, entering: batches.append(entering[0].detach().numpy().copy())
            )

    monkeypatch.setattr(network, "Module", Watched)
    return batches


def numbered(rows: int) -> Dataset:
    """Pictures that differ from each other, each of one grey but for a black corner."""
    data = pictures(rows)
    x = np.zeros_like(data.x_train)
    x[:] = np.arange(1, rows + 1, dtype=np.uint8)[:, None, None, None]
    x[:, 0, 0, 0] = 0
    return replace(data, x_train=x)


def rows_of(batch: npt.NDArray[np.float32], data: Dataset) -> list[int | None]:
    """Which training image each row of a batch is, None where it is none of them."""
    scaler = standardize(data.x_train)
    levels = ((np.arange(256) - scaler.mean[0]) / scaler.std[0]).astype(np.float32)
    known = {levels[image].tobytes(): i for i, image in enumerate(data.x_train)}
    return [known.get(row.tobytes()) for row in batch]


def test_an_epoch_is_every_image_once_and_another_one_has_another_order(seen: Seen) -> None:
    data = numbered(40)
    fit(data, FLAT, recipe(epochs=2, batch=20, noise={"share": 0, "std": 9}))
    found = [rows_of(batch, data) for batch in seen]
    first, second = found[0] + found[1], found[2] + found[3]
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert first != list(range(40))


def test_another_seed_gives_another_order(seen: Seen) -> None:
    data = numbered(40)
    for seed in (0, 1, 0):
        fit(data, FLAT, recipe(epochs=1, batch=40, seed=seed, noise={"share": 0, "std": 9}))
    first, other, again = (rows_of(batch, data) for batch in seen)
    assert sorted(first) == sorted(other)
    assert first != other
    assert first == again


@pytest.mark.parametrize(
    ("share", "noisy"), [(0, 0), (0.01, 0), (0.05, 1), (0.3, 6), (0.5, 10), (1, 20)]
)
def test_noise_is_put_on_its_share_of_a_batch_and_on_no_other_image(
    seen: Seen, share: float, noisy: int
) -> None:
    data = numbered(40)
    how = recipe(epochs=2, batch=20, noise={"share": share, "std": 0.3})
    fit(data, FLAT, how)
    assert len(seen) == 4
    for batch in seen:
        assert [row is None for row in rows_of(batch, data)] == [True] * noisy + [False] * (
            20 - noisy
        )


def test_noise_has_its_deviation_and_no_mean(seen: Seen) -> None:
    data = numbered(40)
    fit(data, FLAT, recipe(epochs=1, batch=20, noise={"share": 0, "std": 0.3}))
    fit(data, FLAT, recipe(epochs=1, batch=20, noise={"share": 1, "std": 0.3}))
    noise = np.concatenate(seen[2:]) - np.concatenate(seen[:2])
    # The first batches have the same order, so their difference is noise alone.
    first = noise[:20]
    assert abs(first.mean()) < 0.05
    assert abs(first.std() - 0.3) < 0.03
    assert len(np.unique(first)) > 0.99 * first.size


def test_noise_of_no_deviation_is_none(seen: Seen) -> None:
    data = numbered(40)
    fit(data, FLAT, recipe(epochs=1, batch=20, noise={"share": 1, "std": 0}))
    assert None not in [row for batch in seen for row in rows_of(batch, data)]


def test_views_are_of_the_last_images_of_a_batch_and_noise_is_on_the_first(seen: Seen) -> None:
    data = numbered(40)
    how = recipe(epochs=1, batch=20, noise={"share": 0.3, "std": 0.3}, augment=VIEWS)
    fit(data, FLAT, how)
    for batch in seen:
        changed = [row is None for row in rows_of(batch, data)]
        assert changed == [True] * 6 + [False] * 4 + [True] * 10


def test_shares_that_overlap_give_noisy_views(seen: Seen) -> None:
    data = numbered(40)
    how = recipe(
        epochs=1, batch=20, noise={"share": 0.8, "std": 0.3}, augment={**VIEWS, "share": 0.8}
    )
    fit(data, FLAT, how)
    assert all(row is None for batch in seen for row in rows_of(batch, data))
