"""Two revisions side by side: every change is seen, in its unit, with the better side named."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from octet.errors import OctetError
from stages import compare
from tests.conftest import Clone


def figures(**groups: dict[str, object]) -> compare.Figures:
    return compare.figures(json.dumps(groups), "here")


def rows(section: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def changes(before: compare.Figures, after: compare.Figures) -> list[list[str]]:
    return rows(compare.base_to_head({"a": before}, {"a": after}, ("base", "head")))


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ("quantized.r2", 0.5, 0.4, ["↑", "0.5", "0.4", "-0.1", "worse"]),
        ("quantized.mse", 0.5, 0.4, ["target² ↓", "0.5", "0.4", "-0.1", "better"]),
        ("quantized.accuracy", 0.99, 0.9912, ["% ↑", "99", "99.12", "+0.12 points", "better"]),
        ("size.codes", 100, 90, ["bytes ↓", "100", "90", "-10", "better"]),
        ("size.scales", 1, 1000000, ["bytes ↓", "1", "1000000", "+999999", "worse"]),
        ("verdict.low", -0.001, 0.001, ["%", "-0.1", "0.1", "+0.2 points", ""]),
        ("change.r2", 0.001, 0.002, ["", "0.001", "0.002", "+0.001", ""]),
        ("rounding.rows_proven", 9, 8, ["rows ↑", "9", "8", "-1", "worse"]),
        ("rounding.1_conv2d.rows_proven", 9, 8, ["rows ↑", "9", "8", "-1", "worse"]),
        ("fidelity.sqnr_db", 30, 40, ["dB ↑", "30", "40", "+10", "better"]),
        ("unknown.figure", 1, 2, ["", "1", "2", "+1", ""]),
    ],
)
def test_a_change_has_its_unit_and_its_better_side(
    path: str, before: float, after: float, expected: list[str]
) -> None:
    group, _, name = path.partition(".")
    old, new = ({group: nested(name, value)} for value in (before, after))
    assert changes(figures(**old), figures(**new)) == [["a", path.replace("_", "_"), *expected]]


def nested(path: str, value: object) -> dict[str, object]:
    name, _, rest = path.partition(".")
    return {name: nested(rest, value) if rest else value}


def test_the_smallest_change_is_seen() -> None:
    (row,) = changes(figures(quantized={"r2": 0.123456789}), figures(quantized={"r2": 0.123456790}))
    assert row[3:] == ["0.123456789", "0.12345679", "+0.000000001", "better"]


def test_what_is_the_same_is_counted_and_not_shown() -> None:
    before = figures(quantized={"r2": 0.5, "mse": 1.0, "mae": 2})
    after = figures(quantized={"r2": 0.5, "mse": 1.5, "mae": 2.0})
    section = compare.base_to_head({"a": before}, {"a": after}, ("base", "head"))
    assert [row[1] for row in rows(section)] == ["quantized.mse"]
    assert "2 figures are the same on both sides." in section


def test_rows_are_sorted_whatever_the_order_of_the_files() -> None:
    before = {name: figures(quantized={"r2": 0.1, "mse": 1}) for name in ("b", "c", "a")}
    after = {name: figures(quantized={"mse": 2, "r2": 0.2}) for name in ("c", "a", "b")}
    found = [row[:2] for row in rows(compare.base_to_head(before, after, ("x", "y")))]
    assert found == sorted(found)
    assert len(found) == 6
    found = [row[:2] for row in rows(compare.float_to_quantized(before))]
    assert found == sorted(found)


def test_what_one_side_lacks_is_said() -> None:
    before = {"a": figures(quantized={"r2": 0.1, "mae": 1}), "gone": figures(size={"codes": 1})}
    after = {"a": figures(quantized={"r2": 0.1, "mse": 1}), "new": figures(size={"codes": 1})}
    section = compare.base_to_head(before, after, ("base", "head"))
    assert "`gone`: not in head" in section
    assert "`new`: not in base" in section
    assert rows(section) == [
        ["a", "quantized.mae", "target ↓", "1", "missing", "", ""],
        ["a", "quantized.mse", "target² ↓", "missing", "1", "", ""],
        ["gone", "size.codes", "bytes ↓", "1", "missing", "", ""],
        ["new", "size.codes", "bytes ↓", "missing", "1", "", ""],
    ]


def test_values_that_are_no_numbers_are_shown_as_they_are() -> None:
    before = compare.figures('{"a": {"x": NaN, "y": null, "z": "conv", "b": true}}', "here")
    after = compare.figures('{"a": {"x": 1, "y": 2, "z": "linear", "b": false}}', "here")
    found = {row[1]: row[3:] for row in changes(before, after)}
    assert found["a.x"] == ["NaN", "1", "", ""]
    assert found["a.z"] == ["conv", "linear", "", ""]
    assert found["a.y"] == ["None", "2", "", ""]


def test_nothing_in_a_file_becomes_markdown_or_html() -> None:
    bad = "</td><script>x</script> [a](http://b) `c` | @someone\n\n# head ![i](j) <img src=x>"
    before = compare.figures(json.dumps({"g": {bad: 1}, bad: {"x": 1}}), "here")
    after = compare.figures(json.dumps({"g": {bad: bad}}), "here")
    section = compare.base_to_head({bad: before}, {bad: after}, (bad, "head"))
    section += compare.float_to_quantized({bad: figures(float={"r2": bad})})
    assert "<" not in section
    assert "\n#" not in section.replace("\n### ", "")
    for mark in ("|", "@", "[", "`"):
        for line in section.splitlines():
            inside = line.strip("| ") if line.startswith("|") else line.replace("`: not", "")
            plain = inside.replace(f"\\{mark}", "").replace(" | ", "").lstrip("`")
            assert mark not in plain, line


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "null", "[" * 100_000])
def test_a_file_without_metrics_is_one_line(text: str) -> None:
    with pytest.raises(OctetError, match="here: not a file of metrics; `dvc repro` makes it"):
        compare.figures(text, "here")


def test_digits_are_those_of_the_file() -> None:
    found = compare.figures('{"a": {"b": 0.1, "c": 12345678901234567890}}', "here")
    assert found == {"a.b": Decimal("0.1"), "a.c": Decimal(12345678901234567890)}


def words(markdown: str) -> list[str]:
    """Without what depends on the widths of columns."""
    return [word for word in markdown.split() if word.strip("-")]


@pytest.mark.slow
def test_revisions_of_a_plain_clone_are_compared(new_clone: Callable[..., Clone]) -> None:
    clone = new_clone("diabetes", "california")
    base = clone.git("rev-parse", "HEAD")
    clone.edit("metrics/diabetes.json", '"codes": 11', '"codes": 12')
    (clone.path / "metrics/california.json").unlink()
    changed = clone.run("python", "-m", "stages.compare", base).stdout
    assert "| size.codes | bytes ↓ | 11" in " ".join(changed.split())
    assert "`california`: not in workspace" in changed
    clone.git("commit", "--quiet", "--all", "--message", "changed")
    committed = clone.run("python", "-m", "stages.compare", base, "HEAD").stdout
    assert words(committed) == words(changed.replace("workspace", "HEAD"))
    backwards = clone.run("python", "-m", "stages.compare", "HEAD", base).stdout
    assert "`california`: not in HEAD" in backwards
    (clone.path / "metrics/diabetes.json").write_text("{")
    for arguments, message in [
        (["HEAD"], "error: workspace: metrics/diabetes.json: not a file of metrics"),
        (["no-such-revision"], "error: revision no-such-revision: "),
    ]:
        done = clone.run("python", "-m", "stages.compare", *arguments, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(message)
        assert done.stderr.count("\n") == 1
