"""Two networks of a system compared: its metrics, what is known of its layers, their outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tqdm import tqdm

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Dequantize, Quantize, Weighted
from octet.modelfile.storage import Sizes
from octet.network import Network, gives_probabilities, label
from octet.parameters import shape_of
from octet.signature import Input
from stages import outputs
from stages.dataset import Dataset
from stages.disturbance import disturbed
from stages.evaluate import layers
from stages.metrics import Groups
from stages.params.gates import Gates
from stages.tasks import distance, kind_of, task_of

Run = Callable[[Network, Input], Array]


@dataclass(frozen=True)
class Models:
    """What a system is evaluated on: its networks, as read from their files.

    Attributes:
        reference: in float.
        quantized: the same in codes.
        apart: by width, the same with each layer quantized as if it were the only one.
        sizes: what the files of the first two hold.
    """

    reference: Network
    quantized: Network
    apart: Mapping[int, Network]
    sizes: tuple[Sizes, Sizes]


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        metrics: of the whole system.
        layers: of its single layers.
        outputs: of the float and of the quantized network for the test rows, ``(rows, outputs)``.
    """

    metrics: Groups
    layers: Groups
    outputs: tuple[Array, Array]


def compare(models: Models, data: Dataset, gates: Gates) -> Comparison:
    """Compare two networks in every way that metrics/<system>.json knows.

    Args:
        models: what to compare.
        data: what to measure it on: its test rows, but for what is named for the training rows.
        gates: the margins of the verdict.

    Raises:
        OctetError: a network is no version of the float one, or the data is not theirs.
    """
    for network in (models.quantized, *models.apart.values()):
        _refuse_strangers(models.reference, network, data)
    if models.reference.rounding:
        raise OctetError("the float model is quantized already; run `dvc repro`")
    kind, rows = kind_of(data.signature), disturbed(data, models.reference)
    passes = 2 * (1 + len(rows)) + len(models.apart) + bool(kind.task.on_training_rows)
    with tqdm(total=passes, desc="evaluate", unit=" passes", disable=None) as bar:

        def run(network: Network, x: Input) -> Array:
            result = outputs.run(network, x)
            bar.update()
            return result

        before, after = (
            run(network, data.x_test) for network in (models.reference, models.quantized)
        )
        scores = _scores(run, models.reference, data, before, rows)
        quantized_scores = _scores(run, models.quantized, data, after, rows)
        on_training_rows = _training_score(run, models.reference, data)
        of_layers = layers.table(models.reference, models.quantized, models.apart, data, bar.update)
    change = _difference(scores, quantized_scores)
    metrics: dict[str, object] = {
        "kind": str(kind),
        "float": {**scores, **on_training_rows},
        "quantized": quantized_scores,
        "change": change,
        "fidelity": kind.task.distance(before, after),
        "parameters": {"count": layers.count(models.reference)},
        "rounding": _total_rounding(models.quantized),
        "size": _size(*models.sizes),
        "verdict": kind.task.decide(data.y_test, before, after, gates),
    }
    if imported := models.reference.provenance.get("import"):
        metrics["import"] = imported
    return Comparison(metrics, of_layers, (before, after))


def _scores(
    run: Run,
    network: Network,
    data: Dataset,
    clean: Array,
    rows: Mapping[str, Callable[[], Array]],
) -> Groups:
    """The scores of a network; under disturbance, the headline and how far its outputs move.

    Args:
        run: gives the outputs of a network.
        network: float or quantized.
        data: the system's.
        clean: the network's outputs for the test rows as they are.
        rows: the test rows under each disturbance.
    """
    task = task_of(data.signature)
    scores: dict[str, object] = {**task.score(data.y_test, clean, gives_probabilities(network))}
    under = {name: run(network, make()) for name, make in rows.items()}
    if under:
        noisy = under.pop("noisy")
        scores[f"{task.headline_key}_noisy"] = task.headline(data.y_test, noisy)
        scores["robustness"] = {name: distance.length(clean, each) for name, each in under.items()}
    return scores


def _training_score(run: Run, reference: Network, data: Dataset) -> Groups:
    """The headline of the float network on the rows that it was fitted to, if the task has it."""
    task = task_of(data.signature)
    if not task.on_training_rows:
        return {}
    fitted = run(reference, data.x_train)
    return {task.on_training_rows: task.headline(data.y_train, fitted)}


def _difference(before: Groups, after: Groups) -> dict[str, float]:
    """After less before, score by score."""
    return {
        key: other - score
        for key, score in before.items()
        if isinstance(score, float) and isinstance(other := after[key], float)
    }


def _total_rounding(network: Network) -> dict[str, float]:
    """What is known of the rounding of all layers together."""
    by_layer = network.rounding.values()
    keys = ("output_error", "rows", "rows_searched", "rows_proven") if by_layer else ()
    return {key: sum(known[key] for known in by_layer) for key in keys}


def _refuse_strangers(reference: Network, other: Network, data: Dataset) -> None:
    if not _shapes(reference) or _shapes(reference) != _shapes(other):
        raise OctetError(
            "the quantized model is not the float one's: their layers differ; run `dvc repro`"
        )
    if not reference.signature == other.signature == data.signature:
        raise OctetError(
            "the models and the data differ in what goes in or comes out; run `dvc repro`"
        )


def _shapes(network: Network) -> list[tuple[str, ...]]:
    """Each layer of the float network, with the shapes of what it holds."""
    return [
        (
            label(network.layers, i),
            *(str(shape_of(p)) for p in (layer.weight, layer.bias)),
        )
        if isinstance(layer, Weighted)
        else (label(network.layers, i),)
        for i, layer in enumerate(network.layers)
        if not isinstance(layer, Quantize | Dequantize)
    ]


def _size(reference: Sizes, quantized: Sizes) -> dict[str, int]:
    return {
        "float_payload": reference.floats,
        "codes": quantized.codes,
        "scales": quantized.scales,
        "quantized_payload": quantized.codes + quantized.scales + quantized.floats,
        "file_float": reference.file,
        "file_quantized": quantized.file,
    }
