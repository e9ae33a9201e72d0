"""Attention out of a vision transformer, without a flag in the model: weights, class relevance, silenced heads.

Two ways to look. Observing computes the weights beside the model, whose scores stay the same bits. Making them explicit
puts the weights into the computation, so that a gradient with respect to them exists. Both are hooks that are gone
afterwards; the model's mode, gradients and random numbers stay as they were.
Tokens are the patches row by row; a class token comes first if there is one. Letters in shapes: B images, L layers,
H heads, N tokens, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from dlvc.data import check_pixels
from dlvc.inspection.attention_statistics import attention_rollout
from dlvc.inspection.forward import evaluation_mode, to_input
from dlvc.models import SelfAttention, VisionTransformer
from dlvc.training import model_device

# In silenced_probabilities, where an image becomes up to 1 + L * H rows of the batch.
IMAGES_AT_ONCE = 8


@dataclass(frozen=True, eq=False)
class AttentionRecording:
    """What `record_attention` read off a model for B images, float32 on the CPU.

    weights (B, L, H, N, N): [b, l, h, i, j] is the share that token i takes from token j; rows sum to 1.
    rollout (B, L, N, N): the share of input token j in token i after each layer, `attention_rollout`.
    relevance (B, C, patches): each patch's share of the attention that speaks for a class, `class_relevance` as shares.
    probabilities (B, C), and silenced (B, L, H, C): the same without one head.
    patch_grid: rows and columns of the patches. patch_size: a patch's side in pixels of the image.
    class_token: whether token 0 is the class token, and N is one more than there are patches.
    """

    weights: Tensor
    rollout: Tensor
    relevance: Tensor
    probabilities: Tensor
    silenced: Tensor
    patch_grid: tuple[int, int]
    patch_size: int
    class_token: bool


def record_attention(model: VisionTransformer, images: Tensor) -> AttentionRecording:
    """All the viewer shows of `model` for a few `images` (B, 3, H, W), uint8 or float; also between training epochs.

    Raises TypeError for another or a compiled model, ValueError for images that the model does not take.
    """
    check_model(model)
    with torch.autocast(model_device(model).type, enabled=False):
        weights = attention_maps(model, images)
        relevance = class_relevance(model, images)
        silenced = silenced_probabilities(model, images)
        with evaluation_mode(model), torch.no_grad():
            probabilities = model(to_input(model, images)).softmax(dim=-1)
    return AttentionRecording(
        weights=weights,
        rollout=attention_rollout(weights),
        relevance=relevance_shares(model, relevance),
        probabilities=probabilities.float().cpu(),
        silenced=silenced,
        patch_grid=patch_grid(model),
        patch_size=model.patch_embedding.patch_size,
        class_token=model.class_token is not None,
    )


def attention_maps(
    model: VisionTransformer,
    images: Tensor,
    *,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
) -> Tensor:
    """Weights (B, L, H, N, N), float32 on the CPU: entry [b, l, h, i, j] is the share that token i takes from token j.

    `images` (B, 3, H, W), uint8 or float. `layers` and `heads` name those wanted, from 0; None takes all.
    Each row sums to 1. At 65 tokens and 8 heads a layer takes 35 MB for 256 images.
    Raises TypeError for another or a compiled model, ValueError for layers or heads that do not exist.
    """
    check_model(model)
    check_pixels(images)
    layers = numbers_of("layers", layers, len(model.blocks))
    heads = numbers_of("heads", heads, model.blocks[0].attention.num_heads)
    with evaluation_mode(model), torch.no_grad(), observed_attention(model, layers, heads) as seen:
        model(to_input(model, images))
    return torch.stack([seen[layer] for layer in layers], dim=1)


@contextmanager
def observed_attention(
    model: VisionTransformer, layers: Sequence[int], heads: Sequence[int]
) -> Iterator[dict[int, Tensor]]:
    """Inside, the dict given out holds each layer's weights (B, H, N, N) of the last forward pass, on the CPU.

    They come from the queries and keys that the model itself computes, in its own number format; the softmax is done in
    float32. The model's own computation is not touched.
    """
    seen: dict[int, Tensor] = {}

    @torch.no_grad()
    def observe(number: int, layer: SelfAttention, inputs: tuple[Tensor], _: Tensor) -> None:
        query, key, _ = layer.split_heads(inputs[0])  # before autocast is turned off
        query, key = query[:, heads].float(), key[:, heads].float()
        with torch.autocast(query.device.type, enabled=False):
            scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5
            seen[number] = scores.softmax(dim=-1).cpu()

    with ExitStack() as hooks:
        for number in layers:
            attention = model.blocks[number].attention
            hooks.enter_context(attention.register_forward_hook(partial(observe, number)))
        yield seen


@contextmanager
def explicit_attention(model: VisionTransformer) -> Iterator[dict[int, Tensor]]:
    """Inside, each layer's output is computed from `attention_weights`, which the dict given out keeps for gradients.

    The dict has the weights (B, H, N, N) of each layer in the last forward pass, on the model's device. The scores
    equal those of the fused function up to rounding. Run the model with gradients enabled to differentiate by weights.
    """
    weights_by_layer: dict[int, Tensor] = {}

    def replace(number: int, layer: SelfAttention, inputs: tuple[Tensor], _: Tensor) -> Tensor:
        weights = layer.attention_weights(inputs[0])
        if torch.is_grad_enabled() and not weights.requires_grad:
            weights.requires_grad_()  # all parameters are frozen
        weights_by_layer[number] = weights
        value = layer.split_heads(inputs[0])[2]
        return layer.projection((weights @ value).transpose(1, 2).flatten(2))

    with ExitStack() as hooks:
        for number, block in enumerate(model.blocks):
            hooks.enter_context(block.attention.register_forward_hook(partial(replace, number)))
        yield weights_by_layer


def class_relevance(
    model: VisionTransformer, images: Tensor, classes: Sequence[int] | None = None
) -> Tensor:
    """How attention carries each class's score from the input tokens: (B, C, N, N), float32 on the CPU.

    R starts as the identity, and each layer adds to it: R <- R + mean over heads of (gradient * A)+ @ R, with A the
    layer's weights, the gradient that of the class's score (before the softmax), and + setting negatives to 0.
    `classes` are numbers from 0; None takes all. One forward pass, and one backward pass a class; the parameters' .grad
    is not touched. The identity stands for the residual connections, as in the paper; a model without them gets the
    same rule.
    Source: Chefer et al. 2021 (arXiv 2103.15679), equations 5 and 6.
    Raises TypeError for another or a compiled model, ValueError for classes that do not exist.
    """
    check_model(model)
    classes = numbers_of("classes", classes, model.head.out_features)
    # Also inside no_grad, inference_mode and autocast.
    with (
        evaluation_mode(model),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(model_device(model).type, enabled=False),
        explicit_attention(model) as weights_by_layer,
    ):
        scores = model(to_input(model, images).clone())
        weights = [weights_by_layer[layer] for layer in range(len(model.blocks))]
        relevances = []
        for number in classes:
            # Images do not see each other, so the gradient of the sum holds that of each image.
            gradients = torch.autograd.grad(scores[:, number].sum(), weights, retain_graph=True)
            relevances.append(relevance_from(weights, gradients))
    return torch.stack(relevances, dim=1).float().cpu()


@torch.no_grad()
def relevance_from(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """R (B, N, N) from each layer's weights and gradients (B, H, N, N), first layer first: see `class_relevance`."""
    first = weights[0]
    relevance = torch.eye(first.shape[-1], dtype=first.dtype, device=first.device)
    relevance = relevance.expand(len(first), -1, -1)
    for weight, gradient in zip(weights, gradients, strict=True):
        relevance = relevance + (gradient * weight).clamp(min=0).mean(dim=1) @ relevance
    return relevance


