"""Small systems of every kind, and a tree with all of their files, made in seconds."""

import contextlib
import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from octet.affine import Array
from octet.layers import Linear, Relu, Standardize
from octet.modelfile import storage
from octet.network import Network
from octet.quantizer import Config, quantize, quantize_apart
from octet.runtime import inference
from octet.signature import Arrays, Classes, Columns, Images, Numbers, Signature
from stages import metrics, paths, point
from stages.dataset import Dataset, dump_dataset
from stages.evaluate import comparison, plots
from stages.evaluate.comparison import Comparison, Models
from stages.params.file import Params
from stages.params.gates import Gates
from stages.sweep import measure
from stages.train import network as training
from tests.octet.quantizer.cases import (
    config,
    random_cnn,
    random_images,
    random_inputs,
    random_layer,
)
from tests.stages import documents

TABLE, IMAGES, CLASSES_OF_TABLE, MLP = "diabetes", "digits", "flowers", "mlp"
NUMBERS_OF_IMAGES = "ages"
# What a page must show as it is, and a picture too.
HOSTILE = ("<script>alert(1)</script>", '"><img src=x>', "$\\frac{a}{b}$", "R&D; {{ 7 * 7 }}")


@dataclass(frozen=True)
class System:
    """A float network, its data, and how it is quantized."""

    network: Network
    data: Dataset
    how: Config


@cache
def systems() -> dict[str, System]:
    """A system of every kind, and a network of several layers on a table, by name."""
    return {
        TABLE: _table(),
        IMAGES: _images(),
        CLASSES_OF_TABLE: _classes_of_table(),
        MLP: _mlp(),
        NUMBERS_OF_IMAGES: _numbers_of_images(),
    }


def of_arrays(images: System) -> System:
    """The same network of the same pixels, as numbers that nobody calls pixels."""
    data = images.data
    signature = Signature(Arrays(data.signature.shape), data.signature.outputs)
    x_train, x_test = data.x_train.astype(np.float64), data.x_test.astype(np.float64)
    return replace(
        images,
        network=replace(images.network, signature=signature),
        data=replace(data, x_train=x_train, x_test=x_test, signature=signature),
    )


def _table() -> System:
    rng = np.random.default_rng(0)
    x = random_inputs(rng, len(HOSTILE))
    weight, bias = rng.normal(size=(1, len(HOSTILE))), rng.normal(size=1)
    y = x @ weight[0] + bias[0] + 0.1 * rng.normal(size=len(x))
    signature = Signature(Columns(HOSTILE), Numbers("target", HOSTILE[0]))
    layer = Linear(weight * x.std(axis=0), bias + weight @ x.mean(axis=0))
    network = Network((_scaler(x), layer), signature)
    return System(network, Dataset(x, y, x, y, signature), config(rounding="exact"))


def _images() -> System:
    rng = np.random.default_rng(1)
    network = random_cnn(rng)
    outputs, inputs = network.signature.outputs, network.signature.inputs
    assert isinstance(outputs, Classes)
    signature = Signature(inputs, Classes(HOSTILE[: len(outputs.classes)]))
    network = replace(network, signature=signature)
    x = random_images(rng, 200)
    how = config(activations="uint8", granularity="per_channel", bits=3)
    return System(network, _labelled(rng, network, x, 0.1), how)


def _classes_of_table() -> System:
    rng = np.random.default_rng(2)
    x = random_inputs(rng, len(HOSTILE))
    signature = Signature(Columns(HOSTILE), Classes(HOSTILE[:3]))
    layer = random_layer(rng, 3, len(HOSTILE))
    layer.bias[:] -= np.mean(inference.run(Network((_scaler(x), layer), signature), x), axis=0)
    network = Network((_scaler(x), layer), signature)
    return System(network, _labelled(rng, network, x, 0.1), config(bits=3, rounding="exact"))


def _mlp() -> System:
    rng = np.random.default_rng(3)
    x = random_inputs(rng, 5)
    signature = Signature(Columns(tuple("abcde")), Classes(("no", "yes")))
    layers = _scaler(x), random_layer(rng, 6, 5), Relu(), random_layer(rng, 2, 6)
    network = Network(layers, signature)
    how = config(activations="uint8", granularity="per_channel", bits=4, rounding="gptq")
    return System(network, _labelled(rng, network, x, 0.05), how)


