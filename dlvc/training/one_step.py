"""One step of an optimizer on a batch that lies there: what is measured wherever the length of a step counts."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from dlvc.training.device import autocast


def bare_step(
    model: nn.Module,
    optimizer: Optimizer,
    images: Tensor,
    labels: Tensor,
    *,
    precision: str = "float32",
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> tuple[Tensor, Tensor]:
    """The loss () and the logits (B, C) of one step on `images` (B, 3, H, W) in [0, 1] and `labels` (B,), detached.

    No batch is made and nothing is counted: forward, loss, backward, optimizer.
    """
    optimizer.zero_grad(set_to_none=True)
    with autocast(images.device, precision):
        logits = model(images).float()
        value = loss(logits, labels)
    value.backward()
    optimizer.step()
    return value.detach(), logits.detach()
