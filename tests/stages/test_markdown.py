"""Tables: aligned, and whatever stands in a cell is text and nothing else."""

import pytest

from stages import markdown


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert markdown.table(["a", "long"], [["wide", "b"]]) == (
        "| a    | long |\n| ---- | ---- |\n| wide | b    |\n"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\n\n| b", r"a \| b"),
        ("~~b~~", r"\~\~b\~\~"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("\x1b[2J", r"\\x1b\[2J"),
        ("\ud800", r"\\ud800"),
        ("\u202e", r"\\u202e"),
        ("\x00", r"\\x00"),
        ("R² … → é_b", "R² … → é_b"),
    ],
    ids=ascii,
)
def test_what_a_terminal_or_a_page_would_act_on_is_text(value: str, shown: str) -> None:
    assert markdown.text(value) == shown
    markdown.text(value).encode()


def test_what_is_folded_is_found_again_and_padding_is_no_loss() -> None:
    content = markdown.table(["a", "long"], [["wide", "b"]])
    folded = markdown.fold("Title, in %", content) + markdown.fold("b", "- one\n\n- two\n")
    front, folds = markdown.unfolded(f"first\n\n{folded}")
    assert front == "first\n\n"
    assert folds == [("Title, in %", content.strip()), ("b", "- one\n\n- two")]
    tight = "| a | long |\n| --- | --- |\n| wide | b |\n"
    assert markdown.tight(f"as  it is\n{content}") == f"as  it is\n{tight}"
