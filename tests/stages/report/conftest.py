"""What the tests of the report share: small systems, their files, and the page."""

import contextlib
from pathlib import Path

import pytest

from stages.report import page
from stages.report.chapter import Chapter, chapter
from stages.report.evidence import Evidence
from tests.stages import small
from tests.stages.report.trees import read


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("report") / "tree")


@pytest.fixture(scope="session")
def systems(tree: Path) -> list[Evidence]:
    return read(tree)


@pytest.fixture(scope="session")
def chapters(tree: Path, systems: list[Evidence]) -> dict[str, Chapter]:
    with contextlib.chdir(tree):
        return {each.name: chapter(each, "key") for each in systems}


@pytest.fixture(scope="session")
def html(tree: Path, systems: list[Evidence]) -> str:
    with contextlib.chdir(tree):
        return page.page(systems)
