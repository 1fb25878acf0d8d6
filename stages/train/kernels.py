"""Which of torch's kernels run: those that give the same bits on every x86-64 CPU."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from octet.errors import OctetError
from octet.layers import windows
from octet.layers.windows import Window
from stages.params.train import Train


def pin() -> None:
    """Leave out every kernel that depends on the processor, and the order of two threads.

    It needs all of this and the environment that ``stages/train/__init__.py`` sets: oneDNN picks
    its kernels by the vector instructions that there are, NNPACK steps in where oneDNN is off, and
    more threads than one add up a gradient in another order.
    """
    torch.backends.mkldnn.set_flags(False)
    torch.backends.nnpack.set_flags(False)
    torch.set_num_threads(1)


def device(recipe: Train) -> torch.device:
    """What ``train.device`` stands for on this machine.

    Raises:
        OctetError: it is cuda, and there is none.
    """
    there = torch.cuda.is_available()
    if recipe.device == "cuda" and not there:
        raise OctetError(
            "params.yaml: train.device: got cuda, which torch does not find here; "
            "set train.device: cpu"
        )
    return torch.device("cuda" if there and recipe.device != "cpu" else "cpu")


def relu(x: torch.Tensor) -> torch.Tensor:
    """`functional.relu`, with the same bits and gradients, sooner on a CPU."""
    return _relu(x) if _is_for_numpy(x) else functional.relu(x)


def max_pool(x: torch.Tensor, where: Window) -> torch.Tensor:
    """`functional.max_pool2d` of a batch, without padding, sooner on a CPU.

    It has the same bits, but that a zero is positive, and passes on the same gradients, but none
    through a window with a NaN.
    """
    apart = where.sides == where.stride != (1, 1)  # no number is in two windows
    if apart and _is_for_numpy(x):
        return _max_pool(x, Window(where.sides, where.stride))
    return functional.max_pool2d(x, where.sides, where.stride)


def _is_for_numpy(x: torch.Tensor) -> bool:
    """Where it is faster: the kernels of torch that every CPU has take up to 5 times as long."""
    return x.device.type == "cpu" and x.dtype == torch.float32


class _Relu(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
        clipped = np.empty_like(x.numpy())
        _where(~(x.numpy() < 0), x, clipped)
        y = torch.from_numpy(clipped)
        context.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        (y,) = context.saved_tensors
        clipped = np.empty_like(y.numpy())
        _where(~(y.numpy() <= 0), gradient, clipped)
        return torch.from_numpy(clipped)


class _MaxPool(torch.autograd.Function):
    """Of windows that do not overlap. The first of several that are largest has the gradient."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, where: Window) -> torch.Tensor:
        # Which of two zeros is the larger depends on the CPU; their sum with 0 does not.
        y = torch.from_numpy(windows.max_pool(x.numpy(), where) + np.float32(0))
        context.save_for_backward(x, y)
        context.where = where
        return y

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        x, y = context.saved_tensors
        spread = np.zeros(x.shape, np.float32)
        unseen = np.ones(y.shape, np.bool_)
        for (_, _, seen), (_, _, part) in zip(
            context.where.slices(x.numpy(), 0), context.where.slices(spread, 0), strict=True
        ):
            largest = unseen & (seen == y.numpy())
            _where(largest, gradient, part)
            unseen &= ~largest
        return torch.from_numpy(spread), None


def _where(kept: npt.NDArray[np.bool_], x: torch.Tensor, out: npt.NDArray[Any]) -> None:
    """All bits of a number, or none of them: a product with 0 would leave a sign."""
    mask = -kept.view(np.int8)
    np.bitwise_and(x.numpy().view(np.int32), mask, out=out.view(np.int32))


_relu: Callable[[torch.Tensor], torch.Tensor] = _Relu.apply
_max_pool: Callable[[torch.Tensor, Window], torch.Tensor] = _MaxPool.apply
