"""python -m stages.train SYSTEM: data -> float network, as models/<system>/float.safetensors."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from octet import provenance
from octet.errors import OctetError
from octet.modelfile import storage
from octet.network import Network
from octet.runtime import floating
from stages import stage as command
from stages import tracked
from stages.params import Cnn, Params, Regression
from stages.tracked import ImageData, TableData
from stages.train import linear, plots


def train(name: str, params: Params) -> dict[Path, bytes]:
    """The float model of a system, and what there is to draw of its training."""
    dataset, model = tracked.load_dataset(name), params.system(name).model
    if isinstance(dataset, ImageData) and isinstance(model, Cnn):
        from stages.train import images

        recipe = params.train_of(name)
        network, drawn = images.train(dataset, model, recipe, f"systems.{name}.model")
        # But for the layers, which stand in the file anyway.
        used = {"model": model.model_dump(exclude={"layers"}), "train": recipe.model_dump()}
    elif isinstance(dataset, TableData) and isinstance(model, Regression):
        network, drawn = _regression(dataset, model)
        used = {"model": model.model_dump()}
    else:
        raise OctetError(f"{tracked.data_path(name)}: no data for a {model.kind}; run `dvc repro`")
    digest = provenance.md5(tracked.data_path(name))
    network = replace(network, provenance={"data": digest, "params": used})
    return {
        tracked.float_path(name): storage.dump_network(network),
        **{tracked.plot_path(name, file): content for file, content in drawn.items()},
    }


def _regression(dataset: TableData, model: Regression) -> tuple[Network, dict[str, bytes]]:
    network = linear.fit(dataset, model.standardize)
    loss = float(np.mean((floating.run(network, dataset.x_train)[:, 0] - dataset.y_train) ** 2))
    drawn = {"training.csv": plots.solution(loss), "views.png": plots.row_sheet(dataset.x_train)}
    return network, drawn


if __name__ == "__main__":
    command.run(train, "Train the float network of a system.")
