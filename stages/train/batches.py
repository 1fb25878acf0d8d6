"""Training rows in batches and in a seeded order; images some of them noisy or augmented."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from octet.affine import Array
from octet.layers import Standardize
from octet.signature import Pixels
from stages.params.train import Train
from stages.train.augment import views

Rows = npt.NDArray[np.int64]


class Batches(ABC):
    """Batches of standardized rows, what is true of them, and how much each counts, if unlike."""

    def __init__(
        self, truth: torch.Tensor, recipe: Train, counts: torch.Tensor | None = None
    ) -> None:
        self._truth, self._recipe, self._counts = truth, recipe, counts
        self._rng = np.random.default_rng(recipe.seed)
        self._per_epoch = len(truth) // recipe.batch

    def __len__(self) -> int:
        return self._recipe.epochs * self._per_epoch

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
        size = self._recipe.batch
        for _ in range(self._recipe.epochs):
            order = self._rng.permutation(len(self._truth))
            for i in range(self._per_epoch):  # what is left of the last batch is left out
                rows = order[i * size : (i + 1) * size]
                places = torch.from_numpy(rows)
                counts = None if self._counts is None else self._counts[places]
                yield self._inputs(rows), self._truth[places], counts

    @abstractmethod
    def _inputs(self, rows: Rows) -> torch.Tensor:
        """The standardized rows, float32."""


class TableBatches(Batches):
    """Of a table: rows as they are."""

    def __init__(
        self,
        x: Array,
        scaler: Standardize,
        truth: torch.Tensor,
        recipe: Train,
        counts: torch.Tensor | None,
    ) -> None:
        super().__init__(truth, recipe, counts)
        self._x = torch.from_numpy(scaler.reals(x).astype(np.float32))

    def _inputs(self, rows: Rows) -> torch.Tensor:
        return self._x[torch.from_numpy(rows)]


class ImageBatches(Batches):
    """Of images: noise on some, random views of others."""

    def __init__(
        self, pixels: Pixels, scaler: Standardize, truth: torch.Tensor, recipe: Train
    ) -> None:
        super().__init__(truth, recipe)
        self._pixels = pixels
        levels = np.arange(np.iinfo(np.uint8).max + 1)
        self._table = ((levels - scaler.mean[0]) / scaler.std[0]).astype(np.float32)

    def _inputs(self, rows: Rows) -> torch.Tensor:
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
