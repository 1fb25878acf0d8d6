"""python -m stages.train SYSTEM: data -> float network, as models/<system>/float.safetensors."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from octet import elementary, provenance
from octet.errors import OctetError
from octet.layers import Layer
from octet.modelfile import storage
from octet.network import Network
from octet.runtime import floating
from octet.signature import Classes, Columns, Numbers, Signature
from stages import paths
from stages import stage as command
from stages.dataset import Dataset, load_dataset
from stages.params.models import LinearModel, LogisticModel, Model, NetworkModel
from stages.train import linear, logistic, plots
from stages.train.plots import History

if TYPE_CHECKING:
    from stages.params.file import Params


def train(name: str, params: "Params") -> dict[Path, bytes]:
    """The float model of a system, and what there is to draw of its training."""
    dataset, model, where = load_dataset(name), params.system(name).model, f"systems.{name}.model"
    # But for the layers, which stand in the file anyway.
    used: dict[str, Any] = {"model": model.model_dump(exclude={"layers"})}
    if isinstance(model, NetworkModel):
        from stages.train import network

        how = params.train_of(name)
        used["train"] = how.model_dump()
        layers, course = network.fit(dataset, model, how, where)
        sheet = network.sheet(dataset, how.augment, how.seed)
    else:
        layers = _regression(dataset, model, where)
        course = _of_one_step(Network(layers, dataset.signature), dataset)
        sheet = plots.row_sheet(dataset.x_train)
    origin = {"data": provenance.md5(paths.data_path(name)), "params": used}
    trained = Network(layers, dataset.signature, provenance=origin)
    return {
        paths.float_path(name): storage.dump_network(trained),
        paths.plot_path(name, "training.csv"): plots.history(course),
        paths.plot_path(name, "views.png"): sheet,
    }


def _regression(
    dataset: Dataset, model: LinearModel | LogisticModel, where: str
) -> tuple[Layer, ...]:
    x, y = dataset.x_train, dataset.y_train
    match model, dataset.signature:
        case LinearModel(standardize=standardize), Signature(Columns(names), Numbers()):
            return linear.fit(x, y, names, standardize)
        case LogisticModel(), Signature(Columns(names), Classes(classes)):
            return logistic.fit(x, y, names, classes)
        case _:
            raise OctetError(f"params.yaml: {where}.kind: {_misfit(model, dataset.signature)}")


def _of_one_step(trained: Network, dataset: Dataset) -> History:
    """Loss and accuracy of a regression on the training rows: mean squared error or log loss."""
    outputs, y = floating.run(trained, dataset.x_train), dataset.y_train
    if isinstance(dataset.signature.outputs, Numbers):
        return History((1,), (float(np.mean((outputs[:, 0] - y) ** 2)),))
    share = elementary.softmax(outputs)[np.arange(len(y)), y]
    accuracy = float(np.mean(np.argmax(outputs, axis=1) == y))
    return History((1,), (-float(np.mean(np.log(share))),), (accuracy,))


def _misfit(model: Model, signature: Signature) -> str:
    halves = signature.inputs, signature.outputs
    inputs, outputs = (type(half).__name__.lower() for half in halves)
    allowed = [
        "linear (columns to numbers)",
        "logistic (columns to classes)",
        "network (columns or images to anything)",
    ]
    return f"got {model.kind} for data of {inputs} and {outputs}; allowed are {', '.join(allowed)}"


if __name__ == "__main__":
    command.run(train, "Train the float network of a system.")
