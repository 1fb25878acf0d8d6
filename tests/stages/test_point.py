"""The CSV of a sweep: what is written is read, and nothing else is taken for one."""

from pathlib import Path

import pytest

from octet.errors import OctetError
from stages import point
from stages.point import Point

POINTS = (
    Point(32, "float", 6680, 0.991666667, 0.0, 0.0, 0.0, 319.1, 1),
    Point(2, "exact", 700, 0.5, 0.491666667, 0.4, 0.6, -3.25, 0),
    Point(8, "nearest", 2004, 0.99, 0.001, -1e-09, 0.01, 36.9421223, 1),
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = point.sweep_path("small")
    file.parent.mkdir(parents=True)
    return file


def test_what_is_written_is_read(file: Path) -> None:
    file.write_bytes(point.dump("small", POINTS))
    assert point.read("small") == POINTS


def test_a_line_has_the_system_and_nine_digits() -> None:
    longer = Point(8, "exact", 1, 1 / 3, 0.0, 0.0, 0.0, 1e-20 / 3, 1)
    assert point.dump("small", [longer]) == (
        b"system,bits,rounding,payload,score,loss,low,high,fidelity,non_inferior\n"
        b"small,8,exact,1,0.333333333,0,0,0,3.33333333e-21,1\n"
    )


def test_there_may_be_no_sweep(file: Path) -> None:
    assert not file.exists()
    assert point.read("small") == ()


@pytest.mark.parametrize(
    "content",
    [
        b"bits,rounding\n8,exact\n",
        point.dump("small", POINTS)[:-20],
        point.dump("small", POINTS).replace(b"2004", b"many"),
        b"\xff\xfe",
    ],
    ids=["other columns", "cut off", "no number", "no text"],
)
def test_another_file_is_refused_in_one_line(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(OctetError) as caught:
        point.read("small")
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"{file}: not a sweep")
    assert message.endswith("run `dvc repro`")