def readout_row(model: VisionTransformer, matrices: Tensor) -> Tensor:
    """What the classifier reads of `matrices` (..., N, N): one number a patch, (..., patches).

    With a class token its row, without its own column; else the mean over the rows of all patches.
    Raises ValueError if the matrices are not for this model's tokens.
    """
    check_model(model)
    rows, columns = patch_grid(model)
    tokens = rows * columns + (model.class_token is not None)
    if matrices.shape[-2:] != (tokens, tokens):
        raise ValueError(
            f"this model has {tokens} tokens, so matrices must be (..., {tokens}, {tokens}); "
            f"got {tuple(matrices.shape)}. Take maps, rollout or relevance of the same model."
        )
    if model.class_token is None:
        return matrices.mean(dim=-2)
    return matrices[..., 0, 1:]


def relevance_shares(model: VisionTransformer, relevance: Tensor) -> Tensor:
    """Each patch's share (..., patches) of what is read of `relevance` (..., N, N); sums to 1.

    The identity that relevance starts from is subtracted first: with mean pooling it would add the same to each patch.
    All zeros where nothing speaks for the class.
    """
    identity = torch.eye(relevance.shape[-1], dtype=relevance.dtype, device=relevance.device)
    # Rounding can leave a little less than the identity on the diagonal.
    read = readout_row(model, (relevance - identity).clamp(min=0))
    total = read.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, read / total, 0.0)


