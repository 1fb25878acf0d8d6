"""python -m stages.evaluate SYSTEM: two networks, from their files -> metrics/<system>.json."""

from pathlib import Path
from typing import TYPE_CHECKING

from octet.modelfile import storage
from stages import metrics, paths
from stages import stage as command
from stages.dataset import load_dataset
from stages.evaluate import comparison, plots

if TYPE_CHECKING:
    from stages.params.file import Params


def evaluate(name: str, params: "Params") -> dict[Path, bytes]:
    """The metrics of a system and of its layers, and the outputs of its networks."""
    reference, quantized = paths.float_path(name), paths.quantized_path(name)
    models = comparison.Models(
        storage.load_network(reference),
        storage.load_network(quantized),
        {bits: storage.load_network(paths.apart_path(name, bits)) for bits in paths.APART_BITS},
        (storage.sizes(reference), storage.sizes(quantized)),
    )
    data = load_dataset(name)
    compared = comparison.compare(models, data, params.gates_of(name))
    groups = {
        paths.metrics_path(name): compared.metrics,
        paths.layers_path(name): compared.layers,
    }
    return {
        **{path: metrics.dump(each, path) for path, each in groups.items()},
        **plots.files(name, data, compared.outputs),
    }


if __name__ == "__main__":
    command.run(evaluate, "Evaluate the two networks of a system.")
