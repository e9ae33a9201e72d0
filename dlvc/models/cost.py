"""What a model costs: its parameters, and the multiply-adds for one image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class OperationCounter(TorchDispatchMode):
    """The `total` of operations that this thread computes inside; a multiplication and an addition are two.

    torch's own FlopCounterMode, whose formulas these are, hooks into the modules of all threads: a training in another
    one would be counted, and slowed down.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def describe_model(model: nn.Module, split: Sequence[tuple[Tensor, int]]) -> dict[str, int]:
    """The number of parameters, of parameters that are trained, and of multiply-adds for an image of `split`."""
    image = split[0][0][None].to(next(chain(model.parameters(), model.buffers())).device)
    model.eval()
    # As matrix products: for attention as one operation, which newer versions of torch take here, there is no formula.
    with sdpa_kernel(SDPBackend.MATH), OperationCounter() as counter, torch.no_grad():
        model(image)
    parameters = list(model.parameters())
    return {
        "parameters": sum(weight.numel() for weight in parameters),
        "trained_parameters": sum(weight.numel() for weight in parameters if weight.requires_grad),
        "multiply_adds": counter.total // 2,
    }
