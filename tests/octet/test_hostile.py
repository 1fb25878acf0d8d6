"""Model files from strangers: each is a network or refused in one line, nothing else happens."""

from pathlib import Path

from tests.octet import hostile


def test_two_thousand_files_that_lie_are_refused_or_run(tmp_path: Path) -> None:
    seen = hostile.run(2000, tmp_path)
    assert seen.total() == 2000
    assert not seen["refused in more than one line"]
    # Both happen often, or the files are no test.
    assert seen["refused"] > 1000
    assert seen["accepted"] > 50


def test_the_files_that_are_changed_are_good_ones(tmp_path: Path) -> None:
    for content in hostile.valid():
        (tmp_path / "hostile.safetensors").write_bytes(content)
        assert hostile._outcome(tmp_path / "hostile.safetensors") == "accepted"
