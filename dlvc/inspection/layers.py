"""What happens in each layer: gradients, activations, and how different the tokens still are.

Each function leaves weights, gradients, modes and hooks of the model as they were.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from dlvc.inspection.forward import evaluation_mode, to_input
from dlvc.models import VisionTransformer

WEIGHT_LAYERS = (nn.Conv2d, nn.Linear)


class LayerGradient(NamedTuple):
    """The gradient of one layer's weights: its root mean square, and the same as a share of the weights' own."""

    layer: str
    size: float
    relative: float


def gradient_by_layer(model: nn.Module, images: Tensor, labels: Tensor) -> list[LayerGradient]:
    """The gradient of the mean cross-entropy on a batch, for each convolution and linear layer from input to output.

    images (B, 3, H, W), uint8 or floats in [0, 1]; labels (B,). In the mode that the model is in: batch normalisation
    in training uses the batch, which is what the first step of a training does. Its running averages do not move.
    """
    named = [
        (name, layer) for name, layer in model.named_modules() if isinstance(layer, WEIGHT_LAYERS)
    ]
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    with torch.enable_grad():
        scores = model(to_input(model, images))
        loss = cross_entropy(scores, labels.to(scores.device))
        gradients = torch.autograd.grad(loss, [layer.weight for _, layer in named])
    with torch.no_grad():
        for name, value in model.named_buffers():
            value.copy_(buffers[name])
    rows = []
    for (name, layer), gradient in zip(named, gradients, strict=True):
        size = root_mean_square(gradient)
        rows.append(LayerGradient(name, size, size / root_mean_square(layer.weight.detach())))
    return rows


def root_mean_square(values: Tensor) -> float:
    """The square root of the mean of the squares, in float64: small gradients would vanish in float32."""
    return values.double().square().mean().sqrt().item()


class LayerActivation(NamedTuple):
    """What one ReLU gets and lets through. dead: the share of its units that are 0 on every image and place."""

    layer: str
    mean: float
    deviation: float
    zero: float
    dead: float


@torch.no_grad()
def activation_by_layer(model: nn.Module, images: Tensor) -> list[LayerActivation]:
    """For each ReLU, in the order in which they act: mean and standard deviation of its input, zero and dead outputs.

    A unit is a channel of a feature map, or one value of a vector. In evaluation mode, images as for a prediction.
    Raises ValueError if the model has no nn.ReLU.
    """
    activations: list[LayerActivation] = []

    def note(name: str, _: nn.Module, inputs: tuple[Tensor]) -> None:
        (values,) = inputs
        others = [axis for axis in range(values.ndim) if axis != 1]
        positive = values > 0
        activations.append(
            LayerActivation(
                name,
                values.mean().item(),
                values.std().item(),
                1 - positive.float().mean().item(),
                1 - positive.amax(dim=others).float().mean().item(),
            )
        )

    relus = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.ReLU)]
    if not relus:
        raise ValueError(
            f"{type(model).__name__} has no nn.ReLU to look at. Give a CNN of this workbook."
        )
    with evaluation_mode(model), ExitStack() as hooks:
        for name, layer in relus:
            hooks.enter_context(layer.register_forward_pre_hook(partial(note, name)))
        model(to_input(model, images))
    return activations


@torch.no_grad()
def tokens_by_block(model: VisionTransformer, images: Tensor) -> list[Tensor]:
    """The tokens (B, N, D) before the first block and after each, in evaluation mode."""
    tokens: list[Tensor] = []
    first = model.blocks[0]
    with evaluation_mode(model), ExitStack() as hooks:
        hooks.enter_context(first.register_forward_pre_hook(lambda _, given: tokens.append(*given)))
        for block in model.blocks:
            hook = block.register_forward_hook(lambda _, __, output: tokens.append(output))
            hooks.enter_context(hook)
        model(to_input(model, images))
    return tokens


def token_similarity(tokens: Tensor) -> Tensor:
    """The mean cosine similarity between two different tokens of an image, (...) for tokens (..., N, D).

    1 if all tokens point the same way, about 0 if they have nothing in common.
    """
    directions = normalize(tokens.double(), dim=-1)
    count = tokens.shape[-2]
    total = directions.sum(dim=-2).square().sum(dim=-1)  # over all pairs; a token with itself has 1
    return (total - count) / (count * (count - 1))


def effective_rank(tokens: Tensor) -> Tensor:
    """How many different directions the tokens (..., N, D) of an image take: (...), from 1 to min(N, D).

    The exponential of the entropy of the singular values, as shares of their sum: k equal ones give k.
    Source: Roy and Vetterli 2007, "The effective rank".
    """
    values = torch.linalg.svdvals(tokens.double())
    shares = values / values.sum(dim=-1, keepdim=True)
    return torch.special.entr(shares).sum(dim=-1).exp()
