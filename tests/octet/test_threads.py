"""Parts that are shared out among the cores."""

from threading import get_ident

import numpy as np
import pytest

from octet.runtime import threads


def test_a_part_does_its_own_parts_itself() -> None:
    def thread_and_those_inside(_: int) -> tuple[int, set[int]]:
        return get_ident(), set(threads.each(lambda _: get_ident(), range(4)))

    for thread, inside in threads.each(thread_and_those_inside, range(4)):
        assert inside == {thread}


def test_parts_are_done_here_where_other_work_has_the_cores() -> None:
    with threads.alone():
        assert set(threads.each(lambda _: get_ident(), range(4))) == {get_ident()}
    assert get_ident() not in threads.each(lambda _: get_ident(), range(4))


def test_what_numpy_raises_here_it_raises_there() -> None:
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        threads.each(lambda x: 1 / x, [np.ones(1), np.zeros(1)])
