"""Where the stages write is where dvc.yaml looks."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from stages import paths, point

ROOT = Path(__file__).parents[2]
WRITTEN: list[tuple[str, Callable[[str], Path]]] = [
    ("load", paths.data_path),
    ("train", paths.float_path),
    ("train", lambda system: paths.plot_path(system, "training.csv")),
    ("train", lambda system: paths.plot_path(system, "views.png")),
    ("quantize", paths.quantized_path),
    *(
        ("quantize", lambda system, bits=bits: paths.apart_path(system, bits).parent)
        for bits in paths.APART_BITS
    ),
    ("evaluate", paths.metrics_path),
    ("evaluate", paths.layers_path),
    ("evaluate", lambda system: paths.plot_path(system, "outputs.safetensors")),
    ("evaluate", lambda system: paths.plot_path(system, "predictions.csv")),
    ("sweep", point.sweep_path),
]


@pytest.mark.parametrize("stage", ["load", "train", "quantize", "evaluate", "sweep"])
def test_the_stages_write_where_dvc_looks(stage: str) -> None:
    work = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]["do"]
    tracked = {name for out in work.get("outs", []) + work.get("metrics", []) for name in out}
    assert tracked == {path("${key}").as_posix() for name, path in WRITTEN if name == stage}
