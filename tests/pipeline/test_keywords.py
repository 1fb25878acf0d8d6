"""A network that nobody here made, as docs/bring-your-own.md has it: from file to verdict."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Clone

FOLDER = Path(os.environ.get("OCTET_DATA", ""), "mlperf-tiny")
PAGE = (ROOT / "docs/bring-your-own.md").read_text()


@pytest.mark.release
@pytest.mark.skipif(not FOLDER.is_dir(), reason="mlperf-tiny is not below OCTET_DATA")
def test_keywords_are_spotted_in_8_bits_as_the_page_says(new_clone: Callable[..., Clone]) -> None:
    (entry,) = (each for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "kws" in each)
    clone = new_clone("diabetes")
    clone.edit("params.yaml", "systems:\n", f"systems:\n{entry}")
    assert "kws" in yaml.safe_load((clone.path / "params.yaml").read_text())["systems"]
    clone.dvc("repro", "evaluate@kws")
    metrics = json.loads((clone.path / "metrics/kws.json").read_text())
    before, after = (metrics[name]["accuracy"] for name in ("float", "quantized"))
    agreement, size = metrics["fidelity"]["agreement"], metrics["size"]["file_quantized"]
    assert after >= before - 0.0025
    assert agreement >= 0.99
    assert size < 40_000
    assert metrics["import"]["difference_below"] == 1e-4
    assert metrics["verdict"]["rows"] == 800
    for figure in (f"{before:.3%}", f"{100 * after:g} %", f"{agreement:.2%}", f"{size:,} bytes"):
        assert figure.replace("%", " %").replace("  ", " ") in PAGE
