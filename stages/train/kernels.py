"""Which of torch's kernels run: those that give the same bits on every x86-64 CPU."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from octet.errors import OctetError
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
    return _relu(x) if x.device.type == "cpu" else functional.relu(x)


class _Relu(torch.autograd.Function):
    """Its gradient by NumPy: the kernel of torch that every CPU has takes 20 times as long."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(x)
        context.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        (y,) = context.saved_tensors
        # All bits, or none of them: a product with 0 would leave a sign.
        kept = (y.numpy() <= 0).view(np.int8) - np.int8(1)
        clipped = np.empty(y.shape, np.float32)
        np.bitwise_and(gradient.numpy().view(np.int32), kept, out=clipped.view(np.int32))
        return torch.from_numpy(clipped)


_relu: Callable[[torch.Tensor], torch.Tensor] = _Relu.apply
