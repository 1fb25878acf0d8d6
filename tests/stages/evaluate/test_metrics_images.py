"""All figures of an image system, from files, on networks that the other stages made."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from octet.errors import OctetError
from octet.layers import Quantize, Standardize
from octet.modelfile import storage
from octet.network import Network
from octet.quantizer import quantize, quantize_apart
from octet.runtime import inference
from octet.signature import Classes, Images, Signature
from stages.dataset import Dataset
from stages.evaluate import disturbed, metrics
from stages.evaluate.metrics import Figures, Models
from stages.params.gates import Gates
from stages.tasks import scores, verdict
from tests.octet.quantizer.cases import config, digits

GATES = Gates(
    mse_increase=0.01,
    accuracy_decrease=0.02,
    r2=0.0,
    accuracy=0.95,
    accuracy_noisy=0.9,
    saved=0.6,
)
LAYERS = ["1_conv2d", "4_conv2d", "7_linear"]


def stored(network: Network, path: Path) -> tuple[Network, storage.Sizes]:
    """The network as it comes back from its file, and what that file holds."""
    path.write_bytes(storage.dump_network(network))
    return storage.load_network(path), storage.sizes(path)


@cache
def quantized(activations: str) -> tuple[Network, dict[int, Network]]:
    network, data = digits()
    how = config(activations=activations, granularity="per_channel", rounding="gptq", range="mse")
    return (
        quantize(network, data.x_train, how),
        quantize_apart(network, data.x_train, how, (8, 4)),
    )


@pytest.fixture(scope="module", params=["uint8", "none"])
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The networks of a system, from their files: in integers, or with weights alone in codes."""
    folder = tmp_path_factory.mktemp("models")
    network, _ = digits()
    whole, apart = quantized(request.param)
    reference, float_size = stored(network, folder / "float.safetensors")
    coded, size = stored(whole, folder / "quantized.safetensors")
    by_width = {
        bits: stored(each, folder / f"{bits}.safetensors")[0] for bits, each in apart.items()
    }
    return Models(reference, coded, by_width, (float_size, size))


@pytest.fixture(scope="module")
def figures(models: Models) -> Figures:
    return metrics.compare(models, digits()[1], GATES).figures


def leaves(given: Figures, where: str = "") -> Iterator[tuple[str, object]]:
    for key, value in given.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value


def test_the_groups_are_those_that_the_readers_know(figures: Figures, models: Models) -> None:
    task = {"accuracy", "log_loss", "accuracy_noisy", "robustness"}
    rounding = {
        "output_error",
        "nearest_error",
        "lower_bound",
        "rows",
        "rows_searched",
        "rows_proven",
        *LAYERS,
    }
    if any(isinstance(layer, Quantize) for layer in models.quantized.layers):
        rounding.add("largest_sum")
    assert {group: set(figures[group]) for group in figures} == {
        "float": task,
        "quantized": task,
        "change": task,
        "fidelity": {"mse", "mean_abs", "max_abs", "sqnr_db", "agreement"},
        "parameters": {"count", "weight_mean_abs", "weight_max_abs", "bias_max_abs"},
        "rounding": rounding,
        "sensitivity": {"rows", "8_bits", "4_bits"},
        "size": {
            *("float_payload", "codes", "scales", "quantized_payload", "scaler"),
            *("file_float", "file_quantized"),
        },
        "verdict": {
            *("low", "high", "gained", "lost", "mcnemar_p", "margin", "smallest_effect"),
            "non_inferior",
        },
    }
    for group in ("float", "quantized", "change"):
        assert set(figures[group]["robustness"]) == {"noise", "scaling"}


def test_every_figure_is_finite_and_can_be_written_and_read_again(figures: Figures) -> None:
    path = Path("metrics/digits.json")
    for name, value in leaves(figures):
        assert isinstance(value, str) == name.endswith("blame")
        assert isinstance(value, str) or math.isfinite(value)
    read = json.loads(metrics.dump(figures, path))
    assert {name for name, _ in leaves(read)} == {name for name, _ in leaves(figures)}
    assert metrics.dump(read, path) == metrics.dump(figures, path)


def test_scores_are_those_of_each_model_on_the_test_images(
    figures: Figures, models: Models
) -> None:
    _, data = digits()
    scaler = models.reference.layers[0]
    assert isinstance(scaler, Standardize)
    for group, network in (("float", models.reference), ("quantized", models.quantized)):
        outputs = inference.run(network, data.x_test)
        accuracy = accuracy_score(data.y_test, outputs.argmax(axis=1))
        assert figures[group] == {
            **scores.classification(data.y_test, outputs),
            **disturbed.figures(network, outputs, scaler, data.x_test, data.y_test),
        }
        assert figures[group]["accuracy"] == accuracy > 0.9


def test_the_change_is_quantized_minus_float_group_by_group(figures: Figures) -> None:
    before, after, change = (
        dict(leaves(figures[group])) for group in ("float", "quantized", "change")
    )
    assert set(change) == set(before) == set(after)
    for name, value in change.items():
        assert value == after[name] - before[name]


