"""What several streams say together."""

import numpy as np
import pytest

from octet.monitor.combine import changed, discoveries, holm


@pytest.mark.parametrize(
    ("peaks", "sure", "likely"),
    [
        ([], "", ""),
        ([19.9], "-", "-"),
        ([20.1], "+", "+"),
        ([29, 29], "--", "--"),
        ([39, 1], "--", "--"),
        ([41, 19], "+-", "--"),  # e-BH over all dependence asks for 60 of the first
        ([41, 21], "++", "--"),
        ([19, 61], "-+", "-+"),
        ([31, 31], "--", "++"),
        ([1, 1, 1, 81], "---+", "----"),
        ([1, 81, 1, 61], "-+-+", "----"),
        ([90, 90, 90, 90], "++++", "++++"),
    ],
)
def test_who_is_named_at_level_one_in_twenty(peaks: list[float], sure: str, likely: str) -> None:
    logs = np.log(np.array(peaks, float))
    assert "".join("-+"[named] for named in holm(logs, 0.05).tolist()) == sure
    assert "".join("-+"[named] for named in discoveries(logs, 0.05).tolist()) == likely
    assert changed(logs, 0.05) == ("+" in sure)


def test_more_evidence_never_unnames() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        peaks = rng.exponential(4, 6)
        more = peaks + rng.exponential(1, 6) * (rng.random(6) < 0.5)
        for procedure in (holm, discoveries):
            assert (procedure(more, 0.1) >= procedure(peaks, 0.1)).all()


def test_a_false_one_is_named_as_seldom_as_promised_when_all_depend_on_each_other() -> None:
    # The worst there is: p-values of one draw, each of which reaches what it must when one does.
    rng, runs = np.random.default_rng(1), 4000
    uniform = rng.random(runs)
    wrong = sum(holm(-np.log(np.repeat(one, 5)), 0.05).any() for one in uniform)
    spread = -np.log((uniform[:, None] + np.arange(5) / 5) % 1)
    wrong_apart = sum(holm(peaks, 0.05).any() for peaks in spread)
    assert wrong <= 0.01 * runs + 3 * np.sqrt(0.01 * runs)
    assert abs(wrong_apart - 0.05 * runs) < 3 * np.sqrt(0.05 * runs)
