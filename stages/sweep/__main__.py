"""python -m stages.sweep SYSTEM: every width and rounding -> plots/<system>/sweep.csv."""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from octet.modelfile import storage
from stages import paths, point
from stages import stage as command
from stages.dataset import load_dataset
from stages.sweep import measure, workers

if TYPE_CHECKING:
    from stages.params.file import Params


def sweep(name: str, params: "Params") -> dict[Path, bytes]:
    """What each width and rounding of a system costs and saves."""
    network = storage.load_network(paths.float_path(name))
    config = params.quant_of(name).config(max(params.sweep.bits))
    reference = measure.prepare(network, load_dataset(name), config, params.gates_of(name))
    ways = measure.ways(config, params.sweep)
    asked = params.sweep.backend
    here = asked == "loky" and measure.is_quick(reference)
    with workers.backend(workers.HERE if here else asked):
        together = measure.together(ways)
        measured = workers.each(measure.measure, reference, together, name)
    points = dict(zip(chain(*together), chain(*measured), strict=True))
    in_order = [measure.in_float(reference), *(points[way] for way in ways)]
    return {point.sweep_path(name): point.dump(name, in_order)}


if __name__ == "__main__":
    command.run(sweep, "Quantize and score a system at every width and with every rounding.")
