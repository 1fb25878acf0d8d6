"""Which of torch's kernels run: those that give the same bits on every x86-64 CPU."""

import torch

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
