"""What docs/statistics.md says of the intervals is what measuring them gives."""

import pytest

from docs import intervals
from stages.tasks.level import ALPHA

# Those that take a second; `python -m docs.intervals` measures all.
QUICK = [case for case in intervals.CASES if case[0] <= 360]


def test_the_table_is_what_the_script_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    page = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in intervals.PAGE.read_text(encoding="utf-8").splitlines()
    ]
    monkeypatch.setattr(intervals, "CASES", QUICK)
    measured = list(intervals.classification())
    assert len(measured) == 5 * len(QUICK)
    assert [row for row in measured if row not in page] == []
    sizes: dict[str, list[float]] = {row[2]: [] for row in measured}
    for row in measured:
        sizes[row[2]].append(float(row[3]) / 100)
    assert max(sizes["chosen"]) <= ALPHA < max(sizes["Tango"]) < max(sizes["half image"])
