"""What torch exports to ONNX comes in, and computes what torch does."""

import io
import warnings
from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from octet.importers.onnx import layers_of
from octet.signature import Shape
from tests.octet.importers.graphs import IMAGE, ROW, normal, outputs


class Residual(nn.Module):
    """A block with a branch, as in ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3, 2, 1)
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.ReLU6())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stem = torch.relu(self.first(x))
        return torch.softmax(self.head(self.body(stem) + stem), 1)


class Pixels(nn.Module):
    """What scales pixels, in the network itself."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x / 255 - 0.5) / torch.tensor([0.2, 0.3, 0.4, 0.5]).reshape(1, 4, 1, 1)


class MeanOfImages(nn.Module):
    """The mean of each channel, without a layer for it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(4, 6, 3), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(x)).mean((2, 3)))


ARCHITECTURES: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 2)), ROW),
    "normalized": (
        lambda: nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.LeakyReLU(), nn.Linear(9, 1)),
        ROW,
    ),
    "convolutional": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, (3, 2), padding=(1, 0)),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            nn.Dropout(),
            nn.Flatten(),
            nn.Linear(96, 4),
            nn.Sigmoid(),
        ),
        IMAGE,
    ),
    "separable": (
        lambda: nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(4, 8, 3, 2, groups=4),
            nn.ReLU6(),
            nn.Conv2d(8, 5, 1),
            nn.AvgPool2d(2, 1),
            nn.Flatten(),
        ),
        IMAGE,
    ),
    "residual": (Residual, IMAGE),
    "linear": (lambda: nn.Linear(6, 1), ROW),
    "classifier": (
        lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(1)),
        ROW,
    ),
    "scaled pixels": (lambda: nn.Sequential(Pixels(), nn.Conv2d(4, 3, 3), nn.Flatten()), IMAGE),
    "normalized first": (
        lambda: nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3), nn.ReLU(), nn.Flatten()),
        IMAGE,
    ),
    "mean of images": (MeanOfImages, IMAGE),
    "pooled": (
        lambda: nn.Sequential(nn.Conv2d(4, 5, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(30, 2)),
        IMAGE,
    ),
    "mobile": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.Conv2d(8, 6, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
        IMAGE,
    ),
}


Exporter = Callable[[nn.Module, torch.Tensor], bytes]


def older(opset: int, folded: bool) -> Exporter:
    """torch's exporter by tracing."""

    def export(module: nn.Module, x: torch.Tensor) -> bytes:
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own, about this exporter
            torch.onnx.export(
                module,
                (x,),
                file,
                dynamo=False,
                opset_version=opset,
                do_constant_folding=folded,
                dynamic_axes={"input": {0: "rows"}},
                input_names=["input"],
            )
        return file.getvalue()

    return export


def newer(opset: int) -> Exporter:
    """torch's exporter by dynamo."""

    def export(module: nn.Module, x: torch.Tensor) -> bytes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (x,),
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=({0: torch.export.Dim("rows")},),
                verbose=False,
            )
        return program.model_proto.SerializeToString()

    return export


OLDER = {
    f"opset {opset}{', folded' * folded}": older(opset, folded)
    for opset in (17, 20)
    for folded in (False, True)
}
NEWER = {f"dynamo, opset {opset}": newer(opset) for opset in (18, 20)}


@pytest.mark.parametrize("exporter", OLDER)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_torch_exports_comes_in(name: str, exporter: str) -> None:
    assert_the_same(name, OLDER[exporter])


@pytest.mark.release
@pytest.mark.parametrize("exporter", NEWER)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_torchs_newer_exporter_writes_comes_in(name: str, exporter: str) -> None:
    assert_the_same(name, NEWER[exporter])


def assert_the_same(name: str, export: Exporter) -> None:
    make, shape = ARCHITECTURES[name]
    torch.manual_seed(0)
    module, x = make().eval(), normal(4, *shape)
    layers, entering = layers_of(onnx.load_model_from_string(export(module, torch.from_numpy(x))))
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    got = outputs(layers, entering, x)
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.max(np.abs(expected)))
