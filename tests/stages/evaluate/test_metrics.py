"""metrics/<system>.json: every group, from the files, in bytes that are the same everywhere."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import affine
from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Layer, Linear, Standardize
from octet.modelfile import storage
from octet.modelfile.storage import Sizes
from octet.network import Network
from octet.parameters import Quantized, values
from octet.signature import Columns, Numbers, Signature
from stages.dataset import Dataset
from stages.evaluate import metrics
from stages.params.gates import Gates

FEATURES = 8
SIGNATURE = Signature(Columns(tuple(f"f{i}" for i in range(FEATURES))), Numbers("target", "unit"))
GATES = Gates(
    mse_increase=0.01,
    accuracy_decrease=0.005,
    r2=0.0,
    accuracy=0.95,
    accuracy_noisy=0.9,
    saved=0.6,
)
ROUNDING = {"output_error": 0.5, "rows": 1}
METRICS = Path("metrics/small.json")

Sized = Callable[[Network], Sizes]


def data() -> Dataset:
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(60, FEATURES)), rng.normal(size=60)
    y = x @ np.arange(1.0, FEATURES + 1) + 3 + noise
    return Dataset(x[:40], y[:40], x[40:], y[40:], SIGNATURE)


def float_network(*before: Layer) -> Network:
    weight = np.arange(1.0, FEATURES + 1)[None] + 0.1
    return Network((*before, Linear(weight, np.array([3.1]))), SIGNATURE)


def quantized_network(bits: int = 8, bias_bits: int = 8, *before: Layer) -> Network:
    linear = float_network().layers[-1]
    weight, bias = coded(values(linear.weight), bits), coded(values(linear.bias), bias_bits)
    return Network((*before, Linear(weight, bias)), SIGNATURE, {"0_linear": ROUNDING})


def coded(real: Array, bits: int) -> Quantized:
    grid = affine.asymmetric(real.min(), real.max(), bits)
    return Quantized(affine.quantize(real, grid), grid)


def shared_grid() -> Network:
    """Weights and bias on one grid, as under granularity: unified."""
    linear = float_network().layers[-1]
    weight, bias = values(linear.weight), values(linear.bias)
    grid = affine.asymmetric(weight.min(), weight.max(), 8)
    layer = Linear(*(Quantized(affine.quantize(real, grid), grid) for real in (weight, bias)))
    return Network((layer,), SIGNATURE, {"0_linear": ROUNDING})


def scaler() -> Standardize:
    x = data().x_train
    return Standardize(x.mean(axis=0), x.std(axis=0))


@pytest.fixture
def sized(tmp_path: Path) -> Sized:
    """What the file of a network holds."""

    def store(network: Network) -> Sizes:
        path = tmp_path / "model.safetensors"
        path.write_bytes(storage.dump_network(network))
        return storage.sizes(path)

    return store


def compare(
    reference: Network, quantized: Network, sized: Sized, apart: Network | None = None
) -> metrics.Figures:
    """All figures; each layer is its own at 8 and 4 bits unless another network says otherwise."""
    before = reference.layers[:-1]
    by_width = {bits: apart or quantized_network(bits, 8, *before) for bits in (8, 4)}
    sizes = sized(reference), sized(quantized)
    return metrics.compare(
        metrics.Models(reference, quantized, by_width, sizes), data(), GATES
    ).figures


def predicted(network: Network, x: Array) -> Array:
    layer = network.layers[-1]
    return x @ values(layer.weight)[0] + values(layer.bias)[0]


def r2(truth: Array, guess: Array) -> float:
    return float(1 - np.sum((truth - guess) ** 2) / np.sum((truth - truth.mean()) ** 2))


def test_the_groups_are_those_that_the_readers_know(sized: Sized) -> None:
    figures = compare(float_network(), quantized_network(), sized)
    task = {"r2", "mse", "mae", "r2_train"}
    assert {group: set(figures[group]) for group in figures} == {
        "float": task,
        "quantized": task,
        "change": task,
        "fidelity": {"mse", "mean_abs", "max_abs", "sqnr_db"},
        "parameters": {"count", "weight_mean_abs", "weight_max_abs", "bias_max_abs"},
        "rounding": set(ROUNDING),
        "sensitivity": {"rows", "8_bits", "4_bits"},
        "size": {
            *("float_payload", "codes", "scales", "quantized_payload", "scaler"),
            *("file_float", "file_quantized"),
        },
        "verdict": {"low", "high", "margin", "smallest_effect", "non_inferior"},
    }


def test_scores_are_those_of_each_model_on_the_test_rows(sized: Sized) -> None:
    rows = data()
    figures = compare(float_network(), quantized_network(), sized)
    for group, network in [("float", float_network()), ("quantized", quantized_network())]:
        guess = predicted(network, rows.x_test)
        assert figures[group] == pytest.approx(
            {
                "r2": r2(rows.y_test, guess),
                "mse": np.mean((rows.y_test - guess) ** 2),
                "mae": np.mean(abs(rows.y_test - guess)),
                "r2_train": r2(rows.y_train, predicted(network, rows.x_train)),
            },
            rel=1e-9,
        )
    assert figures["float"] != figures["quantized"]


def test_the_change_is_quantized_minus_float(sized: Sized) -> None:
    figures = compare(float_network(), quantized_network(4), sized)
    for key, change in figures["change"].items():
        assert change == figures["quantized"][key] - figures["float"][key]
    assert figures["change"]["mse"] > 0 > figures["change"]["r2"]


def test_the_distance_is_that_of_the_outputs_not_of_the_truth(sized: Sized) -> None:
    rows = data()
    reference, quantized = float_network(), quantized_network()
    first, second = (predicted(network, rows.x_test) for network in (reference, quantized))
    found = compare(reference, quantized, sized)["fidelity"]
    assert found["mse"] == pytest.approx(np.mean((first - second) ** 2), rel=1e-9)
    assert found["max_abs"] == pytest.approx(np.max(abs(first - second)), rel=1e-9)
    ratio = 10 * math.log10(np.sum(first**2) / np.sum((first - second) ** 2))
    assert found["sqnr_db"] == pytest.approx(ratio, rel=1e-9)


def test_parameters_are_compared_as_the_reals_that_they_stand_for(sized: Sized) -> None:
    reference, quantized = float_network(), quantized_network(3)
    first, second = reference.layers[-1], quantized.layers[-1]
    weights = abs(values(first.weight) - values(second.weight))
    found = compare(reference, quantized, sized)["parameters"]
    assert found["weight_max_abs"] == weights.max() > 0
    assert found["weight_mean_abs"] == pytest.approx(weights.mean(), rel=1e-12)
    assert found["bias_max_abs"] == abs(values(first.bias) - values(second.bias))[0]


def test_the_verdict_takes_its_margin_from_the_gates(sized: Sized) -> None:
    found = compare(float_network(), quantized_network(2), sized)["verdict"]
    assert found["margin"] == GATES.mse_increase
    assert found["low"] > GATES.mse_increase
    assert found["non_inferior"] == 0


def test_the_quantizers_knowledge_of_its_rounding_is_handed_on(sized: Sized) -> None:
    assert compare(float_network(), quantized_network(), sized)["rounding"] == ROUNDING


def test_nine_parameters_are_72_bytes_of_floats_or_9_of_codes_and_10_of_scales(
    sized: Sized,
) -> None:
    reference, quantized = float_network(), quantized_network()
    assert compare(reference, quantized, sized)["size"] == {
        "float_payload": 72,
        "codes": 9,
        "scales": 2 * (4 + 1),
        "quantized_payload": 19,
        "scaler": 0,
        "file_float": len(storage.dump_network(reference)),
        "file_quantized": len(storage.dump_network(quantized)),
    }


@pytest.mark.parametrize(
    ("network", "codes", "scales"),
    [
        (quantized_network(4, 8), 4 + 1, 5 + 5),
        (quantized_network(3, 3), 3 + 1, 5 + 5),
        (quantized_network(12, 16), 12 + 2, 6 + 6),
        (shared_grid(), 8 + 1, 5),
    ],
    ids=["4 bits", "3 bits", "12 and 16 bits", "one grid"],
)
def test_bytes_follow_from_the_widths_and_the_number_of_grids(
    sized: Sized, network: Network, codes: int, scales: int
) -> None:
    size = compare(float_network(), network, sized)["size"]
    assert (size["codes"], size["scales"]) == (codes, scales)
    assert size["quantized_payload"] == codes + scales
    assert size["float_payload"] == 72


def test_a_scaler_counts_by_itself(sized: Sized) -> None:
    size = compare(float_network(scaler()), quantized_network(8, 8, scaler()), sized)["size"]
    assert size["scaler"] == 2 * 8 * FEATURES
    assert (size["float_payload"], size["quantized_payload"]) == (72, 19)


def test_a_model_left_float_is_a_copy_that_saves_nothing(sized: Sized) -> None:
    figures = compare(float_network(), float_network(), sized)
    assert figures["size"]["quantized_payload"] == figures["size"]["float_payload"] == 72
    assert (figures["size"]["codes"], figures["size"]["scales"]) == (0, 0)
    assert set(figures["change"].values()) == {0}
    assert figures["fidelity"]["mse"] == 0
    assert figures["verdict"]["non_inferior"] == 1


@pytest.mark.parametrize(
    "quantized",
    [
        Network((Linear(np.ones((2, FEATURES)), np.ones(2)),), SIGNATURE),
        Network((scaler(),), SIGNATURE),
        Network((*quantized_network().layers, Linear(np.ones((1, 1)), np.zeros(1))), SIGNATURE),
        Network(
            quantized_network().layers,
            Signature(Columns(tuple(f"g{i}" for i in range(FEATURES))), Numbers("target", "unit")),
        ),
    ],
    ids=["two outputs", "no weights", "another layer", "other features"],
)
def test_a_model_that_is_no_version_of_the_float_one_is_refused(
    sized: Sized, quantized: Network
) -> None:
    with pytest.raises(OctetError):
        compare(float_network(), quantized, sized)
    with pytest.raises(OctetError):
        compare(float_network(), quantized_network(), sized, apart=quantized)


def test_a_float_model_that_is_quantized_already_is_refused(sized: Sized) -> None:
    with pytest.raises(OctetError, match="the float model is quantized already"):
        compare(quantized_network(), quantized_network(), sized)


def test_data_of_other_columns_is_refused(sized: Sized) -> None:
    reference, quantized = float_network(), quantized_network()
    others = replace(SIGNATURE, target="another")
    models = metrics.Models(reference, quantized, {}, (sized(reference), sized(quantized)))
    with pytest.raises(OctetError, match="do not have the same columns"):
        metrics.compare(models, replace(data(), signature=others), GATES)


def test_sensitivity_is_the_r2_of_each_layer_at_each_width(sized: Sized) -> None:
    rows = data()
    found = compare(float_network(), quantized_network(), sized)["sensitivity"]
    for bits in (8, 4):
        network = quantized_network(bits)
        exact = predicted(float_network(), rows.x_test)
        guess = predicted(network, rows.x_test)
        assert found[f"{bits}_bits"] == {
            "only": {"0_linear": pytest.approx(r2(rows.y_test, guess), rel=1e-9)},
            "all_but": {"0_linear": pytest.approx(r2(rows.y_test, exact), rel=1e-9)},
            "moved": {"0_linear": pytest.approx(np.mean((guess - exact) ** 2), rel=1e-9)},
            "blame": "0_linear",
        }


def test_a_dump_is_sorted_json_with_a_last_line_end() -> None:
    dumped = metrics.dump({"b": {"z": 1.5, "a": 2}, "a": {"x": 0.0}}, METRICS)
    assert dumped == (
        b'{\n  "a": {\n    "x": 0.0\n  },\n  "b": {\n    "a": 2,\n    "z": 1.5\n  }\n}\n'
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1 / 3, "0.333333333"),
        (-2 / 3, "-0.666666667"),
        (123456789.123, "123456789.0"),
        (0.1 + 0.2, "0.3"),
        (1e-20 / 3, "3.33333333e-21"),
        (np.float64(1) / 3, "0.333333333"),
        (9, "9"),
        (1234567891234, "1234567891234"),
    ],
    ids=repr,
)
def test_nine_digits_of_a_fraction_are_written_and_all_of_a_count(
    value: float, written: str
) -> None:
    dumped = metrics.dump({"group": {"key": value}}, METRICS)
    assert dumped == f'{{\n  "group": {{\n    "key": {written}\n  }}\n}}\n'.encode()


def test_what_differs_less_than_nine_digits_makes_the_same_bytes() -> None:
    near, far = (metrics.dump({"g": {"k": 0.5 + d}}, METRICS) for d in (1e-12, 1e-8))
    exact = metrics.dump({"g": {"k": 0.5}}, METRICS)
    assert near == exact != far


@settings(deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.dictionaries(
            st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        ),
    )
)
def test_a_dump_reads_back_within_nine_digits_and_dumps_the_same(
    figures: metrics.Figures,
) -> None:
    dumped = metrics.dump(figures, METRICS)
    read = json.loads(dumped)
    assert {group: set(read[group]) for group in read} == {g: set(figures[g]) for g in figures}
    for group, inner in figures.items():
        for key, value in inner.items():
            assert type(read[group][key]) is type(value)
            assert read[group][key] == pytest.approx(value, rel=5e-9, abs=0)
    assert metrics.dump(read, METRICS) == dumped


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")], ids=repr)
def test_a_figure_that_is_not_finite_is_refused_by_its_name(value: float) -> None:
    with pytest.raises(OctetError) as caught:
        metrics.dump({"float": {"mse": 1.0, "r2": value}}, METRICS)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"{METRICS}: float.r2: got {value}; ")
