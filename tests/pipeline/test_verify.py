"""A flipped byte is found wherever it is, and the command that is printed makes it good again."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from stages.commands.verify import object_path
from tests.conftest import Clone

# One process makes the clone, and every test leaves it as it was.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("verify")]

SYSTEM = "diabetes"
DATA = "data/diabetes.safetensors"
MODEL = "models/diabetes/float.safetensors"
QUANTIZED = "models/diabetes/quantized.safetensors"
IN_FOLDER = "models/diabetes/apart/4.safetensors"
BESIDE = "models/diabetes/apart/8.safetensors"
FOLDER = "models/diabetes/apart"
METRIC = "metrics/diabetes.json"
CACHE = Path(".dvc/cache/files/md5")


@pytest.fixture(scope="module")
def whole(reproduced_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which all that dvc.lock names is there."""
    path = tmp_path_factory.mktemp("verify") / "clone"
    return Clone(shutil.copytree(reproduced_once, path, symlinks=True))


def digests(clone: Clone) -> dict[str, str]:
    """Of the system's outputs and of the files in FOLDER, read from DVC's lock and cache."""
    stages = yaml.safe_load((clone.path / "dvc.lock").read_text())["stages"]
    outs = [
        out for stage in stages if stage.endswith(f"@{SYSTEM}") for out in stages[stage]["outs"]
    ]
    found = {out["path"]: out["md5"] for out in outs}
    listed = json.loads((clone.path / object_path(CACHE, found[FOLDER])).read_text())
    return found | {f"{FOLDER}/{entry['relpath']}": entry["md5"] for entry in listed}


def flip(file: Path) -> None:
    """Change one bit, leaving size, time of change and permissions as they are."""
    status = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    with file.open("r+b") as opened:
        opened.write(content)
    file.chmod(status.st_mode)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def faults(clone: Clone) -> dict[str, tuple[str, str]]:
    """What `stages.commands.verify` finds: state and command by file. Its status must agree."""
    done = clone.run("python", "-m", "stages.commands.verify", check=False)
    found = re.findall(r"^(\w+): (\S+)\n    heal it: (.+)$", done.stdout, re.MULTILINE)
    assert done.returncode == bool(found), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return {path: (state, heal) for state, path, heal in found}


# What is harmed at once: files that are outputs, each with those whose cache entries are.
PLACES = {
    "outputs, a metric, cache entries": [
        ([DATA], []),
        ([METRIC], []),
        ([], [MODEL]),
        ([QUANTIZED], [QUANTIZED]),
        ([IN_FOLDER, BESIDE], []),
    ],
    "files of a folder in the cache": [([], [IN_FOLDER]), ([BESIDE], [BESIDE])],
    "the listing of a folder in the cache": [([], [FOLDER])],
    "a file of a folder and its listing": [([IN_FOLDER], [FOLDER])],
}


@pytest.mark.parametrize("harm", [flip, Path.unlink])
@pytest.mark.parametrize("place", PLACES)
def test_harm_is_named_wherever_it_is_and_the_command_heals_it(
    whole: Clone, place: str, harm: Callable[[Path], None]
) -> None:
    named: set[str] = set()
    before = whole.outputs()
    known = digests(whole)
    for outputs, cached in PLACES[place]:
        kept = [str(object_path(CACHE, known[path])) for path in cached]
        for path in outputs + kept:
            harm(whole.path / path)
        named |= names(outputs, kept, harm)
    faulty = faults(whole)
    assert set(faulty) == named
    if harm is flip:
        assert {state for state, _ in faulty.values()} == {"damaged"}
    heal(whole, faulty)
    assert not faults(whole)
    assert whole.outputs() == before
    assert not whole.git("status", "--porcelain")


def names(outputs: list[str], kept: list[str], harm: Callable[[Path], None]) -> set[str]:
    """What should be named: of a folder whose listing is lost too, the folder itself.

    What is missing here and in the cache is one fault, not two.
    """
    if outputs == [IN_FOLDER] and kept and kept[0].endswith(".dir"):
        outputs = [FOLDER]
    elif outputs and harm is Path.unlink:
        kept = []
    return {*outputs, *kept}


def heal(clone: Clone, found: dict[str, tuple[str, str]]) -> None:
    for command in dict.fromkeys(command for _, command in found.values()):
        clone.run("sh", "-c", command)


def test_a_file_too_many_is_surplus(whole: Clone) -> None:
    (whole.path / FOLDER / "16.safetensors").write_bytes(b"")
    found = faults(whole)
    assert [state for state, _ in found.values()] == ["surplus"]
    heal(whole, found)
    assert not faults(whole)


def test_the_cache_is_read_for_other_commits_too(whole: Clone) -> None:
    other = object_path(CACHE, "0123456789abcdef0123456789abcdef")
    (whole.path / other).parent.mkdir(exist_ok=True)
    (whole.path / other).write_bytes(b"not what its name says")
    found = faults(whole)
    assert set(found) == {str(other)}
    heal(whole, found)
    assert not faults(whole)


def test_a_metric_that_git_does_not_have_is_made_again(whole: Clone) -> None:
    good = (whole.path / METRIC).read_bytes()
    (whole.path / METRIC).write_bytes(b"{}")
    whole.git("commit", "--quiet", "--all", "--message", "wrong")
    found = faults(whole)
    heal(whole, found)
    assert (whole.path / METRIC).read_bytes() == good
    whole.git("reset", "--quiet", "--hard", "HEAD~")


def test_dvc_itself_sees_nothing_of_a_flipped_byte_in_its_cache(whole: Clone) -> None:
    # Should this fail one day, stages/commands/verify.py may no longer be needed.
    kept = whole.path / object_path(CACHE, digests(whole)[MODEL])
    flip(kept)
    (whole.path / MODEL).unlink()
    whole.dvc("checkout", MODEL)
    assert whole.dvc("status", f"train@{SYSTEM}").strip().endswith("up to date.")
    heal(whole, faults(whole))
    assert not faults(whole)
