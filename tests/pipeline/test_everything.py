"""Systems with their real data, from nothing: committed figures, codes of others, the monitor."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import yaml

from octet.exporters import onnx as export
from octet.modelfile import storage
from octet.modelfile.arrays import load_arrays
from octet.network import Network, label
from octet.quantizer import quantize
from octet.runtime import integer, native
from octet.signature import Input
from stages import paths
from stages.dataset import load_dataset
from stages.params.file import load_params
from tests.conftest import Clone, new_clone_at
from tests.octet.exporters.compiled import needs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("california", "mnist"),
]

IMAGES = ("digits", "mnist-7k")
# The sweeps take as long again, and do what quantize and evaluate do; and mnist-25k is mnist-7k
# with more channels.
EVALUATED = [f"evaluate@{system}" for system in load_params().systems if system != "mnist-25k"]


@pytest.fixture(scope="module")
def everything(committed: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone without dvc.lock and metrics, reproduced: nothing to take an answer from."""
    clone = new_clone_at(tmp_path_factory.mktemp("everything") / "clone", committed)
    (clone.path / "dvc.lock").unlink()
    for target in EVALUATED:
        (clone.path / paths.metrics_path(target.removeprefix("evaluate@"))).unlink()
    clone.dvc("repro", *EVALUATED)
    return clone


def test_from_nothing_come_the_committed_lock_and_metrics(everything: Clone) -> None:
    # dvc.lock has the digests of data, models and plots.
    committed = yaml.safe_load(everything.git("show", "HEAD:dvc.lock"))["stages"]
    reproduced = yaml.safe_load((everything.path / "dvc.lock").read_text())["stages"]
    assert {*EVALUATED} < reproduced.keys()
    assert reproduced == {stage: committed[stage] for stage in reproduced}
    assert not everything.git("diff", "HEAD", "--", "metrics")


def test_doing_it_again_has_nothing_to_do(everything: Clone) -> None:
    lock = (everything.path / "dvc.lock").read_bytes()
    assert "up to date" in everything.dvc("repro", *EVALUATED)
    assert (everything.path / "dvc.lock").read_bytes() == lock
    assert not everything.git("status", "--porcelain", "--", ".", ":!dvc.lock")


@pytest.mark.parametrize("system", IMAGES)
def test_every_code_of_every_layer_for_every_test_image_is_that_of_onnxruntime(
    everything: Clone, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    monkeypatch.chdir(everything.path)
    data = load_dataset(system)
    committed = storage.load_network(paths.quantized_path(system))
    assert differing_codes(committed, data.x_test) == {}
    # Those are per channel and symmetric; which codes are chosen does not matter here, so take
    # those that are found fastest.
    config = replace(
        load_params().quant_of(system).config(),
        granularity="per_tensor",
        scheme="asymmetric",
        range="minmax",
        rounding="gptq",
    )
    network = storage.load_network(paths.float_path(system))
    assert differing_codes(quantize(network, data.x_train, config), data.x_test) == {}


@pytest.mark.parametrize("system", IMAGES)
def test_machine_code_gives_every_output_of_numpy(
    everything: Clone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str
) -> None:
    needs("cc")
    monkeypatch.chdir(everything.path)
    monkeypatch.setenv("OCTET_CACHE", str(tmp_path))
    network, x = storage.load_network(paths.quantized_path(system)), load_dataset(system).x_test
    assert np.array_equal(native.load(network).run(x[:1000]), integer.run(network, x[:1000]))


def test_images_brighter_by_half_are_clipped_and_found_so_within_200(
    everything: Clone, tmp_path: Path
) -> None:
    model = str(paths.quantized_path("mnist-7k"))
    for scale, count, status in (("1", 5000, 0), ("1.5", 200, 3)):
        rows, some = tmp_path / "rows.safetensors", tmp_path / f"{scale}.npy"
        drift = ("python", "-m", "docs.drift", "mnist-7k", str(rows), "--part", "test")
        everything.run(*drift, "--scale", scale)
        np.save(some, load_arrays(rows)[1]["x"][:count])
        watch = ("python", "-m", "octet", "monitor", model, str(some), "--json")
        done = everything.run(*watch, "--state", str(tmp_path / scale), check=False)
        assert done.returncode == status, done.stderr
        changed = [one for one in json.loads(done.stdout)["streams"] if one["verdict"] == "changed"]
        assert any(one["stream"] == "clipping" for one in changed) == bool(status)


def differing_codes(network: Network, x: Input) -> dict[str, int]:
    """By layer, how many codes are not those of ONNX Runtime; layers without any are left out."""
    model = export.to_onnx(network, every_layer=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    differing: dict[str, int] = {}
    for start in range(0, len(x), 1000):
        rows = x[start : start + 1000]
        trace = [(label(network.layers, i), codes) for i, _, codes in integer.trace(network, rows)]
        names = [name for name, _ in trace]
        theirs = session.run(names, {export.INPUT: rows.astype(np.float64)})
        for (name, own), other in zip(trace, theirs, strict=True):
            differing[name] = differing.get(name, 0) + int(np.sum(own != other))
    return {name: count for name, count in differing.items() if count}
