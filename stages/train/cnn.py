"""Train a convolutional network, and turn it into layers of the product."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from pytorch_optimizer import SOAP
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from octet.errors import OctetError
from octet.layers import (
    Conv2d,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
    Relu,
    Standardize,
)
from octet.network import Network
from octet.parameters import values
from octet.signature import Pixels
from stages.dataset import Dataset
from stages.params import layers as specs
from stages.params.train import Train
from stages.train.architecture import Step
from stages.train.augment import views
from stages.train.plots import History

# How often SOAP turns its basis, in steps; and how many steps one row of the history sums up.
_REFRESH = 5
_ROW = 100


Floats32 = npt.NDArray[np.float32]


def fit(
    dataset: Dataset, steps: tuple[Step, ...], recipe: Train, device: torch.device
) -> tuple[Network, History]:
    """Train on the training images, and fold the batch normalisation.

    Args:
        dataset: images.
        steps: the architecture, as planned for these images.
        recipe: how to train.
        device: where to.

    Raises:
        OctetError: there are fewer images than one batch, or the loss is no longer finite; the
            message names the step.
    """
    if len(dataset.y_train) < recipe.batch:
        raise OctetError(
            f"params.yaml: train.batch: got {recipe.batch}; allowed are up to the "
            f"{len(dataset.y_train)} training images"
        )
    torch.manual_seed(recipe.seed)
    scaler = standardize(dataset.x_train)
    model = build(steps).to(device)
    history = _train(model, _Batches(dataset, scaler, recipe), recipe, device)
    return Network((scaler, *_layers(model, steps)), dataset.signature), history


def standardize(pixels: Pixels) -> Standardize:
    """Mean and deviation of all pixels, the mean rounded to a whole pixel value.

    A pixel p becomes (p - mean) / std. As mean is whole, pixels 0 … 255 are their own codes on the
    grid of scale 1 / std and zero point mean: the input of an integer network is the image itself.
    """
    counts = np.bincount(pixels.reshape(-1))
    level = np.arange(len(counts))
    mean = np.rint(np.sum(counts * level) / pixels.size)
    variance = np.sum(counts * (level - mean) ** 2) / pixels.size
    if variance == 0:
        raise OctetError(f"training images: every pixel is {mean:g}; there is nothing to learn")
    return Standardize(np.array([mean]), np.array([np.sqrt(variance)]))


def build(steps: tuple[Step, ...]) -> nn.Sequential:
    """The architecture as a torch module, initialised by torch's defaults."""
    modules: list[nn.Module] = []
    for step in steps:
        match step.layer:
            case specs.Conv(channels=channels, kernel=kernel, padding=padding):
                modules += [
                    nn.Conv2d(step.got[0], channels, kernel, padding=padding, bias=False),
                    nn.BatchNorm2d(channels),
                    nn.ReLU(),
                ]
            case specs.MaxPool(window=side):
                modules.append(nn.MaxPool2d(side))
            case specs.GlobalAveragePool():
                modules += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
            case specs.Flatten():
                modules.append(nn.Flatten())
            case specs.Linear(outputs=outputs):
                modules.append(nn.Linear(step.got[0], outputs))
    return nn.Sequential(*modules)


def learning_rate(recipe: Train, progress: float) -> float:
    """From a tenth up over the first part of training, then down to 0, both linearly.

    Args:
        recipe: the peak and where it is.
        progress: how much of all steps will be done after this one, above 0 up to 1.
    """
    if progress < recipe.warm_up:
        return recipe.learning_rate * (0.1 + 0.9 * progress / recipe.warm_up)
    return recipe.learning_rate * (1 - progress) / (1 - recipe.warm_up)


