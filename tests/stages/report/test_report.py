"""The report: one page that loads nothing, its Markdown twin, the same bytes every time."""

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from octet.errors import OctetError
from octet.modelfile import storage
from stages import paths
from stages.params.file import load_params
from stages.report import answers, classification, evidence, page, tables, vector, verdicts
from stages.report.chapter import Chapter, chapter
from stages.report.evidence import Evidence
from tests.conftest import ROOT
from tests.stages import small

VOID = {"br", "hr", "img", "input", "link", "meta"}
LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "cite"}


class Page(HTMLParser):
    """Elements with their attributes, the text in each, and whether all of them are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} stands there twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self._open[-1] if self._open else "", data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.elements if each == tag]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("report") / "tree")


@pytest.fixture(scope="module")
def systems(tree: Path) -> list[Evidence]:
    return read(tree)


@pytest.fixture(scope="module")
def chapters(tree: Path, systems: list[Evidence]) -> dict[str, Chapter]:
    with contextlib.chdir(tree):
        return {each.name: chapter(each, "key") for each in systems}


@pytest.fixture(scope="module")
def html(tree: Path, systems: list[Evidence]) -> str:
    with contextlib.chdir(tree):
        return page.page(systems)


def read_all() -> list[Evidence]:
    params = load_params()
    return [evidence.read(name, params) for name in small.systems()]


def read(tree: Path) -> list[Evidence]:
    with contextlib.chdir(tree):
        return read_all()


def run(tree: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.report"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def edit(path: Path, key: str, value: object) -> None:
    """Put a figure into a file of metrics, or take it away with None."""
    content = json.loads(path.read_text())
    *groups, last = key.split(".")
    section = content
    for group in groups:
        section = section[group]
    if value is None:
        del section[last]
    else:
        section[last] = value
    path.write_text(json.dumps(content))


def test_two_runs_give_the_same_bytes_whatever_the_hash_seed_and_the_users_style(
    tree: Path, tmp_path: Path
) -> None:
    first, second = small.copy(tree, tmp_path / "first"), small.copy(tree, tmp_path / "second")
    (second / "matplotlibrc").write_text("axes.edgecolor: red\nfont.size: 30\n")
    for copy, seed in ((first, "1"), (second, "2")):
        done = run(copy, PYTHONHASHSEED=seed)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name in ("index.html", "summary.md"):
        made = (first / "report" / name).read_bytes()
        assert made == (second / "report" / name).read_bytes()
        assert 1000 < len(made) < 2_000_000
    assert {path.name for path in (first / "report").iterdir()} == {"index.html", "summary.md"}


def test_the_page_refers_to_nothing_outside_of_it(html: str) -> None:
    shown = Page(html)
    names = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(names) == len(set(names))
    for tag, attributes in shown.elements:
        for name, value in attributes.items():
            if name == "href" and tag != "link":
                assert value.startswith("#")
                assert value[1:] in names
            elif name in LOADING or name == "href":
                assert value.startswith("data:")
            assert "url(" not in (value or "") or re.search(r"url\(#([\w-]+)\)", value)[1] in names
    style = html[html.index("<style>") : html.index("</style>")]
    assert not re.search(r"url\(|@import|@font-face", style)
    policy = shown.all("meta")[1]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_names_are_shown_as_they_are_and_never_run(html: str) -> None:
    shown = Page(html)
    texts = [text for _, text in shown.texts]
    for name in small.HOSTILE:
        assert any(name in text for text in texts), name
    assert len(shown.all("script")) == 1
    assert all(image["src"].startswith("data:image/gif") for image in shown.all("img"))
    assert not any(name.startswith("on") for _, each in shown.elements for name in each)


def test_everything_has_words_for_those_who_do_not_see_it(html: str) -> None:
    shown = Page(html)
    assert [tag for tag, _ in shown.elements if tag in ("header", "main", "footer", "h1")] == [
        "header",
        "h1",
        "main",
        "footer",
    ]
    assert all(image["alt"] for image in shown.all("img"))
    drawn = [each for each in shown.all("div") if each.get("role") == "img"]
    assert len(drawn) == len(shown.all("svg")) > 8
    assert all(each["aria-label"] for each in drawn)
    captions = shown.all("figcaption")
    assert len(captions) == len(shown.all("figure"))
    tables_shown = [each for each in shown.all("table") if each.get("class") == "sortable"]
    assert len(shown.all("caption")) == len(tables_shown)
    assert all("scope" in each for each in shown.all("th"))


def test_no_digit_of_a_picture_is_finer_than_a_tenth(html: str) -> None:
    drawn = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    places = re.findall(r' (?:d|x|y|transform|viewBox)="([^"]*)"', "".join(drawn))
    assert len(places) > 500
    assert not [each for each in places if re.search(r"\d\.\d\d|-0(?![.\d])|nan|inf", each)]


def test_pictures_are_in_colours_that_the_page_can_change(html: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    used = set(re.findall(r"#[0-9a-f]{6}\b", drawn))
    assert used <= {"#000000", "#ffffff"}
    names = set(re.findall(r"var\(--(\w+)\)", drawn))
    assert names == {"ink", "line", "float", "quantized", "third"}
    style = html[html.index("<style>") : html.index("</style>")]
    assert all(style.count(f"--{name}:") == 2 for name in names)


def test_the_summary_has_the_sentences_and_the_figures_of_the_page(
    html: str, systems: list[Evidence], tree: Path
) -> None:
    with contextlib.chdir(tree):
        summary = page.summary(systems)
    for each in systems:
        sentence = verdicts.judge(each).sentence
        assert f"- **{each.name}**: {sentence}\n" in summary
        assert sentence.replace(" %", "\u00a0%") in html
    cells = [c.text for t in tables.overview(systems) for row in t.rows for c in row]
    for text in cells:
        assert text in summary
        assert text.replace("'", "&#39;") in html
    lines = [line for line in summary.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in lines)


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
        summary = page.summary(systems)
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
        assert 0 < summary.index(f"- **{each.name}**: {answer}.\n") < summary.index("changes by")
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


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        ("metrics/diabetes.json", None, "no such file"),
        ("metrics/diabetes.json", b"{", "not JSON"),
        ("metrics/diabetes.json", b"[]", "allowed are groups"),
        ("metrics/diabetes.json", b"{}", "verdict.low: missing"),
        ("plots/mlp/layers.json", None, "no such file"),
        ("plots/mlp/layers.json", b"{}", "parameters.1_linear.count: missing"),
        ("plots/digits/outputs.safetensors", None, "no such file"),
        ("plots/digits/sweep.csv", b"bits,rounding\n8,exact\n", "not a sweep"),
        ("plots/digits/views.png", b"<html>", "not an image"),
        ("models/digits/quantized.safetensors", None, "no such file"),
    ],
)
def test_a_missing_or_damaged_file_is_one_line_that_says_what_to_run(
    tree: Path, tmp_path: Path, path: str, change: bytes | None, says: str
) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    if change is None:
        (copy / path).unlink()
    else:
        (copy / path).write_bytes(change)
    with pytest.raises(OctetError) as caught, contextlib.chdir(copy):
        page.page(read_all())
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "dvc repro" in message


def test_without_one_of_its_files_the_stage_writes_nothing(tree: Path, tmp_path: Path) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    (copy / paths.metrics_path(small.TABLE)).unlink()
    done = run(copy)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"error: {paths.metrics_path(small.TABLE)}: no such file")
    assert not (copy / "report").exists()


def test_a_figure_that_is_missing_or_no_number_is_never_left_out(
    tree: Path, tmp_path: Path
) -> None:
    for i, value in enumerate((None, float("nan"), "0.5", True)):
        copy = small.copy(tree, tmp_path / f"tree{i}")
        edit(copy / paths.metrics_path(small.IMAGES), "fidelity.max_abs", value)
        with pytest.raises(OctetError, match=r"metrics/digits.json: fidelity.max_abs: ") as caught:
            page.summary(read(copy))
        assert "dvc repro" in str(caught.value)


def test_a_sweep_that_is_not_there_is_said_to_be_missing(tree: Path, tmp_path: Path) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    (copy / "plots/diabetes/sweep.csv").unlink()
    with contextlib.chdir(copy):
        text = page.page(read(copy))
    assert "plots/diabetes/sweep.csv is not there: `dvc repro sweep@diabetes`" in text
    assert "digits: every point of the sweep" in text
    assert "diabetes: every point of the sweep" not in text


def test_a_network_left_float_is_reported_too(tree: Path, tmp_path: Path) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    for name in small.systems():
        network = storage.load_network(copy / paths.float_path(name))
        (copy / paths.quantized_path(name)).write_bytes(storage.dump_network(network))
    systems = read(copy)
    with contextlib.chdir(copy):
        text = page.page(systems)
    assert "nothing was quantized; it is float, and that is all" in text
    assert "may replace" not in text
    assert not [each for each in tables.overview(systems) if each.caption.startswith("Rounding")]


@pytest.mark.parametrize("name", [small.IMAGES, small.CLASSES_OF_TABLE])
def test_confusion_matrices_and_disagreements_count_every_test_row(
    systems: list[Evidence], chapters: dict[str, Chapter], name: str
) -> None:
    (own,) = (each for each in systems if each.name == name)
    before, after, change = classification.confusions(own)
    labels, answers = own.data.y_test, np.argmax(own.outputs[1], axis=1)
    assert before.counts.sum() == after.counts.sum() == len(labels)
    assert after.counts[1, 0] == np.sum((labels == 1) & (answers == 0))
    assert np.array_equal(change.counts, after.counts - before.counts)
    shown = chapters[name].disagreements
    assert shown.total == np.sum(np.argmax(own.outputs[0], axis=1) != answers) > 0
    assert shown.shown == min(shown.total, 24)
    assert bool(shown.sheets) == (name == small.IMAGES)
    assert (shown.table is None) == (name == small.IMAGES)


def test_a_system_has_the_parts_of_its_task_and_of_its_inputs(
    chapters: dict[str, Chapter],
) -> None:
    for name, own in chapters.items():
        of_images = name in (small.IMAGES, small.NUMBERS_OF_IMAGES)
        of_numbers = name in (small.TABLE, small.NUMBERS_OF_IMAGES)
        assert bool(own.sheets) == of_images
        assert bool(own.confusions) == (not of_numbers)
        assert (own.disagreements is None) == of_numbers
        captions = " ".join(drawn.caption for drawn in own.pictures)
        assert ("Predicted against actual" in captions) == of_numbers
        assert ("one for each class" in captions) == (name == small.CLASSES_OF_TABLE)
        several_layers = name not in (small.TABLE, small.CLASSES_OF_TABLE)
        assert ("Weights of all layers" in captions) == several_layers
        assert ("Sensitivity" in captions) == several_layers
        assert ("Calibration" in captions) == several_layers
        assert "Bytes against loss" in captions


def test_scores_under_noise_are_empty_for_a_table(systems: list[Evidence]) -> None:
    (scores,) = (
        table
        for table in tables.overview(systems)
        if table.caption.startswith("Scores of classification")
    )
    column = scores.columns.index("accuracy, noisy")
    assert {row[0].text: row[column].text == "–" for row in scores.rows} == {
        small.IMAGES: False,
        small.CLASSES_OF_TABLE: True,
        small.MLP: True,
    }


def test_too_many_classes_for_a_screen_have_no_matrix(systems: list[Evidence]) -> None:
    few = replace(systems[2].data.signature.outputs, classes=tuple(map(str, range(41))))
    data = replace(systems[2].data, signature=replace(systems[2].data.signature, outputs=few))
    assert classification.confusions(replace(systems[2], data=data)) == []


def test_a_dot_is_drawn_as_a_line_that_ends_where_it_starts() -> None:
    svg = vector.draw(
        (2, 1), lambda figure: figure.add_axes((0, 0, 1, 1)).plot([0, 0], [0, 0]), "key"
    )
    assert re.search(r'd="M\S+ \S+h0"', svg)
    assert sorted(re.findall(r'id="([^"]+)"', svg)) == [
        f"key-{i}" for i in range(svg.count(" id="))
    ]
