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
    lap: Callable[[str], object] | None = None,
) -> tuple[Tensor, Tensor]:
    """The loss () and the logits (B, C) of one step on `images` (B, 3, H, W) in [0, 1] and `labels` (B,), detached.

    No batch is made and nothing is counted: forward, loss, backward, optimizer. `lap` is called with "forward",
    "backward" and "optimizer" when that part is over; on a GPU it is then only queued.
    """
    lap = lap or (lambda part: None)
    optimizer.zero_grad(set_to_none=True)
    with autocast(images.device, precision):
        logits = model(images).float()
        value = loss(logits, labels)
    lap("forward")
    value.backward()
    lap("backward")
    optimizer.step()
    lap("optimizer")
    return value.detach(), logits.detach()
