"""python -m stages.train SYSTEM: data -> float network, as models/<system>/float.safetensors."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from octet import provenance
from octet.modelfile import storage
from octet.network import Network
from stages import paths
from stages import stage as command
from stages.dataset import load_dataset
from stages.train import plots
from stages.train.kinds import kind_for
from stages.train.kinds.kind import Job

if TYPE_CHECKING:
    from stages.params.file import Params


def train(name: str, params: "Params") -> dict[Path, bytes]:
    """The float model of a system, and what there is to draw of its training."""
    dataset, model, where = load_dataset(name), params.system(name).model, f"systems.{name}.model"
    kind = kind_for(model, dataset.signature, where)
    trained = kind.train(Job(dataset, model, params.train_of(name), where))
    # But for the layers, which stand in the file anyway.
    used = {"model": model.model_dump(exclude={"layers"}), **trained.params}
    origin: dict[str, Any] = {"data": provenance.md5(paths.data_path(name)), "params": used}
    if trained.checks:
        origin["import"] = dict(trained.checks)
    network = Network(trained.layers, dataset.signature, provenance=origin)
    return {
        paths.float_path(name): storage.dump_network(network),
        paths.plot_path(name, "training.csv"): plots.history(trained.history),
        paths.plot_path(name, "views.png"): trained.sheet,
    }


if __name__ == "__main__":
    command.run(train, "Train the float network of a system, or import it.")
