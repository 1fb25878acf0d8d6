"""What training makes small, and what that means for the last layer: by kind of output."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Layer, Linear, Sigmoid, Softmax
from octet.parameters import values
from octet.signature import Numbers
from stages.dataset import Dataset
from stages.params.train import Train


class Objective(ABC):
    """The truth of the training rows as torch compares it with outputs.

    Attributes:
        truth: of each row.
    """

    truth: torch.Tensor

    def loss(
        self, outputs: torch.Tensor, truth: torch.Tensor, counts: torch.Tensor | None
    ) -> torch.Tensor:
        """What is made small, of a batch: the mean over rows, each times how much it counts.

        Args:
            outputs: of the network.
            truth: of the same rows.
            counts: of each row, of a mean of 1 over all rows, so that the gradient is on average
                that of all: a mean weighted within the batch would be of another loss. None if
                rows count alike.
        """
        if counts is None:
            return self._loss(outputs, truth, "mean")
        of_rows = self._loss(outputs, truth, "none").reshape(len(counts), -1).mean(1)
        return (counts * of_rows).mean()

    @abstractmethod
    def _loss(self, outputs: torch.Tensor, truth: torch.Tensor, reduction: str) -> torch.Tensor:
        """The loss of each row, or their mean, as torch's ``reduction`` says."""

    def accuracy(self, outputs: torch.Tensor, truth: torch.Tensor) -> tuple[float, ...]:
        """The share of rows that are right; nothing where that has no meaning."""
        del outputs, truth
        return ()

    @abstractmethod
    def finish(self, head: Linear) -> Linear:
        """The last layer with weights, as the network takes it when it is trained."""


class CrossEntropy(Objective):
    """Of the softmax of logits with the label, smoothed."""

    def __init__(self, labels: torch.Tensor, smoothing: float) -> None:
        self.truth, self._smoothing = labels, smoothing

    def _loss(self, outputs: torch.Tensor, truth: torch.Tensor, reduction: str) -> torch.Tensor:
        return functional.cross_entropy(
            outputs, truth, label_smoothing=self._smoothing, reduction=reduction
        )

    def accuracy(self, outputs: torch.Tensor, truth: torch.Tensor) -> tuple[float, ...]:
        """The share of rows whose largest logit is that of the label."""
        return ((outputs.argmax(1) == truth).double().mean().item(),)

    def finish(self, head: Linear) -> Linear:
        """Without what it adds to all classes alike.

        Softmax does not see it, so training lets it drift, to some 12 where classes differ by 8.
        What quantizes the outputs should spend its codes on what tells the classes apart.
        """
        weight, bias = values(head.weight), values(head.bias)
        return _rounded(head, weight - weight.mean(axis=0), bias - bias.mean())


class BinaryCrossEntropy(CrossEntropy):
    """Of the sigmoid of each logit with whether the label is its class: for a last sigmoid."""

    def _loss(self, outputs: torch.Tensor, truth: torch.Tensor, reduction: str) -> torch.Tensor:
        wanted = functional.one_hot(truth, outputs.shape[1]).to(outputs.dtype)
        return functional.binary_cross_entropy_with_logits(outputs, wanted, reduction=reduction)

    def finish(self, head: Linear) -> Linear:
        """As it is: a sigmoid sees what is added to all classes."""
        return head


class SquaredError(Objective):
    """Of targets that are standardized, so that one learning rate serves all units."""

    def __init__(self, targets: Array, counts: Array, total: float) -> None:
        self._mean = math.fsum(targets * counts) / total
        self._std = math.sqrt(math.fsum((targets - self._mean) ** 2 * counts) / total)
        if not self._std:
            raise OctetError(f"targets: every one is {self._mean:g}; there is nothing to learn")
        standardized = (targets - self._mean) / self._std
        self.truth = torch.from_numpy(standardized.astype(np.float32))

    def _loss(self, outputs: torch.Tensor, truth: torch.Tensor, reduction: str) -> torch.Tensor:
        """In units of the variance of the targets."""
        return functional.mse_loss(outputs[:, 0], truth, reduction=reduction)

    def finish(self, head: Linear) -> Linear:
        """In the units of the targets."""
        weight, bias = values(head.weight), values(head.bias)
        return _rounded(head, weight * self._std, bias * self._std + self._mean)


def objective(dataset: Dataset, last: str, recipe: Train) -> Objective:
    """What fits the outputs of the data and the kind of the last layer."""
    if isinstance(dataset.signature.outputs, Numbers):
        return SquaredError(dataset.y_train, dataset.counts, dataset.total)
    labels = torch.from_numpy(dataset.y_train.astype(np.int64))
    kind = BinaryCrossEntropy if last == "sigmoid" else CrossEntropy
    return kind(labels, recipe.label_smoothing)


def finished(layers: Sequence[Layer], goal: Objective) -> tuple[Layer, ...]:
    """The trained layers, of which the last is finished, or the last but one: logits."""
    done = list(layers)
    head = len(done) - (2 if isinstance(done[-1], Softmax | Sigmoid) else 1)
    last = done[head]
    if isinstance(last, Linear):
        done[head] = goal.finish(last)
    return tuple(done)


def _rounded(head: Linear, weight: Array, bias: Array) -> Linear:
    return replace(head, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