def test_the_verdict_is_on_what_each_model_has_right(figures: Figures, models: Models) -> None:
    _, data = digits()
    right = [
        inference.run(network, data.x_test).argmax(axis=1) == data.y_test
        for network in (models.reference, models.quantized)
    ]
    assert figures["verdict"] == verdict.classification(*right, GATES.accuracy_decrease)
    assert figures["verdict"]["gained"] - figures["verdict"]["lost"] == round(
        figures["change"]["accuracy"] * len(data.y_test)
    )


def test_rounding_is_known_of_each_layer_and_of_all_together(
    figures: Figures, models: Models
) -> None:
    found, known = figures["rounding"], models.quantized.rounding
    assert {name: found[name] for name in LAYERS} == known
    for key in set(found) - set(LAYERS):
        each = [known[name][key] for name in LAYERS]
        assert found[key] == (max(each) if key == "largest_sum" else sum(each))
    assert found["rows"] == 6 + 8 + 10


def test_sensitivity_is_the_accuracy_of_each_layer_at_each_width(figures: Figures) -> None:
    _, data = digits()
    for bits in (8, 4):
        found = figures["sensitivity"][f"{bits}_bits"]
        for part in ("only", "all_but", "moved"):
            assert list(found[part]) == LAYERS
        assert found["blame"] == max(LAYERS, key=found["moved"].__getitem__)
        for name in LAYERS:
            whole = found["only"][name] * len(data.y_test)
            assert whole == pytest.approx(round(whole), abs=1e-9)
    for name in LAYERS:
        eight, four = (figures["sensitivity"][f"{bits}_bits"]["moved"][name] for bits in (8, 4))
        assert four > 4 * eight


def test_bytes_are_those_of_the_files(figures: Figures, models: Models) -> None:
    size = figures["size"]
    weights, biases = 6 * 9 + 8 * 6 * 9 + 10 * 8, 6 + 8 + 10
    assert size["float_payload"] == 4 * (weights + biases)
    assert size["quantized_payload"] == size["codes"] + size["scales"]
    files = [size["file_float"], size["file_quantized"]]
    assert files == [each.file for each in models.sizes]
    if any(isinstance(layer, Quantize) for layer in models.quantized.layers):
        # A scale and a zero point for each channel, for the input, and for four activations.
        assert size["codes"] == weights + 4 * biases
        assert size["scales"] == 5 * (biases + 1 + 4)
    else:
        assert size["codes"] == weights + biases
        assert size["scales"] == 5 * (biases + 3)


def test_integers_are_near_enough_to_be_the_same_model(figures: Figures) -> None:
    assert abs(figures["change"]["accuracy"]) <= 0.01
    assert figures["fidelity"]["agreement"] > 0.97
    assert figures["fidelity"]["sqnr_db"] > 20


def altered(network: Network, data: Dataset) -> dict[str, tuple[Network, Dataset]]:
    """Networks and data that do not belong to the digits."""
    images = data.signature
    other = replace(images, classes=tuple("abcdefghij"))
    brighter = Signature(Images(images.shape, 255), Classes(images.classes))
    return {
        "other classes": (replace(network, signature=other), data),
        "other white": (network, replace(data, signature=brighter)),
        "a layer less": (replace(network, layers=network.layers[:-1]), data),
        "no pool": (replace(network, layers=(*network.layers[:3], *network.layers[4:])), data),
    }


@pytest.mark.parametrize("stranger", ["other classes", "other white", "a layer less", "no pool"])
@pytest.mark.parametrize("place", ["quantized", "apart"])
def test_strangers_are_refused(stranger: str, place: str) -> None:
    network, data = digits()
    whole, apart = quantized("uint8")
    size = storage.Sizes(0, 0, 0, 0, 0)
    if place == "quantized":
        whole, data = altered(whole, data)[stranger]
    else:
        apart = {8: apart[8]}
        apart[4], data = altered(apart[8], data)[stranger]
    with pytest.raises(OctetError) as caught:
        metrics.compare(Models(network, whole, apart, (size, size)), data, GATES)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert "run `dvc repro`" in message


def test_an_image_network_that_does_not_standardize_is_refused() -> None:
    network, data = digits()
    bare = replace(network, layers=network.layers[1:])
    size = storage.Sizes(0, 0, 0, 0, 0)
    with pytest.raises(OctetError, match="must standardize"):
        metrics.compare(Models(bare, bare, {}, (size, size)), data, GATES)


def test_a_model_left_float_changes_nothing(models: Models) -> None:
    _, data = digits()
    same = replace(models, quantized=models.reference, sizes=(models.sizes[0],) * 2)
    found = metrics.compare(same, data, GATES).figures
    assert {value for _, value in leaves(found["change"])} == {0}
    assert found["fidelity"]["agreement"] == 1
    assert (found["verdict"]["gained"], found["verdict"]["lost"]) == (0, 0)
    assert found["verdict"]["non_inferior"] == 1
    assert found["rounding"] == {}
    assert found["size"]["float_payload"] == found["size"]["quantized_payload"]


def test_fidelity_is_the_distance_of_the_outputs(figures: Figures, models: Models) -> None:
    first, second = (
        inference.run(network, digits()[1].x_test)
        for network in (models.reference, models.quantized)
    )
    assert figures["fidelity"] == scores.fidelity(first, second)
    assert figures["fidelity"]["mse"] == pytest.approx(np.mean((first - second) ** 2), rel=1e-12)
