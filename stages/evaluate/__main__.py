"""python -m stages.evaluate SYSTEM: two networks, from their files -> metrics/<system>.json."""

from pathlib import Path

from octet.modelfile import storage
from stages import paths
from stages import stage as command
from stages.dataset import load_dataset
from stages.evaluate import metrics, plots
from stages.params.file import Params


def evaluate(name: str, params: Params) -> dict[Path, bytes]:
    """The metrics of a system, and what its networks gave."""
    reference, quantized = paths.float_path(name), paths.quantized_path(name)
    models = metrics.Models(
        storage.load_network(reference),
        storage.load_network(quantized),
        {bits: storage.load_network(paths.apart_path(name, bits)) for bits in paths.APART_BITS},
        (storage.sizes(reference), storage.sizes(quantized)),
    )
    data, path = load_dataset(name), paths.metrics_path(name)
    found = metrics.compare(models, data, params.gates_of(name))
    drawn = plots.files(name, data, found.outputs)
    return {path: metrics.dump(found.figures, path), **drawn}


if __name__ == "__main__":
    command.run(evaluate, "Evaluate the two networks of a system.")
