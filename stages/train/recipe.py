"""How a network is trained: SOAP, with a learning rate that goes up and then down."""

import numpy as np
import torch
from pytorch_optimizer import SOAP
from torch import nn
from tqdm import tqdm

from octet.errors import OctetError
from stages.params.train import Train
from stages.train.batches import Batches
from stages.train.objective import Objective
from stages.train.plots import History

# How often SOAP turns its basis, in steps; and how many steps one row of the history sums up.
_REFRESH = 5
_ROW = 100


def learning_rate(recipe: Train, progress: float) -> float:
    """From a tenth up over the first part of training, then down to 0, both linearly.

    Args:
        recipe: the peak and where it is.
        progress: how much of all steps will be done after this one, above 0 up to 1.
    """
    if progress < recipe.warm_up:
        return recipe.learning_rate * (0.1 + 0.9 * progress / recipe.warm_up)
    return recipe.learning_rate * (1 - progress) / (1 - recipe.warm_up)


def train(
    module: nn.Module, batches: Batches, goal: Objective, recipe: Train, device: torch.device
) -> History:
    """Train a module where it is.

    Raises:
        OctetError: the loss, or a weight at the end, is no longer finite; the message names the
            step.
    """
    optimizer = SOAP(
        module.parameters(),
        lr=recipe.learning_rate,
        weight_decay=0.0,
        precondition_frequency=_REFRESH,
    )
    rows: list[tuple[int, list[float]]] = []
    since: list[list[float]] = []  # loss and accuracy of each step since the last row
    progress = tqdm(batches, desc="train", unit=" batches", disable=None)
    for step, (inputs, truth, counts) in enumerate(progress, 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step / len(batches))
        outputs, wanted = module(inputs.to(device)), truth.to(device)
        loss = goal.loss(outputs, wanted, None if counts is None else counts.to(device))
        if not torch.isfinite(loss):
            raise OctetError(
                f"train: the loss is {loss.item()} at step {step} of {len(batches)}; nothing was "
                "written: lower train.learning_rate"
            )
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        since.append([loss.item(), *goal.accuracy(outputs, wanted)])
        if step % _ROW == 0 or step == len(batches):
            means = np.mean(since, axis=0).tolist()
            rows.append((step, means))
            shown = zip(("loss", "accuracy"), means, strict=False)
            progress.set_postfix({name: f"{mean:.4g}" for name, mean in shown})
            since = []
    # The last step has no loss behind it to tell.
    if not all(bool(torch.all(torch.isfinite(t))) for t in module.state_dict().values()):
        raise OctetError(
            f"train: a weight is not finite after step {len(batches)} of {len(batches)}; nothing "
            "was written: lower train.learning_rate"
        )
    columns = zip(*(means for _, means in rows), strict=True)
    return History(tuple(step for step, _ in rows), *columns)
