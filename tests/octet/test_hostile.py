"""Model files from strangers: each is a network, or is refused in one line."""

from pathlib import Path

from tests.octet import hostile

CASES = 2000


def test_two_thousand_files_that_lie_are_refused_or_run(tmp_path: Path) -> None:
    refused = hostile.attack(CASES, 0, tmp_path / "model.safetensors")
    # Both happen often, or the files are no test.
    assert CASES / 2 < refused < CASES - 50


def test_the_files_that_are_changed_are_good_ones(tmp_path: Path) -> None:
    for content in hostile.VALID:
        assert not hostile.is_refused(content, tmp_path / "model.safetensors")
