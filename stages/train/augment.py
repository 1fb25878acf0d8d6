"""Random views of images: rotated, moved, scaled, tilted, cropped, all in one interpolation."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from stages.params.train import Augment


def views(
    images: torch.Tensor, augment: Augment, black: float, rng: np.random.Generator
) -> torch.Tensor:
    """A random view of each image; what lies outside of an image is black.

    Args:
        images: ``(rows, channels, height, width)``.
        augment: how far views may go.
        black: the value of a black pixel.
        rng: where the randomness comes from.
    """
    rows, _, height, width = images.shape
    y, x = np.meshgrid(_centres(height), _centres(width), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), np.ones(height * width)])
    # einsum without BLAS: the same bits on every CPU.
    projected = np.einsum("nij,jp->nip", _homographies(rows, augment, rng), points)
    grid = (projected[:, :2] / projected[:, 2:]).swapaxes(1, 2).reshape(rows, height, width, 2)
    lit = images - black
    return black + functional.grid_sample(
        lit, torch.from_numpy(grid.astype(np.float32)), mode="bilinear", align_corners=False
    )


def _centres(side: int) -> npt.NDArray[np.float64]:
    """Where pixels are, from -1 to 1 over the whole side."""
    return (2 * np.arange(side) + 1) / side - 1


def _homographies(rows: int, augment: Augment, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """From each point of a view to the point of the image seen there, ``(rows, 3, 3)``.

    First the crop, then the tilt, then rotation, scale and shift.
    """
    matrices = np.empty((rows, 3, 3))
    for i in range(rows):
        u = rng.uniform(-1, 1, 8)
        angle = math.radians(augment.rotation) * u[0]
        zoom = 1 / (1 + augment.scale * u[1])
        cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
        shift = 2 * augment.translation * u[2:4]  # a side is 2 long
        tilt = augment.perspective / 2 * u[4:6]
        away = augment.crop * u[6:8]
        affine = np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]], [0, 0, 1]])
        tilted = np.array([[1, 0, 0], [0, 1, 0], [*tilt, 1]])
        crop = np.diag([1 - augment.crop, 1 - augment.crop, 1])
        crop[:2, 2] = away
        matrices[i] = _product(_product(affine, tilted), crop)
    return matrices


def _product(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.einsum("ij,jk->ik", a, b))
