"""Attention maps out of a vision transformer, without a flag in the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dlvc.checks import check_kind
from dlvc.models.normalize import check_pixels, to_float
from dlvc.models.vit import SelfAttention, VisionTransformer


@contextmanager
def recorded_inputs(model: VisionTransformer) -> Iterator[list[tuple[SelfAttention, Tensor]]]:
    """Inside, each forward pass adds (attention layer, its input (B, N, D)) to the list given out; then it stops."""
    inputs: list[tuple[SelfAttention, Tensor]] = []

    def record(layer: SelfAttention, arguments: tuple[Tensor]) -> None:
        inputs.append((layer, arguments[0]))

    hooks = [block.attention.register_forward_pre_hook(record) for block in model.blocks]
    try:
        yield inputs
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def attention_maps(model: VisionTransformer, images: Tensor) -> Tensor:
    """Weights (B, depth, heads, N, N), float32 on the CPU: entry [b, l, h, i, j] is what token i takes from token j.

    `images` (B, 3, H, W) as for `training.predict`. N is the number of patches, row by row; with a class token it comes
    first and N is one more. Each row sums to 1. The model ends in evaluation mode.
    """
    check_kind("model", model, VisionTransformer, "Only a vision transformer has attention.")
    check_pixels(images)
    model.eval()
    with recorded_inputs(model) as inputs:
        model(to_float(images.to(next(model.parameters()).device)))
    return (
        torch.stack([layer.attention_weights(tokens) for layer, tokens in inputs], dim=1)
        .float()
        .cpu()
    )
