"""Every choice is checked when it is made; and the library quantizes with NumPy alone."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from octet.errors import OctetError
from octet.quantizer import Bias, Calibration, Config
from stages.params.file import load_params
from tests.conftest import ROOT

SYMMETRIC = {"scheme": "symmetric", "granularity": "per_channel"}

# What is refused, and how the line begins.
REFUSED: list[tuple[type, dict[str, Any], str]] = [
    *[
        (Config, {"bits": bits}, f"bits: got {bits!r}; allowed is an integer from 2 to 16")
        for bits in (1, 17, 32, 8.0, "8", True, None)
    ],
    (Config, {"scheme": "both"}, "scheme: got 'both'; allowed is asymmetric or symmetric"),
    (Config, {"granularity": "rows"}, "granularity: got 'rows'; allowed is per_tensor, per_ch"),
    (Config, {"rounding": "up"}, "rounding: got 'up'; allowed is nearest, gptq or exact"),
    (Config, {"activations": "int8"}, "activations: got 'int8'; allowed is none or uint8"),
    *[
        (Config, {"range": range_}, "range: got ")
        for range_ in ("all", (1, 2), (-2, -1), (0, 0), (1, -1), (0,), (0, float("inf")), None)
    ],
    *[
        (Config, {"range": "minmax", "margin": margin}, "margin: got ")
        for margin in ((-0.1, 0), (0, 11), (0,), 0.1, (0, float("nan")))
    ],
    (Config, {"margin": (0.1, 0)}, "margin: got [0.1, 0] with range 'mse'; a margin widens"),
    (Config, {"granularity": "per_channel"}, "granularity: got per_channel with scheme asymmetric"),
    (Config, {"activations": "uint8", "bits": 9}, "bits: got 9 with activations uint8; "),
    *[
        (
            Config,
            {"activations": "uint8", "granularity": granularity},
            f"granularity: got {granularity} with activations uint8; ",
        )
        for granularity in ("per_parameter", "unified")
    ],
    # A scale that float32 does not hold would be taken for that of a range without extent.
    (Config, {"range": (-1e-45, 1e-45)}, "range: got [-1e-45, 1e-45], too narrow for a float32 sc"),
    (Config, {**SYMMETRIC, "range": (0, 1e-37)}, "range: got [0, 1e-37], too narrow for a float32"),
    (Config, {"bias": Bias(8, (0, 1e-40))}, "bias.range: got [0, 1e-40], too narrow for a float32"),
    (Config, {"range": (-1e300, 1e300)}, "range [-1e+300, 1e+300]: too wide for a float32 scale"),
    (Bias, {"bits": 1}, "bias.bits: got 1; "),
    (Bias, {"range": "mse"}, "bias.range: got 'mse'; allowed is minmax, or (lo, hi)"),
    (Calibration, {"rows": 0}, "calibration.rows: got 0; allowed is an integer from 1, or None"),
    (Calibration, {"seed": -1}, "calibration.seed: got -1; allowed is an integer from 0 to 2^32"),
    (Calibration, {"range": "all"}, "calibration.range: got 'all'; allowed is minmax, percentile"),
]


@pytest.mark.parametrize(("section", "values", "message"), REFUSED, ids=str)
def test_what_is_not_allowed_is_refused_by_its_name_in_one_line(
    section: type, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(OctetError) as caught:
        section(**values)
    assert str(caught.value).startswith(message)
    assert str(caught.value).splitlines() == [str(caught.value)]


@pytest.mark.parametrize(
    "values",
    [
        {"range": (-3e-36, 0)},
        {"range": (0, 3)},
        {"range": [-1, 1]},
        {"bits": 16, "granularity": "unified", "bias": Bias(8, (0, 1e-40))},
        {**SYMMETRIC, "activations": "uint8", "bits": 2},
        {"range": "minmax", "margin": (0, 10)},
    ],
    ids=str,
)
def test_what_is_allowed_is_taken(values: dict[str, Any]) -> None:
    config = Config(**values)
    assert {name: getattr(config, name) for name in values} == values


def test_the_values_that_one_gets_are_those_that_params_yaml_is_published_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "tests/stages/params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    quant = load_params().quant
    assert quant.config() == Config(calibration=Calibration(quant.calibration.rows))
    assert quant.config(bits=4).bits == 4


ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        allowed = {"numpy", "safetensors", "octet"} | set(sys.stdlib_module_names)
        if name.partition(".")[0] not in allowed:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Refuse())

import numpy as np
from octet.layers import Linear, Relu
from octet.network import Network
from octet.quantizer import Config, quantize
from octet.runtime import inference
from octet.signature import Columns, Numbers, Signature

rng = np.random.default_rng(0)
rows = rng.normal(size=(200, 4))
first, second = rng.normal(size=(8, 4)), rng.normal(size=(1, 8))
layers = Linear(first, np.zeros(8)), Relu(), Linear(second, np.zeros(1))
network = Network(layers, Signature(Columns(("a", "b", "c", "d")), Numbers("y", "m")))
for activations in ("none", "uint8"):
    quantized = quantize(network, rows, Config(bits=8, activations=activations))
    off = inference.run(quantized, rows) - inference.run(network, rows)
    print(np.max(np.abs(off)) < 0.1, np.max(np.abs(off)) > 0)
"""


def test_a_network_is_quantized_where_nothing_but_numpy_and_safetensors_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True True\nTrue True\n", "")
