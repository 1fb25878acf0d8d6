"""python -m stages.train SYSTEM: data -> float network, as models/<system>/float.safetensors."""

from pathlib import Path

from octet import storage
from stages import command, tracked
from stages.params import Params
from stages.train import linear


def train(name: str, params: Params) -> dict[Path, bytes]:
    """The float model of a system."""
    network = linear.fit(tracked.load_dataset(name), params.system(name).model.standardize)
    return {tracked.float_path(name): storage.dump_network(network)}


if __name__ == "__main__":
    command.run(train, "Train the float network of a system.")
