"""dvc.lock: the stages that there are, and one line for a file that is not DVC's."""

import shutil
from pathlib import Path

import pytest
import yaml

from octet.errors import OctetError
from stages import lock, paths
from stages.lock import Output
from stages.params.file import load_params
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own three files, to be changed."""
    for name in ("dvc.lock", "dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_model_has_its_digest() -> None:
    found = {output.path: output for output in lock.load()}
    # A system that was added a moment ago has none yet.
    systems = [s for s in load_params().systems if paths.quantized_path(s) in found]
    assert systems
    for system in systems:
        output = found[paths.quantized_path(system)]
        assert output.stage == f"quantize@{system}"
        assert lock.digest_of(output.path) == output.md5
        assert len(output.md5) == 32


def test_stages_that_are_no_more_are_left_out(project: Path) -> None:
    before = lock.load()
    text = yaml.safe_load((project / "dvc.lock").read_text())
    out = {"path": "data/x", "hash": "md5", "md5": "0" * 32}
    for stage in ("load@gone", "gone@diabetes", "gone"):
        text["stages"][stage] = {"cmd": "true", "outs": [out]}
    text["stages"]["report"] = {"cmd": "true", "outs": [out]}
    (project / "dvc.lock").write_text(yaml.safe_dump(text, sort_keys=False))
    others = [output for output in before if output.stage != "report"]
    assert [o for o in lock.load() if o.stage != "report"] == others
    assert Output("report", Path("data/x"), "0" * 32) in lock.load()


def test_a_file_that_no_stage_has_written_is_answered_with_what_writes_it() -> None:
    with pytest.raises(OctetError, match=r"no stage has written models/x; `dvc repro` does"):
        lock.digest_of(Path("models/x"))


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml"])
@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"stages: 1", b"stages: {a: [}", b"stages: !!int ''", b"\xff", None]
)
def test_another_file_is_one_line(project: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (project / name).unlink()
    else:
        (project / name).write_bytes(content)
    with pytest.raises(OctetError, match=rf"^{name}: .*`git checkout HEAD -- {name}`$"):
        lock.load()


@pytest.mark.parametrize("stages", [{}, []])
def test_a_lock_of_no_stages_is_not_all_good(project: Path, stages: object) -> None:
    (project / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    with pytest.raises(OctetError, match=r"^dvc\.lock: .*`git checkout HEAD -- dvc\.lock`$"):
        lock.load()


@pytest.mark.parametrize("entry", [1, {"outs": 1}, {"outs": [{}]}, {"outs": [{"path": 1}]}])
def test_a_stage_of_another_form_is_one_line(project: Path, entry: object) -> None:
    (project / "dvc.lock").write_text(yaml.safe_dump({"stages": {"load@diabetes": entry}}))
    with pytest.raises(OctetError, match=r"^dvc\.lock: not a file of DVC"):
        lock.load()
