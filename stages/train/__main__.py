"""python -m stages.train SYSTEM: data -> float network, as models/<system>/float.safetensors."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from octet import floating, provenance, storage
from octet.errors import OctetError
from octet.network import Network
from stages import command, tracked
from stages.params import Cnn, Params, Regression, Train
from stages.tracked import ImageData, TableData
from stages.train import cnn, kernels, linear, plots
from stages.train.architecture import plan


def train(name: str, params: Params) -> dict[Path, bytes]:
    """The float model of a system, and what there is to draw of its training."""
    dataset, model = tracked.load_dataset(name), params.system(name).model
    if isinstance(dataset, ImageData) and isinstance(model, Cnn):
        recipe = params.train_of(name)
        network, drawn = _cnn(dataset, model, recipe, f"systems.{name}.model")
        used = {"train": recipe.model_dump(mode="json")}
    elif isinstance(dataset, TableData) and isinstance(model, Regression):
        network, drawn = _regression(dataset, model)
        used = {"model": model.model_dump(mode="json")}
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


def _cnn(
    dataset: ImageData, model: Cnn, recipe: Train, where: str
) -> tuple[Network, dict[str, bytes]]:
    images = dataset.signature
    steps = plan(model, images.shape, len(images.classes), where)
    device = kernels.device(recipe)
    if device.type == "cpu":
        kernels.pin()
    network, history = cnn.fit(dataset, steps, recipe, device)
    sheet = plots.contact_sheet(dataset.x_train, images.white, recipe.augment, recipe.seed)
    return network, {"training.csv": plots.history(history), "views.png": sheet}


if __name__ == "__main__":
    command.run(train, "Train the float network of a system.")
