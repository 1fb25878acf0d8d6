"""dvc.lock, an entry at a time: the bytes that DVC writes for all."""

from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

from stages.commands.run import lockfile
from tests.conftest import ROOT

LOCK = (ROOT / "dvc.lock").read_text()


def test_an_entry_is_put_where_it_was() -> None:
    texts = lockfile.entries(LOCK)
    assert len(texts) > 40
    for name, text in texts.items():
        assert lockfile.with_entry(LOCK, name, text, [*texts]) == LOCK


def test_an_entry_alone_has_the_bytes_that_it_has_among_all() -> None:
    stages = parse_yaml_for_update(LOCK, "dvc.lock")["stages"]
    assert {
        name: dumps_yaml({"stages": {name: entry}}).removeprefix("stages:\n")
        for name, entry in stages.items()
    } == lockfile.entries(LOCK)


def test_the_order_is_that_of_the_commit_then_of_the_pipeline() -> None:
    texts = {name: f"  {name}:\n    cmd: {name}\n" for name in ("old", "a", "b", "gone")}
    content = "schema: '2.0'\nstages:\n"
    for name in ("b", "gone", "a", "old"):
        content = lockfile.with_entry(content, name, texts[name], ["old", "a", "b"])
    assert [*lockfile.entries(content)] == ["old", "a", "b", "gone"]


def test_a_file_of_another_layout_is_left_to_dvc() -> None:
    assert not lockfile.entries("")
    assert not lockfile.entries(LOCK.replace("schema: '2.0'", "schema: '3.0'"))
    assert not lockfile.entries(LOCK[:1000])
    assert not lockfile.entries(LOCK + "datasets: []\n")
