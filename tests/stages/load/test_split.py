"""A split loses no row, and is the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Array
from octet.errors import OctetError
from octet.signature import Columns, Numbers, Signature
from stages.load.split import split
from stages.params.split import Split

ROWS = 20_640


def numbered(rows: int) -> tuple[Array, Array, Signature]:
    """A table whose every number tells its row."""
    row = np.arange(rows, dtype=np.float64)
    signature = Signature(Columns(("a", "b")), Numbers("t", "u"))
    return np.column_stack([row, -row]), row + 0.5, signature


def how(test_size: float, random_state: int = 42) -> Split:
    return Split(test_size=test_size, random_state=random_state)


def test_a_fifth_of_california_is_held_out() -> None:
    data = split(*numbered(ROWS), how(0.2))
    assert data.x_train.shape == (16_512, 2)
    assert data.y_train.shape == (16_512,)
    assert data.x_test.shape == (4_128, 2)
    assert data.y_test.shape == (4_128,)


@settings(deadline=None, derandomize=True)
@given(
    rows=st.integers(10, 200),
    test_size=st.floats(0.2, 0.8),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_split_keeps_every_row_once_and_whole(rows: int, test_size: float, seed: int) -> None:
    data = split(*numbered(rows), how(test_size, seed))
    x = np.concatenate([data.x_train, data.x_test])
    y = np.concatenate([data.y_train, data.y_test])
    assert sorted(x[:, 0]) == list(range(rows))
    np.testing.assert_array_equal(x[:, 1], -x[:, 0])
    np.testing.assert_array_equal(y, x[:, 0] + 0.5)


def test_a_seed_gives_the_same_rows_every_time_and_another_seed_others() -> None:
    first, again, other = (split(*numbered(100), how(0.2, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.x_train, again.x_train)
    np.testing.assert_array_equal(first.y_test, again.y_test)
    assert set(first.y_test) != set(other.y_test)


def test_rows_are_shuffled() -> None:
    data = split(*numbered(100), how(0.2))
    assert max(data.y_test) > min(data.y_train)
    assert list(data.y_train) != sorted(data.y_train)


@pytest.mark.parametrize("test_size", [0.999, 1e-9])
def test_a_split_that_leaves_a_side_without_two_rows_is_refused(test_size: float) -> None:
    with pytest.raises(OctetError, match=r"split\.test_size"):
        split(*numbered(442), how(test_size))
