"""Systems with their real data, from nothing: the committed figures, ONNX Runtime's codes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import yaml

from octet.exporters import onnx as export
from octet.modelfile import storage
from octet.network import Network, label
from octet.quantizer import quantize
from octet.runtime import integer
from octet.signature import Input
from stages import paths
from stages.dataset import load_dataset
from stages.params.file import load_params
from tests.conftest import Clone, new_clone_at

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
