"""Two revisions side by side: every change is seen, in its unit, with the better side named."""

import json
import re
from collections.abc import Callable

import pytest

from stages.commands import compare
from stages.metrics import Metrics, parse
from tests.conftest import Clone

REGRESSION, CLASSIFICATION = "regression of columns", "classification of images"


def metrics(kind: str = REGRESSION, **groups: object) -> Metrics:
    return parse(json.dumps({"kind": kind, **groups}), "here")


def rows(section: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def side(name: str, systems: dict[str, Metrics], **stale: str) -> compare.Side:
    return compare.Side(name, systems, stale)


def changes(before: Metrics, after: Metrics) -> list[list[str]]:
    return rows(compare.base_to_head(side("base", {"a": before}), side("head", {"a": after})))


@pytest.mark.parametrize(
    ("kind", "key", "before", "after", "expected"),
    [
        (REGRESSION, "quantized.r2", 0.5, 0.4, ["↑", "0.5", "0.4", "-0.1", "worse"]),
        (REGRESSION, "quantized.mse", 0.5, 0.4, ["target² ↓", "0.5", "0.4", "-0.1", "better"]),
        (REGRESSION, "change.r2", 0.001, 0.002, ["", "0.001", "0.002", "+0.001", ""]),
        (REGRESSION, "fidelity.mean_abs", 2, 1, ["target ↓", "2", "1", "-1", "better"]),
        (
            *(REGRESSION, "verdict.low", -0.001, 0.001),
            ["% of test MSE ↓", "-0.1", "0.1", "+0.2 points", "worse"],
        ),
        (
            *(CLASSIFICATION, "quantized.accuracy", 0.99, 0.9912),
            ["% ↑", "99", "99.12", "+0.12 points", "better"],
        ),
        (
            *(CLASSIFICATION, "change.accuracy", 0.001, 0.002),
            ["points", "0.1", "0.2", "+0.1 points", ""],
        ),
        (CLASSIFICATION, "fidelity.mean_abs", 2, 1, ["logits ↓", "2", "1", "-1", "better"]),
        (
            *(CLASSIFICATION, "verdict.low", -0.001, 0.001),
            ["points ↑", "-0.1", "0.1", "+0.2 points", "better"],
        ),
        (CLASSIFICATION, "verdict.lost", 3, 4, ["rows ↓", "3", "4", "+1", "worse"]),
        *(
            (kind, key, before, after, expected)
            for kind in (REGRESSION, CLASSIFICATION)
            for key, before, after, expected in [
                ("size.codes", 100, 90, ["bytes ↓", "100", "90", "-10", "better"]),
                ("size.scales", 1, 1000000, ["bytes ↓", "1", "1000000", "+999999", "worse"]),
                ("rounding.rows_proven", 9, 8, ["rows ↑", "9", "8", "-1", "worse"]),
                ("fidelity.sqnr_db", 30, 40, ["dB ↑", "30", "40", "+10", "better"]),
                ("unknown.number", 1, 2, ["", "1", "2", "+1", ""]),
            ]
        ),
    ],
)
def test_a_change_has_its_unit_and_its_better_side(
    kind: str, key: str, before: float, after: float, expected: list[str]
) -> None:
    group, name = key.split(".")
    old, new = (metrics(kind, **{group: {name: value}}) for value in (before, after))
    assert changes(old, new) == [["a", key, *expected]]


def test_of_a_file_that_does_not_say_what_it_is_of_numbers_are_shown_as_they_are() -> None:
    old, new = (parse(f'{{"quantized": {{"accuracy": {value}}}}}', "here") for value in (0.9, 0.8))
    assert changes(old, new) == [["a", "quantized.accuracy", "", "0.9", "0.8", "-0.1", ""]]


def test_the_smallest_change_is_seen() -> None:
    (row,) = changes(metrics(quantized={"r2": 0.123456789}), metrics(quantized={"r2": 0.123456790}))
    assert row[3:] == ["0.123456789", "0.12345679", "+0.000000001", "better"]


def test_negative_zero_is_zero() -> None:
    zero, negative = metrics(quantized={"r2": 0}), metrics(quantized={"r2": -0.0})
    assert changes(zero, negative) == []
    assert changes(negative, metrics(quantized={"r2": 1}))[0][3] == "0"


def test_what_is_the_same_is_counted_and_not_shown() -> None:
    before = metrics(quantized={"r2": 0.5, "mse": 1.0, "mae": 2})
    after = metrics(quantized={"r2": 0.5, "mse": 1.5, "mae": 2.0})
    section = compare.base_to_head(side("base", {"a": before}), side("head", {"a": after}))
    assert [row[1] for row in rows(section)] == ["quantized.mse"]
    assert "3 numbers are the same on both sides." in section
    section = compare.base_to_head(side("base", {"a": before}), side("head", {"a": before}))
    assert not rows(section)
    assert "No number of both sides differs." in section
    assert "4 numbers are the same on both sides." in section


def test_rows_are_sorted_whatever_the_order_of_the_files() -> None:
    before = {name: metrics(quantized={"r2": 0.1, "mse": 1}) for name in ("b", "c", "a")}
    after = {name: metrics(quantized={"mse": 2, "r2": 0.2}) for name in ("c", "a", "b")}
    found = [row[:2] for row in rows(compare.base_to_head(side("x", before), side("y", after)))]
    assert found == sorted(found)
    assert len(found) == 6
    found = [row[:2] for row in rows(compare.float_to_quantized(before))]
    assert found == sorted(found)


def test_what_one_side_lacks_is_said() -> None:
    before = {"a": metrics(quantized={"r2": 0.1, "mae": 1}), "gone": metrics(size={"codes": 1})}
    after = {"a": metrics(quantized={"r2": 0.1, "mse": 1}), "new": metrics(size={"codes": 1})}
    section = compare.base_to_head(side("base", before), side("head", after))
    assert "Not in head: gone, of which base has 2 numbers." in section
    assert "Not in base: new, of which head has 2 numbers." in section
    assert rows(section) == [
        ["a", "quantized.mae", "target ↓", "1", "missing", "", ""],
        ["a", "quantized.mse", "target² ↓", "missing", "1", "", ""],
    ]


def test_values_that_are_no_numbers_are_shown_as_they_are() -> None:
    before = parse('{"a": {"x": NaN, "y": null, "z": "conv", "b": true}}', "here")
    after = parse('{"a": {"x": 1, "y": 2, "z": "linear", "b": false}}', "here")
    found = {row[1]: row[3:] for row in changes(before, after)}
    assert found["a.x"] == ["NaN", "1", "", ""]
    assert found["a.z"] == ["conv", "linear", "", ""]
    assert found["a.y"] == ["null", "2", "", ""]


def test_nothing_in_a_file_becomes_markdown_or_html() -> None:
    bad = "</td><script>x</script> [a](http://b) `c` | @someone\n\n# head ![i](j) <img src=x>"
    before = parse(json.dumps({"g": {bad: 1}, bad: {"x": 1}}), "here")
    after = parse(json.dumps({"g": {bad: bad}}), "here")
    section = compare.base_to_head(side(bad, {bad: before}), side("head", {bad: after}))
    section += compare.float_to_quantized({bad: metrics(float={"r2": bad})})
    assert "<" not in section
    assert "\n#" not in section.replace("\n### ", "")
    for mark in ("|", "@", "[", "`"):
        for line in section.splitlines():
            inside = line.strip("| ") if line.startswith("|") else line
            plain = inside.replace(f"\\{mark}", "").replace(" | ", "")
            assert mark not in plain, line


def test_figures_that_are_not_of_their_parameters_are_called_stale() -> None:
    systems = {"a": metrics(quantized={"r2": 0.1})}
    head = side("head", systems, a="quant.bits: 2 in params.yaml, 8 in dvc.lock")
    section = compare.base_to_head(side("base", systems), head)
    assert "Stale in head: a: quant.bits: 2 in params.yaml, 8 in dvc.lock." in section
    assert "Stale in base" not in section


def test_the_parameters_that_changed_are_named_with_both_values() -> None:
    def of(**params: object) -> compare.Side:
        return compare.Side("any", {}, {}, {"quant": params})

    before = of(bits=8, margin=[0, 0], gone="<b>", same=1)
    after = of(bits=6, margin=[0, 1], new={"deep": {}}, same=1)
    assert compare.changed_parameters(before, after) == (
        "In params.yaml changed:\n\n- quant.bits: 8 → 6\n- quant.margin: \\[0, 0\\] → \\[0, 1\\]\n"
        "- quant.new.deep: missing → {}\n- quant.gone: '&lt;b&gt;' → missing\n"
    )
    assert compare.changed_parameters(before, before) == "Nothing in params.yaml changed.\n"
    many = of(**{f"k{i}": i for i in range(20)})
    assert compare.changed_parameters(before, many).endswith("\n- and 12 more\n")


def test_what_decides_is_shown_by_itself() -> None:
    before = metrics(quantized={"r2": 0.5, "mse": 1}, size={"quantized_payload": 10, "codes": 9})
    after = metrics(quantized={"r2": 0.4, "mse": 2}, size={"quantized_payload": 10, "codes": 8})
    both = side("base", {"a": before}), side("head", {"a": after})
    assert rows(compare.headlines(*both)) == [
        ["a", "quantized.r2", "↑", "0.5", "0.4", "-0.1", "worse"]
    ]
    assert compare.headlines(both[0], both[0]) == ""


def words(markdown: str) -> list[str]:
    """Without what depends on the widths of columns."""
    return [word for word in markdown.split() if word.strip("-")]


@pytest.mark.slow
def test_revisions_of_a_plain_clone_are_compared(new_clone: Callable[..., Clone]) -> None:
    clone = new_clone("diabetes", "california")
    base = clone.git("rev-parse", "HEAD")
    file = clone.path / "metrics/diabetes.json"
    file.write_text(re.sub(r'"codes": \d+', '"codes": 12345', file.read_text()))
    (clone.path / "metrics/california.json").unlink()
    changed = clone.run("python", "-m", "stages.commands.compare", base).stdout
    assert re.search(r"\| size.codes +\| bytes ↓ +\| \d+ +\| 12345 ", changed)
    assert "Not in workspace: california, of which" in changed
    clone.git("commit", "--quiet", "--all", "--message", "changed")
    committed = clone.run("python", "-m", "stages.commands.compare", base, "HEAD").stdout
    assert words(committed) == words(changed.replace("workspace", "HEAD"))
    backwards = clone.run("python", "-m", "stages.commands.compare", "HEAD", base).stdout
    assert "Not in HEAD: california, of which" in backwards
    clone.git("rm", "--quiet", "-r", "--cached", "metrics")
    clone.git("commit", "--quiet", "--message", "no metrics")
    neither = "error: metrics: no metrics on either side; `dvc repro` makes them"
    (clone.path / "metrics/diabetes.json").write_text("{")
    for arguments, message in [
        ([base], "error: workspace: metrics/diabetes.json: not JSON"),
        (["no-such-revision"], "error: revision no-such-revision: "),
        ([""], "error: revision '': no commit"),
        (["HEAD:stages"], "error: revision HEAD:stages: no commit"),
        (["HEAD", "HEAD"], neither),
    ]:
        done = clone.run("python", "-m", "stages.commands.compare", *arguments, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(message)
        assert done.stderr.count("\n") == 1