@torch.no_grad()
def silenced_probabilities(
    model: VisionTransformer, images: Tensor, means: Tensor | None = None
) -> Tensor:
    """Class probabilities without one head, (B, L, H, C), float32 on the CPU: [b, l, h] is without head h of layer l.

    Silencing sets the head's output to zero before the projection, which no later layer has met, or to its mean over
    many images: `means` (L, N, D) of `mean_head_outputs`. The layer's other heads stay as they are, all that follows is
    computed anew. Source: Michel et al. 2019, section 2.3.
    Raises TypeError for another or a compiled model, ValueError for images that the model does not take.
    """
    check_model(model)
    with evaluation_mode(model), torch.autocast(model_device(model).type, enabled=False):
        parts = to_input(model, images).split(IMAGES_AT_ONCE)
        return torch.cat([_silence_each_head(model, part, means) for part in parts]).float().cpu()


@torch.no_grad()
def mean_head_outputs(model: VisionTransformer, images: Tensor) -> Tensor:
    """The mean over `images` of what the heads of each layer give out, side by side, (L, N, D), float32 on the CPU.

    Raises TypeError for another or a compiled model.
    """
    check_model(model)
    sums: list[Tensor | float] = [0.0] * len(model.blocks)

    def add(layer: int, _: nn.Module, arguments: tuple[Tensor]) -> None:
        sums[layer] = sums[layer] + arguments[0].sum(dim=0)

    with ExitStack() as contexts:
        contexts.enter_context(evaluation_mode(model))
        contexts.enter_context(torch.autocast(model_device(model).type, enabled=False))
        for layer, block in enumerate(model.blocks):
            projection = block.attention.projection
            contexts.enter_context(projection.register_forward_pre_hook(partial(add, layer)))
        for part in to_input(model, images).split(100):
            model(part)
    return (torch.stack(sums) / len(images)).float().cpu()


def _silence_each_head(model: VisionTransformer, images: Tensor, means: Tensor | None) -> Tensor:
    """One forward pass whose batch grows: at each block H copies of the intact images join, one for each silenced head.

    So a head costs only the layers from its own on. The batch ends as (1 + L * H) groups of B rows.
    """
    count, heads = len(images), model.blocks[0].attention.num_heads

    def add_copies(_: nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor]:
        tokens = arguments[0]
        return (torch.cat((tokens, tokens[:count].repeat(heads, 1, 1))),)

    def silence(layer: int, _: nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor]:
        mixed = arguments[0].unflatten(-1, (heads, -1)).clone()  # (rows, N, H, D / H)
        copies = mixed[-heads * count :].unflatten(0, (heads, count))  # (H, B, N, H, D / H)
        silent = torch.zeros_like(mixed[0]) if means is None else means[layer].to(mixed)
        silent = silent.view_as(mixed[0])  # (N, H, D / H)
        for head in range(heads):
            copies[head, :, :, head] = silent[:, head]
        return (mixed.flatten(-2),)

    with ExitStack() as hooks:
        for layer, block in enumerate(model.blocks):
            hooks.enter_context(block.register_forward_pre_hook(add_copies))
            projection = block.attention.projection
            hooks.enter_context(projection.register_forward_pre_hook(partial(silence, layer)))
        probabilities = model(images).softmax(dim=-1)
    layers = len(model.blocks)
    silenced = probabilities[count:].unflatten(0, (layers, heads, count))  # (L, H, B, C)
    return silenced.permute(2, 0, 1, 3)


def patch_grid(model: VisionTransformer) -> tuple[int, int]:
    """Rows and columns of the patches of an image."""
    side = model.image_size // model.patch_embedding.patch_size
    return side, side


def check_model(model: nn.Module) -> None:
    """Raise TypeError unless `model` is a VisionTransformer whose hooks work: not a compiled one."""
    if hasattr(model, "_orig_mod"):  # what torch.compile returns
        raise TypeError(
            "hooks do not work reliably in a compiled model; pass the one that was given to torch.compile "
            "(they share their weights)."
        )
    if not isinstance(model, VisionTransformer):
        raise TypeError(
            f"attention is read from a VisionTransformer of dlvc.models; got {type(model).__name__}. "
            "For convolutional networks use dlvc.inspection.grad_cam."
        )
    if any(getattr(layer, "_compiled_call_impl", None) for layer in model.modules()):
        raise TypeError(
            "hooks do not work reliably in a model compiled in place; build it again with the same options and "
            "load its state_dict()."
        )


def numbers_of(name: str, numbers: Sequence[int] | None, count: int) -> list[int]:
    """`numbers` as a list, or all from 0 to `count` - 1 for None; ValueError in words for any that does not exist."""
    if numbers is None:
        return list(range(count))
    numbers = [numbers] if isinstance(numbers, int) else list(numbers)
    wrong = [number for number in numbers if number not in range(count)]
    if wrong or not numbers:
        came = ", ".join(map(str, wrong)) if wrong else "none"
        raise ValueError(
            f"{name} are numbers from 0 to {count - 1}, at least one; got {came}. Leave {name} out for all."
        )
    return [int(number) for number in numbers]
