"""What a pull request comes to fits into a comment, and says what it had to leave out."""

import re
from collections.abc import Callable

import pytest

from stages.commands import comment
from tests.conftest import Clone

LINES = "".join(f"line {i}\n" for i in range(5000))


def test_what_fits_is_whole() -> None:
    assert comment.fitted("front\n", [("a", "one\n"), ("b", "two\n")]) == (
        "front\n\n<details><summary>a</summary>\n\none\n\n</details>\n"
        "\n<details><summary>b</summary>\n\ntwo\n\n</details>\n"
    )


@pytest.mark.parametrize("front", ["", "short\n", LINES, LINES * 10], ids=len)
@pytest.mark.parametrize("lengths", [[10], [5000], [1, 5000, 5000, 1, 5000], [5000] * 40], ids=str)
def test_however_much_there_is_it_fits_and_every_cut_is_counted(
    front: str, lengths: list[int]
) -> None:
    folds = [("title", "".join(LINES.splitlines(keepends=True)[:n])) for n in lengths]
    text = comment.fitted(front, folds)
    assert len(text) <= comment.MOST
    assert text.count("<details>") == text.count("</details>") == len(folds)
    left_out = [int(n.replace(",", "")) for n in re.findall(r"^(\S+) more lines", text, re.M)]
    kept = len(re.findall("^line", text, re.MULTILINE))
    assert kept + sum(left_out) == front.count("line") + sum(lengths)


def test_fifty_systems_each_with_a_reason_are_all_answered() -> None:
    row = f"| {'name' * 5} | not shown to be as good | {'x' * 90} |\n"
    reason = f"- **{'name' * 5}**: {'reason ' * 45}\n"
    front = row * 50 + reason * 50
    assert comment.fitted(front, [("a", LINES)] * 12).startswith(front)


@pytest.mark.slow
def test_metrics_that_a_merge_left_in_pieces_stop_no_comment(
    new_clone: Callable[..., Clone],
) -> None:
    clone = new_clone("diabetes")
    broken = clone.path / "metrics/diabetes.json"
    whole = broken.read_bytes()
    broken.write_bytes(b"<<<<<<< HEAD\n" + whole)
    clone.git("commit", "--quiet", "--all", "--message", "in pieces")
    command = ("python", "-m", "stages.commands.comment", "HEAD")
    in_both = clone.run(*command).stdout
    broken.write_bytes(whole)
    in_base = clone.run(*command).stdout
    for text in (in_both, in_base):
        assert "Nothing can be compared: " in text
        assert "metrics/diabetes.json: not JSON" in text
    failed = "| diabetes | metrics | metrics/diabetes.json: not JSON"
    assert (failed in in_both, failed in in_base) == (True, False)
    assert clone.run(*command[:-1], "nowhere", check=False).returncode == 1
