"""python -m stages.evaluate SYSTEM: both networks, from their files -> metrics/<system>.json."""

from pathlib import Path

from octet import storage
from stages import command, tracked
from stages.evaluate import metrics
from stages.params import Params


def evaluate(name: str, params: Params) -> dict[Path, bytes]:
    """The metrics of a system."""
    reference, quantized = tracked.float_path(name), tracked.quantized_path(name)
    models = metrics.Models(
        storage.load_network(reference),
        storage.load_network(quantized),
        {bits: storage.load_network(tracked.apart_path(name, bits)) for bits in tracked.APART_BITS},
        (storage.sizes(reference), storage.sizes(quantized)),
    )
    figures = metrics.compare(models, tracked.load_dataset(name), params.gates)
    path = tracked.metrics_path(name)
    return {path: metrics.dump(figures, path)}


if __name__ == "__main__":
    command.run(evaluate, "Evaluate the two networks of a system.")
