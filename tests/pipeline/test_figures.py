"""Every figure of docs/figures.yaml, by the command that stands beside it."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.tables import PROMISED, Experiment, experiments
from octet.layers import Linear
from octet.modelfile import storage
from octet.modelfile.arrays import load_arrays
from octet.parameters import values
from octet.runtime import floating
from tests.conftest import Clone, environment, new_clone_at

pytestmark = [
    pytest.mark.slow,
    pytest.mark.release,
    pytest.mark.usefixtures("california"),
]

# The image systems take minutes and are in none of these figures.
SYSTEMS = ("diabetes", "california", "california-raw")
Figures = dict[str, float]
# The figures of a system after an experiment, by their keys.
After = Callable[[str, str], Figures]


def agrees(value: float, promised: str) -> bool:
    """Whether ``promised`` is ``value``, rounded to the digits that it has."""
    mantissa, _, exponent = promised.partition("e")
    digits = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - digits)
    return abs(value - float(promised)) <= 0.5 * unit * (1 + 1e-6)


def over(section: dict[str, Any], own: dict[str, Any]) -> None:
    for key, value in own.items():
        if isinstance(value, dict):
            over(section[key], value)
        else:
            section[key] = value


@pytest.fixture(scope="module")
def clone(committed: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone of the tables, with the parameters that the figures start from."""
    clone = new_clone_at(tmp_path_factory.mktemp("figures") / "clone", committed, *SYSTEMS)
    params = yaml.safe_load((clone.path / "params.yaml").read_text())
    over(params, PROMISED["params"])
    (clone.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    clone.git("commit", "--quiet", "--all", "--allow-empty", "--message", "what figures start from")
    clone.dvc("repro")
    return clone


@pytest.fixture(scope="module")
def after(clone: Clone) -> After:
    """Runs each command once, from the clean tree."""
    commands = {experiment.name: experiment.command for experiment in experiments()}
    figures: dict[tuple[str, str], Figures] = {}

    def run(name: str, system: str) -> Figures:
        if (name, system) not in figures:
            clone.git("reset", "--quiet", "--hard")
            subprocess.run(
                ["bash", "-c", commands[name]],
                cwd=clone.path,
                env=environment({}),
                check=True,
                capture_output=True,
            )
            for each in SYSTEMS:
                figures[name, each] = of_system(clone, each)
        return figures[name, system]

    return run


def of_system(clone: Clone, system: str) -> Figures:
    """All that is known of a system and of its layers."""
    files = clone.path / f"metrics/{system}.json", clone.path / f"plots/{system}/layers.json"
    return {
        key: value
        for file in files
        if file.exists()
        for key, value in leaves(json.loads(file.read_text()), "")
    }


def leaves(group: dict[str, Any], path: str) -> Iterator[tuple[str, float]]:
    for key, value in group.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


@pytest.mark.parametrize("experiment", [*experiments()], ids=lambda e: f"{e.name}-{e.system}")
def test_a_command_gives_the_figures_that_are_promised_of_it(
    after: After, experiment: Experiment
) -> None:
    figures = after(experiment.name, experiment.system)
    wrong = {
        key: (figures[key], promised)
        for key, promised in experiment.figures.items()
        if not agrees(figures[key], promised)
    }
    assert experiment.figures
    assert not wrong


@pytest.mark.parametrize("system", [*PROMISED["models"]])
def test_the_float_models_have_the_published_coefficients(clone: Clone, system: str) -> None:
    clone.git("reset", "--quiet", "--hard")
    clone.dvc("repro", f"train@{system}")
    network = storage.load_network(clone.path / f"models/{system}/float.safetensors")
    _, arrays = load_arrays(clone.path / f"data/{system}.safetensors")
    layer = network.layers[-1]
    assert isinstance(layer, Linear)
    promised = PROMISED["models"][system]
    predictions = promised.get("predictions", [])
    numbers = [
        *zip(values(layer.weight)[0], promised["coefficients"], strict=False),
        (values(layer.bias)[0], promised["intercept"]),
        *zip(floating.run(network, arrays["x_test"])[:, 0], predictions, strict=False),
    ]
    assert len(numbers) == len(promised["coefficients"]) + 1 + len(predictions)
    assert not [pair for pair in numbers if not agrees(*pair)]


def test_a_scale_for_each_parameter_is_exact_and_no_smaller_than_float32(after: After) -> None:
    figures = after("per-parameter", "california-raw")
    assert figures["fidelity.max_abs"] < 2e-6
    assert figures["size.codes"] + figures["size.scales"] >= 9 * 4


def test_exact_rounding_loses_less_than_half_of_what_nearest_loses_and_is_proven(
    after: After,
) -> None:
    figures = after("eight-minmax-exact", "california")
    error = figures["rounding.output_error"]
    assert figures["rounding.1_linear.nearest_error"] >= 2.3 * error
    assert figures["rounding.1_linear.lower_bound"] == error
    assert figures["rounding.rows_proven"] == figures["rounding.rows"]


@pytest.mark.parametrize(("bits", "least"), [("two", 0.53), ("three", 0.55)])
def test_at_few_bits_the_default_reaches_what_nearest_on_the_min_max_grid_does_not(
    after: After, bits: str, least: float
) -> None:
    best = after(f"{bits}-mse-exact", "california")
    nearest = after(f"{bits}-minmax-nearest", "california")
    assert best["quantized.r2"] >= least > nearest["quantized.r2"]


@pytest.mark.parametrize("bits", ["two", "three", "eight"])
def test_exact_rounding_and_a_searched_range_each_lose_no_more_at_the_outputs(
    after: After, bits: str
) -> None:
    lost = {
        (span, how): after(f"{bits}-{span}-{how}", "california")["rounding.output_error"]
        for span in ("minmax", "mse")
        for how in ("nearest", "exact")
    }
    assert lost["mse", "exact"] <= lost["minmax", "exact"] <= lost["minmax", "nearest"]
    assert lost["mse", "exact"] <= lost["mse", "nearest"] <= lost["minmax", "nearest"]
