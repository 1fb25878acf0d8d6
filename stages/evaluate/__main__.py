"""python -m stages.evaluate SYSTEM: two networks, from their files -> metrics/<system>.json."""

from pathlib import Path

from octet.modelfile import storage
from stages import stage as command
from stages import tracked
from stages.evaluate import metrics, plots
from stages.params import Params


def evaluate(name: str, params: Params) -> dict[Path, bytes]:
    """The metrics of a system, and what its networks gave."""
    reference, quantized = tracked.float_path(name), tracked.quantized_path(name)
    models = metrics.Models(
        storage.load_network(reference),
        storage.load_network(quantized),
        {bits: storage.load_network(tracked.apart_path(name, bits)) for bits in tracked.APART_BITS},
        (storage.sizes(reference), storage.sizes(quantized)),
    )
    data, path = tracked.load_dataset(name), tracked.metrics_path(name)
    found = metrics.compare(models, data, params.gates_of(name))
    drawn = plots.files(name, data, found.outputs)
    return {path: metrics.dump(found.figures, path), **drawn}


if __name__ == "__main__":
    command.run(evaluate, "Evaluate the two networks of a system.")