def _numbers_of_images() -> System:
    rng = np.random.default_rng(4)
    classifier = random_cnn(rng)
    signature = Signature(classifier.signature.inputs, Numbers("age", "years"))
    network = Network((*classifier.layers[:-1], random_layer(rng, 1, 5)), signature)
    x = random_images(rng, 120)
    y = inference.run(network, x)[:, 0]
    y = y + 0.1 * y.std() * rng.normal(size=len(y))
    return System(network, Dataset(x, y, x, y, signature), config(activations="uint8", bits=5))


def _scaler(x: Array) -> Standardize:
    return Standardize(x.mean(axis=0), x.std(axis=0))


def _labelled(rng: np.random.Generator, network: Network, x: Array, wrong: float) -> Dataset:
    """Rows with what the network says of them, but for a share."""
    outputs = inference.run(network, x)
    labels = rng.integers(0, outputs.shape[1], len(x))
    y = np.where(rng.random(len(x)) < wrong, labels, np.argmax(outputs, axis=1)).astype(np.uint8)
    return Dataset(x, y, x, y, network.signature)


def models(folder: Path, system: System) -> Models:
    """The networks of a system, from their files."""
    folder.mkdir(exist_ok=True)
    apart = quantize_apart(system.network, system.data.x_train, system.how, paths.APART_BITS)
    networks = {
        "float": system.network,
        "quantized": quantize(system.network, system.data.x_train, system.how),
        **{str(bits): network for bits, network in apart.items()},
    }
    files = {name: folder / f"{name}.safetensors" for name in networks}
    for name, network in networks.items():
        files[name].write_bytes(storage.dump_network(network))
    return Models(
        storage.load_network(files["float"]),
        storage.load_network(files["quantized"]),
        {bits: storage.load_network(files[str(bits)]) for bits in paths.APART_BITS},
        (storage.sizes(files["float"]), storage.sizes(files["quantized"])),
    )


def write(folder: Path, sweep: bool = True) -> Path:
    """The files of all systems and params.yaml, in a new folder."""
    folder.mkdir()
    known = documents.DOCUMENT["systems"]
    # No stage reads data or model of these: all files are written here.
    entries = dict.fromkeys(systems(), known[TABLE])
    # Of networks that nobody trained; the margins are what tests judge by.
    gates = {
        "mse_increase": 0.005,
        "r2": -1.0,
        "accuracy": 0.0,
        "accuracy_noisy": 0.0,
        "saved": 0.0,
    }
    train = documents.DOCUMENT["train"]
    viewed = {"augment": train["augment"] | {"share": 0.5}}
    document = documents.changed(
        {"gates": documents.DOCUMENT["gates"] | gates, "train": train | viewed}
    )
    document["systems"] = entries
    (folder / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    params = documents.load(folder, document)
    with contextlib.chdir(folder):
        for name in systems():
            _write_system(name, systems()[name], params)
            if sweep:
                _write_sweep(name, systems()[name], params.gates_of(name))
    return folder


def copy(tree: Path, to: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(tree, to)
    return to


def _write_system(name: str, system: System, params: Params) -> None:
    folder = paths.float_path(name).parent
    folder.mkdir(parents=True)
    compared = comparison.compare(models(folder, system), system.data, params.gates_of(name))
    _put(paths.data_path(name), dump_dataset(system.data))
    write_compared(name, compared)
    for file, content in plots.files(name, system.data, compared.outputs).items():
        _put(file, content)
    _put(paths.plot_path(name, "training.csv"), b"step,loss\n1,0.5\n")
    inputs = system.data.signature.inputs
    if isinstance(inputs, Images):
        sheet = training.contact_sheet(system.data.x_train, inputs.white, params.train.augment, 0)
        _put(paths.plot_path(name, "views.png"), sheet)


def write_compared(name: str, compared: Comparison) -> None:
    """The two files of metrics."""
    for path, groups in (
        (paths.metrics_path(name), compared.metrics),
        (paths.layers_path(name), compared.layers),
    ):
        _put(path, metrics.dump(groups, path))


def _write_sweep(name: str, system: System, gates: Gates) -> None:
    reference = measure.prepare(system.network, system.data, system.how, gates)
    ways = [
        replace(system.how, bits=bits, rounding=rounding)
        for bits in (2, 4, 8)
        for rounding in ("nearest", "gptq", "exact")
    ]
    points = measure.measure(reference, ways)
    _put(point.sweep_path(name), point.dump(name, [measure.in_float(reference), *points]))


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
