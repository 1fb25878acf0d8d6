"""The answers of the report: a verdict and its reason, the smallest width, all together."""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages import paths
from stages.report import answers, summary, verdicts
from stages.report.chapter import Chapter
from stages.report.evidence import Evidence
from tests.stages import small
from tests.stages.report.trees import edit, read

# No flip among many rows, and no row that got worse.
SHOWN: dict[str, float] = {
    "rows": 10_000,
    "rows_needed": 900,
    "non_inferior": 1,
    "p_inferior": 0.001,
    "low": -0.0005,
    "high": 0.0003,
    "margin": 0.005,
    "high_without": 0.0002,
    "effective_rows": 1000,
    "worse": 0,
    "worse_high": 0.001,
    "worse_by": 0.1,
}


def with_verdict(tree: Path, name: str, **verdict: float) -> verdicts.Verdict:
    """That of a system of the tree, of which these numbers are not those of `SHOWN`."""
    for key, value in (SHOWN | verdict).items():
        edit(tree / paths.metrics_path(name), f"verdict.{key}", value)
    return verdicts.judge(dict(zip(small.systems(), read(tree), strict=True))[name])


def test_a_verdict_on_images_is_a_sentence_in_points(tree: Path, tmp_path: Path) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    path = copy / paths.metrics_path(small.IMAGES)
    edit(path, "change.accuracy", -0.0001)
    edit(path, "size.quantized_payload", 28)
    edit(path, "size.float_payload", 100)
    edit(path, "size.codes", 20)
    edit(path, "size.scales", 8)
    edit(path, "size.file_float", 1000)
    edit(path, "size.file_quantized", 1000)
    found = with_verdict(copy, small.IMAGES)
    assert found.kind == "yes"
    assert found.sentence == (
        "the uint8 model with 3-bit weights may replace the float one: accuracy changes by -0.01 "
        "points (95 % interval -0.05 … +0.03), at 28 % of the bytes of its weights."
    )


def test_a_file_that_grows_though_its_weights_shrink_is_said(tree: Path, tmp_path: Path) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    edit(copy / paths.metrics_path(small.IMAGES), "size.file_float", 936)
    edit(copy / paths.metrics_path(small.IMAGES), "size.file_quantized", 1669)
    says = "% of the bytes of its weights, though its file grows from 936 bytes to 1,669."
    assert says in with_verdict(copy, small.IMAGES).sentence


@pytest.mark.parametrize(
    ("system", "interval", "kind"),
    [
        (small.IMAGES, (-0.006, 0.001), "open"),
        (small.IMAGES, (-0.009, -0.006), "no"),
        (small.TABLE, (-0.001, 0.006), "open"),
        (small.TABLE, (0.006, 0.009), "no"),
        (small.CLASSES_OF_TABLE, (-0.006, 0.001), "open"),
        (small.MLP, (-0.009, -0.006), "no"),
    ],
)
def test_worse_than_allowed_is_told_from_not_shown(
    tree: Path, tmp_path: Path, system: str, interval: tuple[float, float], kind: str
) -> None:
    low, high = interval
    copy = small.copy(tree, tmp_path / "tree")
    found = with_verdict(copy, system, low=low, high=high, non_inferior=0, rows_needed=20_000)
    assert found.kind == kind
    could = "not shown: 10,000 rows cannot show 0.5 "
    assert (could in found.sentence) == (kind == "open")
    assert ("worse than allowed" in found.sentence) == (kind == "no")


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"effective_rows": 3}, "tails too heavy for n = 10,000"),
        ({"high_without": 0.006}, "one row decides"),
        ({"worse": 400, "worse_high": 0.06}, "400 of 10,000 rows, up to 6.00% of all; not shown"),
    ],
)
def test_what_a_table_cannot_show_is_said(
    tree: Path, tmp_path: Path, numbers: dict[str, float], says: str
) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    found = with_verdict(copy, small.TABLE, non_inferior=0, **numbers)
    assert found.kind == "open"
    assert says in found.sentence


def test_a_gate_is_part_of_the_verdict(tree: Path, tmp_path: Path) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    edit(copy / paths.metrics_path(small.IMAGES), "quantized.accuracy_noisy", -0.1)
    found = with_verdict(copy, small.IMAGES)
    assert found.kind == "no"
    assert "may not replace the float one: accuracy under noise: -0.1 (allowed" in found.sentence


def test_the_smallest_width_comes_first_and_ends_at_the_first_that_fails(
    html: str, systems: list[Evidence], tree: Path
) -> None:
    with contextlib.chdir(tree):
        text = summary.as_markdown(systems)
    for each in systems:
        points = {p.bits: p for p in each.sweep if p.rounding == each.rounding}
        assert set(points) == {2, 4, 8}
        enough = [
            bits for bits in (8, 4, 2) if all(points[b].non_inferior for b in points if b >= bits)
        ]
        answer = answers.smallest_width(each)
        assert answer.startswith(
            f"{min(enough)} bits are enough: " if enough else "8 bits, the most"
        )
        assert f"- **{each.name}**: {answer}.\n" in text
        first = text.partition("<details>")[0]
        assert f"| {answer.partition(' of ')[0]}" in first
        assert answer in html


def test_the_row_that_moves_the_change_most_is_shown_with_the_change_without_it(
    chapters: dict[str, Chapter], systems: list[Evidence]
) -> None:
    (each,) = [each for each in systems if each.name == small.TABLE]
    truth, (before, after) = each.data.y_test, (outputs[:, 0] for outputs in each.outputs)
    a, b = (truth - before) ** 2, (truth - after) ** 2
    left_out = [np.delete(b, i).sum() / np.delete(a, i).sum() - 1 for i in range(len(a))]
    row = int(np.argmax(np.abs(np.array(left_out) - (b.sum() / a.sum() - 1))))
    (found,) = [t for t in chapters[small.TABLE].tables if "change of the test MSE" in t.caption]
    assert f"Row #{row} moves it most: actual {truth[row]:.4g}, float {before[row]:.6g}" in (
        found.caption
    )
    assert [r[1].text for r in found.rows] == [
        f"{100 * change:+.3f}" for change in (b.sum() / a.sum() - 1, left_out[row])
    ]
    assert [r[0].text for r in found.rows] == ["all rows", f"without row #{row}"]


def test_without_a_sweep_no_width_is_named(systems: list[Evidence]) -> None:
    assert not answers.smallest_width(replace(systems[0], sweep=()))


def test_sentences_of_several_systems_are_held_together(
    tree: Path, tmp_path: Path, systems: list[Evidence]
) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    for name in small.systems():
        edit(copy / paths.metrics_path(name), "verdict.p_inferior", 0.02)
    assert answers.together(read(copy)).endswith("is shown of none.")
    edit(copy / paths.metrics_path(small.MLP), "verdict.p_inferior", 0.001)
    assert answers.together(read(copy)).endswith(f"is shown of {small.MLP}.")
    assert "(Holm)" in answers.together(systems)
