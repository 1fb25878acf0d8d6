"""Several promises at once: by hand, and how often any of them is wrong."""

import numpy as np
import pytest

from stages.tasks import family
from stages.tasks.level import ALPHA


@pytest.mark.parametrize(
    ("p_values", "said"),
    [
        ({}, set()),
        ({"a": 0.025}, {"a"}),
        ({"a": 0.026}, set()),
        ({"a": 0.0125, "b": 0.025}, {"a", "b"}),
        ({"a": 0.013, "b": 0.013}, set()),
        ({"a": 0.001, "b": 0.02, "c": 0.012}, {"a", "b", "c"}),
        ({"a": 0.001, "b": 0.012, "c": 0.9}, {"a", "b"}),
        ({"a": 0.02, "b": 0.02, "c": 0.001}, {"c"}),
    ],
)
def test_holm_by_hand(p_values: dict[str, float], said: set[str]) -> None:
    assert family.holm(p_values) == said


def test_any_wrong_sentence_among_many_is_rare() -> None:
    """Ten systems at the margin: 2.5 % of 4,000 families; 0.74 % are three deviations."""
    rng = np.random.default_rng(0)
    wrong = sum(
        bool(family.holm(dict(zip("abcdefghij", rng.random(10), strict=True)))) for _ in range(4000)
    )
    assert wrong / 4000 <= ALPHA + 0.0074


@pytest.mark.parametrize(
    ("shown", "smallest"),
    [
        ([], None),
        ([(8, False), (4, True)], None),
        ([(8, True)], 8),
        ([(4, True), (8, True), (6, True)], 4),
        ([(8, True), (7, True), (6, False), (5, True)], 7),
    ],
)
def test_widths_are_tried_from_the_widest_down_to_the_first_that_fails(
    shown: list[tuple[int, bool]], smallest: int | None
) -> None:
    assert family.smallest_width(shown) == smallest


def test_a_width_that_is_worse_than_allowed_is_seldom_called_enough() -> None:
    """The widths below 6 are at the margin; whatever passes below one that fails does not count."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(4000):
        shown = [(bits, bits >= 6 or rng.random() <= ALPHA) for bits in range(2, 9)]
        wrong += (family.smallest_width(shown) or 9) < 6
    assert wrong / 4000 <= ALPHA + 0.0074
