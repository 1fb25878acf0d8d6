"""The report: one page that loads nothing, its Markdown twin, the same bytes every time."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml

from octet.errors import OctetError
from octet.modelfile import storage
from stages import markdown, paths
from stages.params.file import load_params
from stages.report import (
    answers,
    classification,
    evidence,
    images,
    page,
    summary,
    tables,
    vector,
    verdicts,
)
from stages.report.chapter import Chapter
from stages.report.evidence import Evidence
from stages.tasks.regression import REGRESSION
from stages.tasks.task import digits
from tests.conftest import ROOT
from tests.stages import small
from tests.stages.report.trees import edit, read, read_all

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


def run(tree: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.report"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_runs_give_the_same_bytes_whatever_the_hash_seed_and_the_users_style(
    tree: Path, tmp_path: Path
) -> None:
    first, second = small.copy(tree, tmp_path / "first"), small.copy(tree, tmp_path / "second")
    (second / "matplotlibrc").write_text("axes.edgecolor: red\nfont.size: 30\n")
    for copy, seed in ((first, "1"), (second, "2")):
        done = run(copy, PYTHONHASHSEED=seed)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = {"index.html", "summary.md", "sweep.csv", "training.csv"}
    for name in names:
        made = (first / "report" / name).read_bytes()
        assert made == (second / "report" / name).read_bytes()
        assert 1000 < len(made) < 2_000_000 or name == "training.csv"
    assert {path.name for path in (first / "report").iterdir()} == names


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
    drawn = [each for _, each in shown.elements if each.get("role") == "img"]
    told_elsewhere = [each for each in shown.all("svg") if each.get("class") in ("cut", "heads")]
    assert len(drawn) == len(shown.all("svg")) - len(told_elsewhere) > 8
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
        text = summary.as_markdown(systems)
    for each in systems:
        sentence = verdicts.judge(each).sentence
        assert f"- **{each.name}**: {markdown.text(sentence)}\n" in text
        assert sentence.replace(" %", "\u00a0%") in html
    cells = [c.text for t in tables.overview(systems) for row in t.rows for c in row]
    for cell in cells:
        assert cell in text
        assert cell.replace("'", "&#39;") in html
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in lines)


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        ("metrics/diabetes.json", b"{", "not JSON"),
        ("metrics/diabetes.json", b"[]", "allowed are groups"),
        ("metrics/diabetes.json", b"{}", "size.float_payload: missing"),
        ("plots/mlp/layers.json", b"{}", "parameters.1_linear.count: missing"),
        ("plots/digits/sweep.csv", b"bits,rounding\n8,exact\n", "not a sweep"),
        ("plots/digits/views.png", b"<html>", "not an image"),
    ],
)
def test_a_damaged_file_is_one_line_that_says_what_to_run(
    tree: Path, tmp_path: Path, path: str, change: bytes, says: str
) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    (copy / path).write_bytes(change)
    with pytest.raises(OctetError) as caught, contextlib.chdir(copy):
        page.page(read_all())
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "dvc repro" in message


@pytest.mark.parametrize(
    "path",
    [
        paths.metrics_path(small.TABLE),
        paths.layers_path(small.TABLE),
        paths.plot_path(small.TABLE, "outputs.safetensors"),
        paths.quantized_path(small.TABLE),
        paths.data_path(small.TABLE),
    ],
    ids=str,
)
def test_a_system_that_lacks_a_file_is_named_and_the_others_are_there(
    tree: Path, tmp_path: Path, path: Path
) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    (copy / path).unlink()
    with contextlib.chdir(copy):
        systems, missing = evidence.read_all(load_params())
    assert [each.name for each in systems] == [
        name for name in small.systems() if name != small.TABLE
    ]
    assert missing == {small.TABLE: path}
    says = answers.left_out(missing)
    assert f"diabetes ({path}). `dvc repro evaluate@diabetes`" in says
    with contextlib.chdir(copy):
        assert f'<p class="note">{says}</p>' in page.page(systems[:1], says)


def test_without_any_system_the_stage_writes_nothing(tree: Path, tmp_path: Path) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    shutil.rmtree(copy / "data")
    done = run(copy)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: data/diabetes.safetensors: no such file; `dvc repro evaluate@diabetes` makes it\n"
    )
    assert not (copy / "report").exists()


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (-6e-4, "+.2f", "-0.0006"),
        (4e-7, "+.3f", "+4e-07"),
        (0.004, ".1f", "0.004"),
        (-0.006, "+.2f", "-0.01"),
        (12.0, "+.2f", "+12.00"),
        (-0.0, "+.2f", "0.00"),
    ],
)
def test_a_number_never_hides_on_which_side_of_0_it_is(value: float, form: str, text: str) -> None:
    assert digits(value, form) == text


def test_a_figure_that_is_missing_or_no_number_is_never_left_out(
    tree: Path, tmp_path: Path
) -> None:
    for i, value in enumerate((None, float("nan"), "0.5", True)):
        copy = small.copy(tree, tmp_path / f"tree{i}")
        edit(copy / paths.metrics_path(small.IMAGES), "fidelity.max_abs", value)
        with pytest.raises(OctetError, match=r"metrics/digits.json: fidelity.max_abs: ") as caught:
            summary.as_markdown(read(copy))
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
    assert "may replace the float one:" not in text
    assert "is shown of" not in text
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
        assert ("What quantization does to each" in captions) == of_numbers
        assert ("one for each class" in captions) == (name == small.CLASSES_OF_TABLE)
        several_layers = name not in (small.TABLE, small.CLASSES_OF_TABLE)
        assert ("Weights of all layers" in captions) == several_layers
        assert ("Sensitivity" in captions) == several_layers
        assert ("Calibration" in captions) == several_layers
        assert "Width of a weight against loss" in captions


def test_a_picture_counts_the_rows_that_got_worse_as_the_verdict_does(
    chapters: dict[str, Chapter], systems: list[Evidence]
) -> None:
    for each in systems:
        if each.kind.task is REGRESSION:
            worse, rows = map(int, each.metrics.numbers("verdict.worse", "verdict.rows"))
            captions = [drawn.caption for drawn in chapters[each.name].pictures]
            assert any(f"a row got worse: {worse:,} of {rows:,}." in text for text in captions)


def test_views_that_training_never_saw_are_not_shown(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = small.copy(tree, tmp_path / "tree")
    monkeypatch.chdir(copy)
    views = "Training images above, a random view of each below."
    for share, shown in ((0.5, True), (0.0, False)):
        document = yaml.safe_load((copy / "params.yaml").read_text())
        document["train"]["augment"]["share"] = share
        (copy / "params.yaml").write_text(yaml.safe_dump(document))
        (own,) = [each for each in read(copy) if each.name == small.IMAGES]
        labels = [each.label for each in images.sheets(own, own.data.signature.inputs)]
        assert (views in labels) == shown


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