class _Batches:
    """Batches of standardized images in a seeded order, some of them noisy or augmented."""

    def __init__(self, dataset: Dataset, scaler: Standardize, recipe: Train) -> None:
        self._pixels, self._labels = dataset.x_train, dataset.y_train
        levels = np.arange(np.iinfo(np.uint8).max + 1)
        self._table = ((levels - scaler.mean[0]) / scaler.std[0]).astype(np.float32)
        self._recipe = recipe
        self._rng = np.random.default_rng(recipe.seed)
        self.per_epoch = len(self._labels) // recipe.batch

    def __len__(self) -> int:
        return self._recipe.epochs * self.per_epoch

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        size = self._recipe.batch
        for _ in range(self._recipe.epochs):
            order = self._rng.permutation(len(self._labels))
            for i in range(self.per_epoch):  # what is left of the last batch is left out
                rows = order[i * size : (i + 1) * size]
                labels = torch.from_numpy(self._labels[rows].astype(np.int64))
                yield self._images(rows), labels

    def _images(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Noise comes first in a batch and views last: at moderate shares, no image gets both."""
        images = torch.from_numpy(self._table[self._pixels[rows]])
        noise, augment = self._recipe.noise, self._recipe.augment
        noisy = round(noise.share * len(rows))
        if noisy:
            normal = self._rng.standard_normal(images[:noisy].shape, np.float32)
            images[:noisy] += noise.std * torch.from_numpy(normal)
        moved = round(augment.share * len(rows))
        if moved:
            black = float(self._table[0])
            images[-moved:] = views(images[-moved:], augment, black, self._rng)
        return images


def _train(model: nn.Sequential, batches: _Batches, recipe: Train, device: torch.device) -> History:
    optimizer = SOAP(
        model.parameters(),
        lr=recipe.learning_rate,
        weight_decay=0.0,
        precondition_frequency=_REFRESH,
    )
    rows: list[tuple[int, float, float]] = []
    seen: list[tuple[float, float]] = []
    progress = tqdm(batches, desc="train", unit=" batches", disable=None)
    for step, (images, labels) in enumerate(progress, 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step / len(batches))
        outputs = model(images.to(device))
        truth = labels.to(device)
        loss = functional.cross_entropy(outputs, truth, label_smoothing=recipe.label_smoothing)
        if not torch.isfinite(loss):
            raise OctetError(
                f"train: the loss is {loss.item()} at step {step} of {len(batches)}; nothing was "
                "written: lower train.learning_rate"
            )
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        correct = (outputs.argmax(1) == truth).double().mean()
        seen.append((loss.item(), correct.item()))
        if step % _ROW == 0 or step == len(batches):
            mean_loss, accuracy = np.mean(seen, axis=0).tolist()
            rows.append((step, mean_loss, accuracy))
            progress.set_postfix(loss=f"{mean_loss:.3f}", accuracy=f"{accuracy:.2%}")
            seen = []
    # The last step has no loss behind it to tell.
    if not all(bool(torch.all(torch.isfinite(t))) for t in model.state_dict().values()):
        raise OctetError(
            f"train: a weight is not finite after step {len(batches)} of {len(batches)}; nothing "
            "was written: lower train.learning_rate"
        )
    numbers, losses, accuracies = zip(*rows, strict=True)
    return History(numbers, losses, accuracies)


def _layers(model: nn.Sequential, steps: tuple[Step, ...]) -> list[Layer]:
    """The trained modules as layers in float32, each convolution with its normalisation folded."""
    convolutions = iter([module for module in model if isinstance(module, nn.Conv2d)])
    normalisations = iter([module for module in model if isinstance(module, nn.BatchNorm2d)])
    dense = iter([module for module in model if isinstance(module, nn.Linear)])
    layers: list[Layer] = []
    for step in steps:
        match step.layer:
            case specs.Conv(padding=padding):
                weight, bias = fold(next(convolutions), next(normalisations))
                layers += [Conv2d(weight, bias, padding), Relu()]
            case specs.MaxPool(window=side):
                layers.append(MaxPool(side))
            case specs.GlobalAveragePool():
                layers.append(GlobalAveragePool())
            case specs.Flatten():
                layers.append(Flatten())
            case specs.Linear():
                state = next(dense).state_dict()
                layers.append(Linear(_numpy(state["weight"]), _numpy(state["bias"])))
    if isinstance(layers[-1], Linear):
        layers[-1] = centre(layers[-1])
    return layers


def centre(head: Linear) -> Linear:
    """The last layer without what it adds to all classes alike.

    Softmax does not see it, so training lets it drift, to some 12 where classes differ by 8. What
    quantizes the outputs should spend its codes on what tells the classes apart.
    """
    weight, bias = values(head.weight), values(head.bias)
    weight, bias = weight - weight.mean(axis=0), bias - bias.mean()
    return Linear(weight.astype(np.float32), bias.astype(np.float32))


def fold(convolution: nn.Conv2d, normalisation: nn.BatchNorm2d) -> tuple[Floats32, Floats32]:
    """One convolution with a bias in place of a convolution and a batch normalisation.

    γ (W * x - μ) / √(σ² + ε) + β = (γ W / √(σ² + ε)) * x + β - γ μ / √(σ² + ε): Jacob et al.,
    Quantization and Training of Neural Networks, 2018, 3.2. In float64, then rounded once.

    Returns:
        Weight ``(outputs, channels, side, side)`` and bias ``(outputs,)``.
    """
    state = normalisation.state_dict()
    gamma, beta, mean, variance = (
        _numpy(state[name]).astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / np.sqrt(variance + normalisation.eps)
    folded = _numpy(convolution.weight) * factor[:, None, None, None]
    return folded.astype(np.float32), (beta - factor * mean).astype(np.float32)


def _numpy(tensor: torch.Tensor) -> Floats32:
    numbers: Floats32 = tensor.detach().cpu().numpy()
    return numbers
