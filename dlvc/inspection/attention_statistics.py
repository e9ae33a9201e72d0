"""What attention weights say, as pure functions of the weights: no model is needed here, and nothing is changed.

Weights are floats (..., heads, N, N) from `attention_maps`: entry [i, j] of the last two axes is the share
that token i takes from token j, so each row sums to 1. None of these numbers shows by itself why a model decided as it
did (Jain and Wallace 2019): they leave out the values, the two-layer networks and the class.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ROW_SUM_ERROR = 1e-2  # what rounding to bfloat16 (8 bits) can add up to in a row


def attention_rollout(weights: Tensor) -> Tensor:
    """How the tokens mix through the layers: (B, L, N, N) for `weights` (B, L, heads, N, N), after each layer.

    Entry [b, l, i, j] is the share of input token j in token i after layer l, if each layer passed half of each token
    on unchanged (its residual connection) and mixed the other half by the mean of its heads. Each row sums to 1.
    Source: Abnar and Zuidema 2020, section 3. The maximum over heads and the removal of small weights that some
    programs offer are not in the paper and not here.
    """
    check_weights(weights)
    if weights.ndim != 5:
        raise ValueError(
            f"rollout needs the weights of all layers, (B, layers, heads, N, N); got {tuple(weights.shape)}. "
            "For one image use weights[None]."
        )
    identity = torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)
    mixed = identity.expand(len(weights), -1, -1)
    steps = []
    for layer in (0.5 * weights.mean(dim=2) + 0.5 * identity).unbind(dim=1):
        mixed = layer @ mixed  # a later layer acts on what the earlier ones made: from the left
        steps.append(mixed)
    return torch.stack(steps, dim=1)


def attention_entropy(weights: Tensor) -> Tensor:
    """How spread out each head looks, in bits: (..., heads), the mean over queries of each row's entropy.

    0: each query looks at one token. log2(N), 6 bits for 64 tokens: all tokens alike. 2 to this power is the number of
    tokens that a query looks at, if it looked at them equally. Source: Shannon 1948, section 6.
    """
    check_weights(weights)
    return torch.special.entr(weights).sum(dim=-1).mean(dim=-1) / math.log(2)


def attention_distance(
    weights: Tensor, *, patch_grid: tuple[int, int], patch_size: int, class_token: bool
) -> Tensor:
    """How far each head looks, in pixels: (..., heads), the mean distance between a query's patch and what it looks at.

    Distances are between the middles of patches, weighted by attention, and averaged over the queries. A class token
    has no place: it is left out as query and as key, and the rows are made to sum to 1 again; a query with no attention
    on patches at all is left out, and the result is nan if none is left.
    Source: Dosovitskiy et al. 2021, figure 7 (right).
    Raises ValueError if the grid does not fit the weights.
    """
    check_weights(weights)
    rows, columns = patch_grid
    if weights.shape[-1] != rows * columns + class_token:
        extra = " and the class token" if class_token else ""
        raise ValueError(
            f"{rows} x {columns} patches{extra} make {rows * columns + class_token} tokens; the weights are for "
            f"{weights.shape[-1]}. Take patch_grid and class_token from the recording."
        )
    if class_token:
        weights = weights[..., 1:, 1:]
    middles = patch_middles(patch_grid, patch_size).to(weights)
    distances = torch.cdist(middles, middles)  # (patches, patches)
    on_patches = weights.sum(dim=-1)  # (..., heads, patches)
    return ((weights * distances).sum(dim=-1) / on_patches).nanmean(dim=-1)


def patch_middles(patch_grid: tuple[int, int], patch_size: int) -> Tensor:
    """The middle of each patch as (down, right) in pixels, (patches, 2), row by row as the tokens are."""
    rows, columns = patch_grid
    if min(rows, columns, patch_size) < 1:
        raise ValueError(
            f"patch_grid and patch_size count from 1; got {rows} x {columns} patches of {patch_size} pixels."
        )
    down, right = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return (torch.stack((down, right), dim=-1).flatten(0, 1) + 0.5) * patch_size


def sink_mass(weights: Tensor) -> Tensor:
    """How much of all attention one token draws: (..., heads), the largest share, averaged over queries, of any key.

    1 / N: no token draws more than another. Near 1: all queries look at one token, a sink.
    The word is that of Xiao et al. 2024 (arXiv 2309.17453).
    """
    check_weights(weights)
    return weights.mean(dim=-2).amax(dim=-1)


def check_weights(weights: Tensor) -> None:
    """Raise ValueError unless `weights` is a float tensor (..., heads, N, N) of shares whose rows sum to 1."""
    if not isinstance(weights, Tensor) or not weights.is_floating_point():
        kind = weights.dtype if isinstance(weights, Tensor) else type(weights).__name__
        raise ValueError(
            f"weights must be a float tensor (..., heads, N, N); got {kind}. Take them from attention_maps."
        )
    if weights.ndim < 3 or weights.shape[-1] != weights.shape[-2] or not weights.numel():
        raise ValueError(
            f"weights must have shape (..., heads, N, N), one row and one column a token; got {tuple(weights.shape)}. "
            "For one head's map use weights[None]."
        )
    sums = weights.sum(dim=-1, dtype=torch.float64)
    # Written so that nan fails too.
    if not ((weights >= 0).all() and ((sums - 1).abs() <= ROW_SUM_ERROR).all()):
        raise ValueError(
            "weights must be finite, from 0 up, and sum to 1 in each row; "
            f"got a smallest weight of {weights.min().item():.3g} and row sums from {sums.min().item():.3g} to "
            f"{sums.max().item():.3g}. Take the weights as attention_maps gives them, with all keys of a query."
        )
