"""python -m stages.train SYSTEM: data -> float network, as models/<system>/float.safetensors."""

from pathlib import Path
from typing import Any

import numpy as np

from octet import elementary, provenance
from octet.errors import OctetError
from octet.modelfile import storage
from octet.network import Network
from octet.runtime import floating
from octet.signature import Classes, Columns, Numbers, Signature
from stages import paths
from stages import stage as command
from stages.dataset import Dataset, load_dataset
from stages.params.file import Params
from stages.params.models import LinearModel, LogisticModel, Model, NetworkModel
from stages.train import linear, logistic, plots
from stages.train.plots import History


def train(name: str, params: Params) -> dict[Path, bytes]:
    """The float model of a system, and what there is to draw of its training."""
    dataset, model = load_dataset(name), params.system(name).model
    # But for the layers, which stand in the file anyway.
    used: dict[str, Any] = {"model": model.model_dump(exclude={"layers"})}
    if isinstance(model, NetworkModel):
        from stages.train import images

        recipe = params.train_of(name)
        network, drawn = images.train(dataset, model, recipe, f"systems.{name}.model")
        used["train"] = recipe.model_dump()
    else:
        network, drawn = _regression(dataset, model, f"systems.{name}.model")
    origin = {"data": provenance.md5(paths.data_path(name)), "params": used}
    network = Network(network.layers, network.signature, provenance=origin)
    return {
        paths.float_path(name): storage.dump_network(network),
        **{paths.plot_path(name, file): content for file, content in drawn.items()},
    }


def _regression(
    dataset: Dataset, model: LinearModel | LogisticModel, where: str
) -> tuple[Network, dict[str, bytes]]:
    """Linear or logistic regression, at ``where`` in params.yaml."""
    x, y = dataset.x_train, dataset.y_train
    match model, dataset.signature:
        case LinearModel(standardize=standardize), Signature(Columns(names), Numbers()):
            layers = linear.fit(x, y, names, standardize)
        case LogisticModel(), Signature(Columns(names), Classes(classes)):
            layers = logistic.fit(x, y, names, classes)
        case _:
            raise OctetError(f"params.yaml: {where}.kind: {_misfit(model, dataset.signature)}")
    network = Network(layers, dataset.signature)
    outputs = floating.run(network, x)
    if isinstance(dataset.signature.outputs, Numbers):
        course = History((1,), (float(np.mean((outputs[:, 0] - y) ** 2)),))
    else:
        share = elementary.softmax(outputs)[np.arange(len(y)), y]
        accuracy = float(np.mean(np.argmax(outputs, axis=1) == y))
        course = History((1,), (-float(np.mean(np.log(share))),), (accuracy,))
    return network, {"training.csv": plots.history(course), "views.png": plots.row_sheet(x)}


def _misfit(model: Model, signature: Signature) -> str:
    inputs = "columns" if isinstance(signature.inputs, Columns) else "images"
    outputs = "numbers" if isinstance(signature.outputs, Numbers) else "classes"
    allowed = [
        "linear (columns to numbers)",
        "logistic (columns to classes)",
        "network (anything to anything)",
    ]
    return f"got {model.kind} for data of {inputs} and {outputs}; allowed are {', '.join(allowed)}"


if __name__ == "__main__":
    command.run(train, "Train the float network of a system.")
