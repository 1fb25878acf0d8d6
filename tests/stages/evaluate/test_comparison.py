"""Two networks compared: every number is that of its formula, for every kind of system."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from octet import affine
from octet.errors import OctetError
from octet.layers import Linear, Quantize, Softmax, Weighted
from octet.modelfile import storage
from octet.network import Network, label
from octet.parameters import Quantized, values
from octet.quantizer import quantize_apart
from octet.runtime import inference
from octet.signature import Arrays, Columns, Images, Inputs, Numbers, Signature
from stages.disturbance import disturbed
from stages.evaluate import comparison
from stages.evaluate.comparison import Comparison, Models
from stages.metrics import Metrics, dump, parse
from stages.params.gates import Gates
from stages.tasks import KINDS, distance, task_of
from stages.tasks.measures import measures
from tests.stages import small
from tests.stages.small import System

GATES = Gates(
    mse_increase=0.01,
    worse_by=0.1,
    worse_share=0.05,
    accuracy_decrease=0.02,
    r2=0.0,
    accuracy=0.95,
    accuracy_noisy=0.9,
    saved=0.6,
)


@dataclass(frozen=True)
class Case:
    """A system, its networks from their files, and what came of comparing them."""

    system: System
    models: Models
    compared: Comparison

    def read(self) -> Metrics:
        """The metrics as they come back from their file."""
        return parse(dump(self.compared.metrics, Path("metrics/small.json")), "here")


SYSTEMS = small.systems() | {
    f"{name}, of arrays": small.of_arrays(small.systems()[name])
    for name in (small.IMAGES, small.NUMBERS_OF_IMAGES)
}


@pytest.fixture(scope="module", params=SYSTEMS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    system = SYSTEMS[request.param]
    models = small.models(tmp_path_factory.mktemp("models"), system)
    return Case(system, models, comparison.compare(models, system.data, GATES))


def test_there_is_a_case_of_every_kind(tmp_path: Path) -> None:
    kinds = set()
    for name, system in SYSTEMS.items():
        models = small.models(tmp_path / name, system)
        kinds.add(comparison.compare(models, system.data, GATES).metrics["kind"])
    assert kinds == set(KINDS)


def test_every_number_has_a_unit_and_a_better_side_and_they_fit_a_screen(case: Case) -> None:
    numbers = case.read().leaves()
    kind = numbers.pop("kind")
    known = measures(KINDS[kind].task)
    assert set(numbers) <= set(known)
    assert len(numbers) <= 50


def test_what_is_written_is_read_and_written_the_same(case: Case) -> None:
    for groups in (case.compared.metrics, case.compared.layers):
        dumped = dump(groups, Path("metrics/small.json"))
        read = parse(dumped, "here")
        for key, value in read.leaves().items():
            if key not in ("kind", *(f"sensitivity.{bits}_bits.blame" for bits in (8, 4))):
                assert read.number(key) == pytest.approx(float(value), rel=1e-15)


def test_scores_are_those_of_each_model_on_the_test_rows(case: Case) -> None:
    data, task = case.system.data, task_of(case.system.data.signature)
    for group, network in (
        ("float", case.models.reference),
        ("quantized", case.models.quantized),
    ):
        scores = dict(case.compared.metrics[group])
        clean = inference.run(network, data.x_test)
        for key, score in task.score(data.y_test, clean, False).items():
            assert scores.pop(key) == score
        if task.on_training_rows and group == "float":
            trained = inference.run(network, data.x_train)
            assert scores.pop(task.on_training_rows) == task.headline(data.y_train, trained)
        if isinstance(data.signature.inputs, Images):
            rows = {name: make() for name, make in disturbed(data, case.models.reference).items()}
            under = {name: inference.run(network, each) for name, each in rows.items()}
            noisy = task.headline(data.y_test, under["noisy"])
            assert scores.pop(f"{task.headline_key}_noisy") == noisy
            assert scores.pop("robustness") == {
                name: distance.length(clean, under[name]) for name in ("noise", "scaling")
            }
        assert scores == {}


def test_the_change_is_quantized_minus_float(case: Case) -> None:
    groups = case.compared.metrics
    scores = {key for key in groups["quantized"] if key != "robustness"}
    assert set(groups["change"]) == scores
    for key, change in groups["change"].items():
        assert change == groups["quantized"][key] - groups["float"][key]
    assert any(groups["change"].values())


def test_verdict_and_distance_are_those_of_the_outputs(case: Case) -> None:
    data, task = case.system.data, task_of(case.system.data.signature)
    before, after = (
        inference.run(network, data.x_test)
        for network in (case.models.reference, case.models.quantized)
    )
    assert np.array_equal(case.compared.outputs[0], before)
    assert np.array_equal(case.compared.outputs[1], after)
    assert case.compared.metrics["fidelity"] == task.distance(before, after)
    verdict = task.decide(data.y_test, before, after, GATES)
    assert case.compared.metrics["verdict"] == verdict


def test_bytes_are_those_of_the_files(case: Case) -> None:
    reference, quantized = case.models.sizes
    size = case.compared.metrics["size"]
    assert size["float_payload"] == reference.floats
    assert size["quantized_payload"] == quantized.codes + quantized.scales + quantized.floats
    assert (size["codes"], size["scales"]) == (quantized.codes, quantized.scales)
    assert (size["file_float"], size["file_quantized"]) == (reference.file, quantized.file)


def test_what_is_known_of_single_layers_is_in_a_file_of_its_own(case: Case) -> None:
    reference, quantized = case.models.reference, case.models.quantized
    own = case.compared.layers
    names = [
        label(reference.layers, i)
        for i, layer in enumerate(reference.layers)
        if isinstance(layer, Weighted)
    ]
    assert list(own["parameters"]) == list(own["rounding"]) == names
    assert own["rounding"] == quantized.rounding
    total = case.compared.metrics["rounding"]
    assert set(total) == {"output_error", "rows", "rows_searched", "rows_proven"}
    for key, value in total.items():
        assert value == sum(quantized.rounding[name][key] for name in names)
    for bits in (8, 4):
        table = own["sensitivity"][f"{bits}_bits"]
        for part in ("only", "all_but", "moved"):
            assert list(table[part]) == names
        assert table["blame"] == max(names, key=table["moved"].__getitem__)
    assert own["sensitivity"]["rows"] == min(500, len(case.system.data.x_test))
    layers = [
        [layer for layer in network.layers if isinstance(layer, Weighted)]
        for network in (reference, quantized)
    ]
    for name, first, second in zip(names, *layers, strict=True):
        weights, biases = (
            np.abs(values(b) - values(a))
            for a, b in ((first.weight, second.weight), (first.bias, second.bias))
        )
        assert own["parameters"][name] == {
            "count": weights.size + biases.size,
            "weight_mean_abs": pytest.approx(weights.mean(), rel=1e-12),
            "weight_max_abs": weights.max(),
            "bias_max_abs": biases.max(),
        }
    counts = [own["parameters"][name]["count"] for name in names]
    assert case.compared.metrics["parameters"] == {"count": sum(counts)}


def test_a_model_left_float_is_a_copy_that_changes_and_saves_nothing(case: Case) -> None:
    same = replace(case.models, quantized=case.models.reference, sizes=(case.models.sizes[0],) * 2)
    groups = comparison.compare(same, case.system.data, GATES).metrics
    assert set(groups["change"].values()) == {0}
    assert groups["fidelity"]["max_abs"] == 0
    assert groups["rounding"] == {}
    assert groups["size"]["float_payload"] == groups["size"]["quantized_payload"]
    assert (groups["size"]["codes"], groups["size"]["scales"]) == (0, 0)


def test_the_margin_is_that_of_the_gates(case: Case) -> None:
    lax = GATES.model_copy(
        update={"mse_increase": 1e9, "worse_share": 0.999, "accuracy_decrease": 0.999}
    )
    verdict = comparison.compare(case.models, case.system.data, lax).metrics["verdict"]
    assert verdict["margin"] in (1e9, 0.999)
    assert verdict["p_inferior"] in (1.0, pytest.approx(0, abs=1e-3))
    assert verdict["non_inferior"] == (verdict["p_inferior"] < 1)


def strangers(case: Case) -> dict[str, Network]:
    """Networks that are no version of the float one."""
    quantized = case.models.quantized
    last = quantized.layers[-1]
    assert isinstance(last, Linear)
    more = replace(last, weight=values(last.weight), bias=values(last.bias), output=None)
    inputs = quantized.signature.inputs
    outputs = quantized.signature.outputs
    renamed = (
        replace(outputs, classes=tuple(f"{each}!" for each in outputs.classes))
        if hasattr(outputs, "classes")
        else replace(outputs, target="another")
    )
    return {
        "a layer less": replace(quantized, layers=quantized.layers[:-1]),
        "a layer more": replace(quantized, layers=(*quantized.layers, more)),
        "no weights": replace(
            quantized,
            layers=tuple(each for each in quantized.layers if not isinstance(each, Weighted)),
        ),
        "other inputs": replace(quantized, signature=Signature(other_inputs(inputs), outputs)),
        "other outputs": replace(quantized, signature=Signature(inputs, renamed)),
    }


def other_inputs(inputs: Inputs) -> Inputs:
    """What differs from these in what they mean alone, where there is such a thing."""
    match inputs:
        case Images():
            return replace(inputs, white=inputs.white - 1)
        case Columns():
            return replace(inputs, features=tuple(f"{each}!" for each in inputs.features))
        case _:
            return Arrays(inputs.shape[::-1])


def test_strangers_are_refused(case: Case) -> None:
    for network in strangers(case).values():
        for models in (
            replace(case.models, quantized=network),
            replace(case.models, apart={**case.models.apart, 4: network}),
        ):
            with pytest.raises(OctetError) as caught:
                comparison.compare(models, case.system.data, GATES)
            message = str(caught.value)
            assert message.splitlines() == [message]
            assert "run `dvc repro`" in message
    signature = strangers(case)["other outputs"].signature
    with pytest.raises(OctetError, match="differ in what goes in or comes out; run `dvc repro`"):
        comparison.compare(case.models, replace(case.system.data, signature=signature), GATES)


def test_a_float_model_that_is_quantized_already_is_refused(case: Case) -> None:
    coded = replace(case.models, reference=case.models.quantized)
    with pytest.raises(OctetError, match="the float model is quantized already"):
        comparison.compare(coded, case.system.data, GATES)


def test_a_network_of_images_that_does_not_standardize_is_refused() -> None:
    system = small.systems()[small.IMAGES]
    bare = replace(system.network, layers=system.network.layers[1:])
    size = storage.Sizes(0, 0, 0, 0, 0, 0)
    with pytest.raises(OctetError, match="must standardize"):
        comparison.compare(Models(bare, bare, {}, (size, size)), system.data, GATES)


def test_integers_are_scored_as_integers(tmp_path: Path) -> None:
    models = small.models(tmp_path, small.systems()[small.MLP])
    assert any(isinstance(layer, Quantize) for layer in models.quantized.layers)


def test_outputs_that_are_probabilities_have_the_loss_of_their_logits() -> None:
    system = small.systems()[small.MLP]
    network = replace(system.network, layers=(*system.network.layers, Softmax()))
    size = storage.Sizes(0, 0, 0, 0, 0, 0)
    losses = []
    for each in (system.network, network):
        apart = quantize_apart(each, system.data.x_train, small.config(), (8,))
        compared = comparison.compare(Models(each, each, apart, (size, size)), system.data, GATES)
        losses.append(compared.metrics["float"]["log_loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)


def coded(real: np.ndarray, bits: int) -> Quantized:
    grid = affine.asymmetric(real.min(), real.max(), bits)
    return Quantized(affine.quantize(real, grid), grid)


@pytest.mark.parametrize(
    ("bits", "bias_bits", "codes", "scales"),
    [(8, 8, 8 + 1, 5 + 5), (4, 8, 4 + 1, 5 + 5), (3, 3, 3 + 1, 5 + 5), (12, 16, 12 + 2, 6 + 6)],
)
def test_nine_parameters_are_72_bytes_of_floats_or_as_many_as_their_widths_say(
    bits: int, bias_bits: int, codes: int, scales: int, tmp_path: Path
) -> None:
    weight, bias = np.arange(1.0, 9.0)[None] + 0.1, np.array([3.1])
    signature = Signature(Columns(tuple("abcdefgh")), Numbers("target", ""))
    sizes = []
    for layer in (Linear(weight, bias), Linear(coded(weight, bits), coded(bias, bias_bits))):
        file = tmp_path / "model.safetensors"
        file.write_bytes(storage.dump_network(Network((layer,), signature)))
        sizes.append(storage.sizes(file))
    assert (sizes[0].floats, sizes[0].codes, sizes[0].scales) == (72, 0, 0)
    assert (sizes[1].floats, sizes[1].codes, sizes[1].scales) == (0, codes, scales)
