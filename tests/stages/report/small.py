"""A tree with all files that a report reads, made in seconds by the code that makes them."""

import contextlib
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from octet.layers import Linear, Standardize
from octet.modelfile import storage
from octet.network import Network
from octet.quantizer import Config, quantize, quantize_apart
from octet.runtime import inference
from octet.signature import Classes, Columns, Images, Numbers, Signature
from stages import paths
from stages.dataset import Dataset, dump_dataset
from stages.evaluate import metrics
from stages.evaluate import plots as evaluate_plots
from stages.params.file import Params
from stages.sweep import points
from stages.train import images
from tests.octet.quantizer.cases import config, random_cnn, random_images, random_inputs
from tests.stages import documents

TABLE, IMAGES = "diabetes", "digits"
# What a page must show as it is, and a figure too.
HOSTILE = ("<script>alert(1)</script>", '"><img src=x>', "$\\frac{a}{b}$", "R&D; {{ 7 * 7 }}")


def write(folder: Path, sweep: bool = True) -> Path:
    """The files of one system of each kind, and params.yaml, in a new folder."""
    folder.mkdir()
    document = {**documents.REAL, "systems": {n: documents.REAL["systems"][n] for n in both()}}
    (folder / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    params = documents.load(folder, document)
    with contextlib.chdir(folder):
        for name, network, data, how in (_table(), _images()):
            _write_system(name, network, data, how, params)
            if sweep:
                _write_sweep(name, network, data, how)
    return folder


def both() -> Iterable[str]:
    return TABLE, IMAGES


def copy(tree: Path, to: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(tree, to)
    return to


def _table() -> tuple[str, Network, Dataset, Config]:
    rng = np.random.default_rng(0)
    x = random_inputs(rng, len(HOSTILE))
    weight, bias = rng.normal(size=(1, len(HOSTILE))), rng.normal(size=1)
    y = x @ weight[0] + bias[0] + 0.1 * rng.normal(size=len(x))
    signature = Signature(Columns(HOSTILE), Numbers("target", HOSTILE[0]))
    layers = (Standardize(x.mean(axis=0), x.std(axis=0)), Linear(weight * x.std(axis=0), bias))
    return TABLE, Network(layers, signature), Dataset(x, y, x, y, signature), config()


def _images() -> tuple[str, Network, Dataset, Config]:
    rng = np.random.default_rng(1)
    network = random_cnn(rng)
    classes = HOSTILE[: len(network.signature.outputs.classes)]
    signature = Signature(
        Images(network.signature.shape, network.signature.inputs.white), Classes(classes)
    )
    x = random_images(rng, 200)
    said = np.argmax(inference.run(network, x), axis=1).astype(np.uint8)
    y = np.where(rng.random(len(x)) < 0.1, rng.integers(0, len(classes), len(x)), said)
    data = Dataset(x, y.astype(np.uint8), x, y.astype(np.uint8), signature)
    how = config(activations="uint8", granularity="per_channel", bits=3)
    return IMAGES, Network(network.layers, signature), data, how


def _write_system(name: str, network: Network, data: Dataset, how: Config, params: Params) -> None:
    apart = quantize_apart(network, data.x_train, how, paths.APART_BITS)
    models = {
        paths.float_path(name): network,
        paths.quantized_path(name): quantize(network, data.x_train, how),
        **{paths.apart_path(name, bits): each for bits, each in apart.items()},
    }
    for path, each in models.items():
        _put(path, storage.dump_network(each))
    _put(paths.data_path(name), dump_dataset(data))
    pair = paths.float_path(name), paths.quantized_path(name)
    stored = metrics.Models(
        *(storage.load_network(path) for path in pair),
        {bits: storage.load_network(paths.apart_path(name, bits)) for bits in apart},
        tuple(storage.sizes(path) for path in pair),
    )
    found = metrics.compare(stored, data, params.gates_of(name))
    path = paths.metrics_path(name)
    _put(path, metrics.dump(found.figures, path))
    for file, content in evaluate_plots.files(name, data, found.outputs).items():
        _put(file, content)
    if isinstance(data.signature.inputs, Images):
        white = data.signature.inputs.white
        sheet = images.contact_sheet(data.x_train, white, params.train.augment, 0)
        _put(paths.plot_path(name, "views.png"), sheet)


def _write_sweep(name: str, network: Network, data: Dataset, how: Config) -> None:
    reference = points.prepare(network, data, how)
    ways = [
        replace(how, bits=bits, rounding=rounding)
        for bits in (2, 4, 8)
        for rounding in ("nearest", "gptq", "exact")
    ]
    found = [points.measure(reference, each) for each in ways]
    table = points.dump(name, points.in_float(reference), found)
    _put(paths.plot_path(name, "sweep.csv"), table)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
