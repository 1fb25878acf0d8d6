"""python -m stages.train SYSTEM: data -> float network, as models/<system>/float.safetensors."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from octet import provenance
from octet.errors import OctetError
from octet.modelfile import storage
from octet.network import Network
from octet.runtime import floating
from octet.signature import Classes, Columns, Images, Numbers, Signature
from stages import paths
from stages import stage as command
from stages.dataset import Dataset, load_dataset
from stages.params.file import Params
from stages.params.models import LinearModel, NetworkModel
from stages.train import linear, plots


def train(name: str, params: Params) -> dict[Path, bytes]:
    """The float model of a system, and what there is to draw of its training."""
    dataset, model = load_dataset(name), params.system(name).model
    used: dict[str, Any]
    match dataset.signature, model:
        case Signature(Images(), Classes()), NetworkModel():
            from stages.train import images

            recipe = params.train_of(name)
            network, drawn = images.train(dataset, model, recipe, f"systems.{name}.model")
            # But for the layers, which stand in the file anyway.
            used = {"model": model.model_dump(exclude={"layers"}), "train": recipe.model_dump()}
        case Signature(Columns(), Numbers()), LinearModel():
            network, drawn = _regression(dataset, model)
            used = {"model": model.model_dump()}
        case _:
            raise OctetError(
                f"{paths.data_path(name)}: no data for a {model.kind}; run `dvc repro`"
            )
    digest = provenance.md5(paths.data_path(name))
    network = replace(network, provenance={"data": digest, "params": used})
    return {
        paths.float_path(name): storage.dump_network(network),
        **{paths.plot_path(name, file): content for file, content in drawn.items()},
    }


def _regression(dataset: Dataset, model: LinearModel) -> tuple[Network, dict[str, bytes]]:
    network = linear.fit(dataset, model.standardize)
    loss = float(np.mean((floating.run(network, dataset.x_train)[:, 0] - dataset.y_train) ** 2))
    drawn = {"training.csv": plots.solution(loss), "views.png": plots.row_sheet(dataset.x_train)}
    return network, drawn


if __name__ == "__main__":
    command.run(train, "Train the float network of a system.")
