"""Changes to a training that no setting makes: a penalty, a rise of the learning rate, another start of the weights.

`changed(model, {name: strength, ...})` makes them, with the names of `CHANGES`; inside it the model is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from dlvc.models import VisionTransformer


@contextmanager
def l1_penalty(model: nn.Module, strength: float) -> Iterator[None]:
    """Inside, each step of an optimizer of `model` is followed by the step that an L1 penalty on its weights asks for.

    The step moves each weight by learning rate times `strength` towards 0, and stops there: this makes exact zeros,
    where a penalty in the loss would make small numbers that change their sign.
    Source: Beck and Teboulle 2009, "A fast iterative shrinkage-thresholding algorithm", equation 1.5.
    """
    own = {id(weight) for weight in model.parameters() if weight.ndim > 1}

    @torch.no_grad()
    def shrink(optimizer: Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for weight in group["params"]:
                if id(weight) in own:
                    rest = weight.abs() - group["lr"] * strength
                    weight.copy_(weight.sign() * rest.clamp(min=0))

    hook = register_optimizer_step_post_hook(shrink)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def warm_up(model: nn.Module, steps: float) -> Iterator[None]:
    """Inside, the learning rate of an optimizer of `model` rises linearly over so many steps to what is set for it.

    The loop sets a group's learning rate anew before each step.
    Source: Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2, arXiv:1706.02677.
    """
    own = {id(weight) for weight in model.parameters()}
    step = 0

    def rise(optimizer: Optimizer, *_: Any) -> None:
        nonlocal step
        if id(optimizer.param_groups[0]["params"][0]) in own:
            step += 1
            for group in optimizer.param_groups:
                group["lr"] *= min(1.0, step / steps)

    hook = register_optimizer_step_pre_hook(rise)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def larger_start(model: VisionTransformer, factor: float) -> Iterator[None]:
    """Inside, the weights of the blocks' linear layers start `factor` times as large as torch draws them.

    torch's have a variance of 1 / (3 inputs), so the square root of 3 lets a layer keep the variance of its input.
    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6.
    """
    with torch.no_grad():
        for layer in model.blocks.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(factor)
    yield


@contextmanager
def identity_attention(model: VisionTransformer, strength: float) -> Iterator[None]:
    """Inside, each token starts by attending to itself and to those like it, and its value is the token itself.

    Queries and keys are the same rotation of a token, times `strength`; the projection turns the values' rotation back.
    So blocks without residual connections begin with the tokens still apart.
    Source: Trockman and Kolter 2023, arXiv:2305.09828, where query times key is about the identity, too; there, with
    residual connections, value times projection is its negative. That such a start can stand in for residual
    connections: He et al. 2023, arXiv:2302.10322, and for ViTs Ji et al. 2025, arXiv:2510.00345.
    """
    with torch.no_grad():
        for block in model.blocks:
            joint, projection = block.attention.query_key_value, block.attention.projection
            # Of the weights that were drawn, so each seed has its own.
            rotation, _, turn = (torch.linalg.qr(part).Q for part in joint.weight.chunk(3))
            joint.weight.copy_(torch.cat((strength * rotation, strength * rotation, turn)))
            projection.weight.copy_(turn.T)
            joint.bias.zero_()
            projection.bias.zero_()
    yield


CHANGES = {
    "l1": l1_penalty,
    "warm_up": warm_up,
    "larger_start": larger_start,
    "identity_attention": identity_attention,
}


@contextmanager
def changed(model: nn.Module, changes: Mapping[str, float]) -> Iterator[None]:
    """Inside, all of `changes` are made to `model` and its training, by name with their strengths."""
    with ExitStack() as stack:
        for name, strength in changes.items():
            stack.enter_context(CHANGES[name](model, strength))
        yield
