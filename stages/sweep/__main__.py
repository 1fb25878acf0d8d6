"""python -m stages.sweep SYSTEM: every width and rounding -> plots/<system>/sweep.csv."""

from pathlib import Path

from octet.modelfile import storage
from stages import paths
from stages import stage as command
from stages.dataset import load_dataset
from stages.params.file import Params
from stages.quantconfig import config_of
from stages.sweep import points, workers


def sweep(name: str, params: Params) -> dict[Path, bytes]:
    """What each width and rounding of a system costs and saves."""
    network = storage.load_network(paths.float_path(name))
    data = load_dataset(name)
    config = config_of(params.quant_of(name), bits=max(params.sweep.bits))
    reference = points.prepare(network, data, config)
    hows = points.ways(config, params.sweep)
    with workers.backend(params.sweep.backend):
        found = workers.each(points.measure, reference, hows, name)
    table = points.dump(name, points.in_float(reference), found)
    return {paths.plot_path(name, "sweep.csv"): table}


if __name__ == "__main__":
    command.run(sweep, "Quantize and score a system at every width and with every rounding.")
