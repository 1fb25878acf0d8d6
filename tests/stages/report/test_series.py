"""What `dvc plots` draws: of every system that is there, by files that dvc.yaml need not list."""

import contextlib
import csv
import json
from pathlib import Path

import yaml

from stages import paths
from stages.report import series
from stages.report.evidence import Evidence
from tests.conftest import ROOT
from tests.stages import small


def rows(content: bytes) -> list[dict[str, str]]:
    return [*csv.DictReader(content.decode().splitlines())]


def collected(tree: Path, systems: list[Evidence]) -> dict[str, list[dict[str, str]]]:
    """By its name, what the report collects, with the training of two systems in several steps."""
    courses = {
        small.IMAGES: "step,loss,accuracy\n100,0.5,0.8\n200,0.4,0.9\n",
        small.NUMBERS_OF_IMAGES: "step,loss\n100,3\n200,2\n",
    }
    for name, course in courses.items():
        (tree / paths.plot_path(name, "training.csv")).write_text(course)
    with contextlib.chdir(tree):
        return {
            "report/training.csv": rows(series.training(systems)),
            "report/sweep.csv": rows(series.sweep(systems)),
        }


def test_every_system_is_in_what_is_drawn(
    tree: Path, tmp_path: Path, systems: list[Evidence]
) -> None:
    files = collected(small.copy(tree, tmp_path / "tree"), systems)
    for each in systems:
        swept = [row for row in files["report/sweep.csv"] if row["system"] == each.name]
        assert len(swept) == len(each.sweep) > 0
    assert [[*row.values()] for row in files["report/training.csv"]] == [
        [small.IMAGES, "100", "0.5", "0.8"],
        [small.IMAGES, "200", "0.4", "0.9"],
        [small.NUMBERS_OF_IMAGES, "100", "3", ""],
        [small.NUMBERS_OF_IMAGES, "200", "2", ""],
    ]


def test_a_plot_is_of_columns_that_are_collected_and_has_its_template(
    tree: Path, tmp_path: Path, systems: list[Evidence]
) -> None:
    files = collected(small.copy(tree, tmp_path / "tree"), systems)
    for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]:
        ((_, drawn),) = plot.items()
        for path, column in drawn["y"].items():
            assert {drawn["x"], column, "system"} <= set(files[path][0])
        template = json.loads((ROOT / f".dvc/plots/{drawn['template']}.json").read_text())
        assert "<DVC_METRIC_DATA>" in str(template)
