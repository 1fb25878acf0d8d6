"""The documents, held against the tree: links, sizes, keys of metrics, and figures."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import octet.importers.sklearn
from docs import console, picture, tables
from octet.importers import onnx
from octet.layers import Linear
from octet.modelfile import storage
from octet.network import Network
from octet.parameters import Quantized
from octet.signature import Columns, Numbers, Signature
from tests.conftest import ROOT, Clone

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
GLOSSARY = (ROOT / "docs/metrics.md").read_text()
LAYER = r"\d+_(?!bits)"  # what a layer is called: its place and its kind


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    broken = [link for link in links if not leads_somewhere(page, link)]
    assert not broken


def leads_somewhere(page: Path, link: str) -> bool:
    """Of a file, or a heading in one; the web is not asked."""
    path, _, heading = link.partition("#")
    target = page.parent / path if path else page
    if re.match(r"\w+:", link) or not target.exists():
        return link.startswith("https:")
    return not heading or heading in headings(target)


def headings(page: Path) -> list[str]:
    """Those of a page as GitHub names them in a link."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found]


def test_every_page_is_within_reach_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert not [page.name for page in PAGES[1:] if f"{page.relative_to(ROOT)})" not in readme]


def test_the_readme_fits_on_a_few_screens_and_its_picture_loads_quickly() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 10 * 1024
    for path in (picture.REPORT_PICTURE, picture.COMMENT_PICTURE):
        assert len((ROOT / path).read_bytes()) <= picture.MOST_BYTES


def test_the_tables_of_figures_are_those_that_are_promised() -> None:
    page = tables.PAGE.read_text()
    assert tables.filled(page) == page


METRICS = [json.loads(file.read_text()) for file in sorted((ROOT / "metrics").glob("*.json"))]


def test_the_glossary_has_every_key_of_the_metrics_and_no_other() -> None:
    used = {key for metrics in METRICS for key in keys(metrics) if not re.match(LAYER, key)}
    assert used
    assert not used - words(re.findall(r"`([^`]+)`", GLOSSARY))
    of_systems = GLOSSARY.partition("## `layers.json`")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", of_systems, re.MULTILINE)
    assert cells
    assert not words(cells) - used


def words(texts: list[str]) -> set[str]:
    return set(re.findall(r"\w+", " ".join(texts)))


def keys(group: dict[str, Any]) -> Iterator[str]:
    for key, value in group.items():
        yield key
        if isinstance(value, dict):
            yield from keys(value)


@pytest.mark.filterwarnings("ignore")  # torch's own, about its exporter
def test_the_lines_of_python_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "".join(re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))
    rows = np.random.default_rng(0).normal(size=(100, 3))
    signature = Signature(Columns(("a", "b", "c")), Numbers("y", ""))
    network = Network((Linear(np.array([[1.0, -2.0, 0.3]]), np.array([4.0])),), signature)
    file = tmp_path / "models/diabetes/float.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(storage.dump_network(network))
    monkeypatch.chdir(tmp_path)
    fitted = make_pipeline(StandardScaler(), LinearRegression()).fit(rows, rows[:, 0])
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten())
    of_user = {"rows": rows, "torch": torch, "octet": octet, "net": net, "pipeline": fitted}
    exec(compile(code, "README.md", "exec"), of_user)
    assert len(onnx.load(tmp_path / "net.onnx")[0]) == len(net)
    (layer,) = storage.load_network(tmp_path / "small.safetensors").layers
    assert isinstance(layer, Linear)
    assert isinstance(layer.weight, Quantized)
    assert layer.weight.grid.bits == 4


def test_what_a_command_prints_is_renewed_and_what_is_left_out_stays_so() -> None:
    printed = {"one": "new\n", "two": "noise\n| system | 2 |\nrow\n", "three": "noise\n"}
    page = "```console\n$ one\n{}$ two\n...\n{}$ three\n...\n```\n```sh\n$ one\n```\n"
    before, after = ("old\n", "| system | 1 |\n"), ("new\n", "| system | 2 |\nrow\n")
    assert console.renewed(page.format(*before), printed.__getitem__) == page.format(*after)


@pytest.mark.slow
@pytest.mark.usefixtures("california")
@pytest.mark.parametrize(
    "name", [pytest.param("experiments", marks=pytest.mark.release), "deployment"]
)
def test_every_command_of_a_page_works(new_clone: Callable[..., Clone], name: str) -> None:
    shell = console.Shell(console.with_environment(new_clone().path))
    page = (ROOT / f"docs/{name}.md").read_text()
    assert console.renewed(page, shell.run).count("$ ") == page.count("$ ")
    assert not shell.failed
