"""What goes into the image, and what it does there. `make container` runs the real one."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from container.sample import sample
from octet.layers import Linear
from octet.modelfile import storage
from octet.monitor.reference import take_reference
from octet.network import Network
from octet.signature import Columns, Numbers, Signature
from stages.dataset import Dataset, dump_dataset
from tests.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
PINNED = re.compile(r"^([\w-]+)==(\S+)", re.MULTILINE)


def test_what_may_enter_is_what_the_dockerfile_copies() -> None:
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = line.replace("${SYSTEM}", "*").split()
        copied |= {f"{one}**/*.py" if one.endswith("/") else one for one in sources}
    everything, *allowed = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] != "#"
    ]
    assert everything == "*"
    assert {line.removeprefix("!") for line in allowed} == copied


def test_the_base_is_pinned_and_the_user_is_a_number_that_is_not_roots() -> None:
    assert re.search(r"^ARG BASE=python:3\.11-slim@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert re.findall(r"^USER (.*)", DOCKERFILE, re.MULTILINE) == ["10001:10001"]


def test_the_image_has_the_versions_of_the_lock_with_their_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "container" / "requirements.txt").read_text()
    mine = dict(PINNED.findall(text))
    lock = dict(PINNED.findall((ROOT / "requirements.txt").read_text()))
    assert set(mine) == set(project["dependencies"])
    assert mine.items() <= lock.items()
    assert all("--hash=sha256:" in one for one in re.split(r"^\w", text, flags=re.MULTILINE)[1:])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The files of an image, where the Dockerfile puts them, below a folder."""
    app = tmp_path / "app"
    (app / "models").mkdir(parents=True)
    (app / "container").mkdir()
    shutil.copy(ROOT / "container" / "__main__.py", app / "container")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "octet", app / "octet", ignore=ignore)
    rng = np.random.default_rng(0)
    signature = Signature(Columns(("a", "b")), Numbers("price", "USD"))
    x, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    (tmp_path / "data").write_bytes(dump_dataset(Dataset(x, y, x, y, signature)))
    name, content = sample(tmp_path / "data")
    (app / name).write_bytes(content)
    digests = ""
    for kind, bias in (("float", 0.0), ("quantized", 0.25)):
        network = Network((Linear(np.ones((1, 2)), np.array([bias])),), signature)
        known = rng.normal(size=(2, 1000, 2))
        reference = take_reference(network, (known[0], None), (known[1], None))
        model = storage.dump_network(network, reference)
        (app / "models" / f"{kind}.safetensors").write_bytes(model)
        digests += f"{hashlib.md5(model).hexdigest()}  models/{kind}.safetensors\n"
    (app / "MD5SUMS").write_text(digests)
    (app / "REVISION").write_text("0123\n")
    return app


def run(image: Path, *arguments: str, rows: str = "") -> subprocess.CompletedProcess[str]:
    """As the image does: from anywhere, with nothing of ours but what is in it."""
    return subprocess.run(
        [sys.executable, "-m", "container", *arguments],
        cwd="/",
        env={"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"},
        input=rows,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_predicts_its_sample_with_both_models_and_says_how_far_they_are_apart(
    image: Path,
) -> None:
    done = run(image, "sample")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^float$.*\b20\b.*^quantized$.*\b20\b", done.stdout, re.S | re.M)
    assert "largest: 0.250000, mean: 0.250000 (absolute)" in done.stdout


def test_it_predicts_csv_from_outside_with_the_quantized_model(image: Path) -> None:
    done = run(image, "predict", rows="a,b\n1,2\n3,4\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert [float(line) for line in done.stdout.splitlines()[1:]] == [3.25, 7.25]


def test_it_watches_csv_from_outside(image: Path, tmp_path: Path) -> None:
    rows = "a,b\n" + "9,2\n" * 300
    done = run(image, "monitor", "--state", str(tmp_path / "state"), rows=rows)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("ALARM: something has changed; 300 rows; ")
    assert (tmp_path / "state").is_file()


def test_it_knows_of_which_revision_its_models_are(image: Path) -> None:
    assert run(image, "sample").stdout.startswith("revision 0123\n")
    done = run(image, "info", "--json")
    assert json.loads(done.stdout)["provenance"]["git_revision"] == "0123"


@pytest.mark.parametrize("command", ["sample", "predict", "info"])
@pytest.mark.parametrize("kind", ["float", "quantized"])
def test_a_model_of_other_bytes_is_not_run(image: Path, command: str, kind: str) -> None:
    model = image / "models" / f"{kind}.safetensors"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    done = run(image, command, rows="a,b\n1,2\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"error: models/{kind}\.safetensors: got MD5 .*\n", done.stderr)


def test_another_command_is_one_line(image: Path) -> None:
    done = run(image, "train")
    assert done.returncode == 1
    assert done.stderr == "error: got 'train'; allowed are sample, predict, info and monitor\n"
