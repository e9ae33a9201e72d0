"""Is a map an explanation? Tests that a map over an image's patches has to pass.

A map gives each patch a number, (B, patches) row by row, wherever it comes from: relevance, rollout, Grad-CAM, chance.
Deletion asks whether the model needs the patches with high numbers; `share_on_object` whether they lie on the object;
`randomized` with `rank_correlation` whether the map depends on what was learnt at all. None of them alone decides:
hidden patches make images the model has never seen, and a model may rightly use the background.
Letters in shapes: B images, C classes.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from dlvc.arguments import check_choice, check_whole
from dlvc.data import to_float
from dlvc.inspection.forward import check_classes, evaluation_mode
from dlvc.models import VisionTransformer
from dlvc.training import model_device, predict

ORDERS = ("highest first", "lowest first", "random")
FILLS = ("mean", "black", "shuffled")


@dataclass(frozen=True, eq=False)
class DeletionCurve:
    """What `deletion_curve` measured, on the CPU.

    hidden (steps + 1,): the share of patches hidden, 0 to 1. probability (B, steps + 1): the model's for the label.
    area (B,): the area under each curve, the mean probability while hiding. Lower means that what was hidden first was
    needed more.
    """

    hidden: Tensor
    probability: Tensor
    area: Tensor


def deletion_curve(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    scores: Tensor,
    *,
    order: str = "highest first",
    steps: int = 16,
    fill: str = "mean",
    patch_grid: tuple[int, int] | None = None,
    seed: int = 0,
) -> DeletionCurve:
    """The probability of each image's label while its patches are hidden step by step in the order of `scores`.

    images (B, 3, H, W), uint8 or float; labels (B,) int64; scores (B, patches). `order` is "highest first", "lowest
    first" or "random" (other for each image); ties are in random order too, from `seed`. `fill` says what stands in a
    hidden patch: the "mean" colour of the image, "black", or the image's own pixels "shuffled".
    `patch_grid` is rows and columns; None takes as many of each. The model stays in its mode.
    Source: Petsiuk et al. 2018, section 3.2 (deletion); Samek et al. 2017, section III, for the comparison with random.
    Raises ValueError for other shapes, names or numbers of steps.
    """
    patch_grid = patch_grid or _square_grid(scores)
    check_choice("order", order, ORDERS)
    check_choice("fill", fill, FILLS)
    _check_deletion(images, labels, scores, steps, patch_grid)
    scores = scores.detach().cpu().float()
    generator = torch.Generator().manual_seed(seed)
    rank = _deletion_rank(scores, order, generator)
    images = to_float(images.cpu())
    filling = _filling(images, fill, generator)
    patches = scores.shape[1]
    counts = torch.linspace(0, patches, steps + 1).round()
    probabilities = []
    with evaluation_mode(model):
        for count in counts.tolist():
            hidden = _to_pixels(rank < count, patch_grid, images)
            logits = predict(model, torch.where(hidden, filling, images))
            check_classes("labels", labels, logits)
            probabilities.append(logits.softmax(dim=1).gather(1, labels.cpu()[:, None])[:, 0])
    shares, probability = counts / patches, torch.stack(probabilities, dim=1)
    return DeletionCurve(shares, probability, torch.trapezoid(probability, shares, dim=1))


def _deletion_rank(scores: Tensor, order: str, generator: torch.Generator) -> Tensor:
    """When each patch is hidden, (B, patches) from 0 on."""
    chance = torch.rand(scores.shape, generator=generator).argsort(dim=1)
    if order == "random":
        return chance
    # A stable sort of shuffled scores leaves equal ones in the shuffled order: else the first row would always win.
    shuffled = scores.gather(1, chance)
    first = shuffled.argsort(dim=1, descending=order == "highest first", stable=True)
    return chance.gather(1, first).argsort(dim=1)


def _filling(images: Tensor, fill: str, generator: torch.Generator) -> Tensor:
    """What stands where an image is hidden, (B, 3, H, W)."""
    if fill == "black":
        return torch.zeros_like(images)
    if fill == "mean":
        return images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    batch, _, height, width = images.shape
    places = torch.rand(batch, 1, height * width, generator=generator).argsort(dim=2)
    return images.flatten(2).gather(2, places.expand(-1, 3, -1)).view_as(images)


def _to_pixels(patches: Tensor, patch_grid: tuple[int, int], images: Tensor) -> Tensor:
    """Values (B, patches), each repeated for all pixels of its patch: (B, 1, H, W)."""
    rows, columns = patch_grid
    height, width = images.shape[2:]
    pixels = patches.view(-1, 1, rows, columns)
    return pixels.repeat_interleave(height // rows, 2).repeat_interleave(width // columns, 3)


def _square_grid(scores: Tensor) -> tuple[int, int]:
    side = math.isqrt(scores.shape[-1]) if scores.ndim else 0
    if side == 0 or side**2 != scores.shape[-1]:
        raise ValueError(
            f"scores of shape {tuple(scores.shape)} are not for as many rows as columns of patches. "
            "Give patch_grid=(rows, columns), and leave a class token out (readout_row does)."
        )
    return side, side


def _check_deletion(
    images: Tensor, labels: Tensor, scores: Tensor, steps: int, patch_grid: tuple[int, int]
) -> None:
    patches = patch_grid[0] * patch_grid[1]
    if images.ndim != 4 or not len(images) or tuple(scores.shape) != (len(images), patches):
        raise ValueError(
            f"scores must be (B, patches) for images (B, 3, H, W) and {patch_grid[0]} x {patch_grid[1]} patches; "
            f"got {tuple(scores.shape)} for {tuple(images.shape)}. For a map per class pick one: scores[:, label]."
        )
    if tuple(labels.shape) != (len(images),):
        raise ValueError(
            f"labels must be ({len(images)},), one for each image; got {tuple(labels.shape)}."
        )
    if not scores.isfinite().all():
        raise ValueError("scores must be finite; got nan or infinity, for which there is no order.")
    _check_divides(patch_grid, images.shape[2:])
    check_whole("steps", steps, low=1, high=patches, hint="At most one for each patch.")


def _check_divides(patch_grid: tuple[int, int], size: tuple[int, int]) -> None:
    if size[0] % patch_grid[0] or size[1] % patch_grid[1]:
        raise ValueError(
            f"patch_grid must divide the image; got {patch_grid[0]} x {patch_grid[1]} patches for "
            f"{size[0]} x {size[1]} pixels."
        )


class ObjectShare(NamedTuple):
    """What share of a map lies on the object, and what share of the image the object takes: chance level."""

    of_map: Tensor
    of_area: Tensor


def share_on_object(scores: Tensor, masks: Tensor, patch_grid: tuple[int, int]) -> ObjectShare:
    """How much of each map lies on the object, against the object's share of the area; both (B, ...), float32.

    scores (B, ..., patches), not negative, of any sum; masks (B, H, W), true on the object. A patch counts by the share
    of its pixels that are the object's. nan where a map is zero all over. A map drawn by chance has `of_map` equal to
    `of_area` on average. A map that always lights the middle has more where objects stand in the middle: compare also
    with the maps of other images, share_on_object(scores.roll(1, 0), masks, patch_grid).
    Raises ValueError for other shapes or negative scores.
    """
    rows, columns = patch_grid
    if (
        masks.ndim != 3
        or scores.ndim < 2
        or len(scores) != len(masks)
        or scores.shape[-1] != rows * columns
    ):
        raise ValueError(
            f"scores must be (B, ..., {rows * columns}) for {rows} x {columns} patches and masks (B, H, W); "
            f"got {tuple(scores.shape)} and {tuple(masks.shape)}."
        )
    if not (scores >= 0).all():
        raise ValueError(
            f"scores must be numbers from 0 up, so that a share has a meaning; got {scores.min().item():.3g}. "
            "Take scores.clamp(min=0) to look at what speaks for the class."
        )
    _check_divides(patch_grid, masks.shape[1:])
    coverage = to_patches(masks.float(), patch_grid).to(scores.device)  # (B, patches)
    coverage = coverage.view(len(masks), *[1] * (scores.ndim - 2), -1).expand(scores.shape)
    scores = scores.float()
    return ObjectShare((scores * coverage).sum(dim=-1) / scores.sum(dim=-1), coverage.mean(dim=-1))


def to_patches(
    maps: Tensor, patch_grid: tuple[int, int], span: tuple[float, float] = (0.0, 1.0)
) -> Tensor:
    """Maps (B, h, w) as one number a patch, (B, patches): the mean over the patch of the cells that lie on it.

    A map finer than the patches is averaged, a coarser one repeated. `span` is where its cells lie, from the beginning
    of the first to the end of the last, in shares of the image's side (`cell_span` of a network's layer); beside them
    the map is 0.
    """
    if maps.ndim != 3:
        raise ValueError(f"maps must be (B, h, w); got {tuple(maps.shape)}.")
    shares = [
        _covered(patches, cells, span).to(maps)
        for patches, cells in zip(patch_grid, maps.shape[1:], strict=True)
    ]
    return (shares[0] @ maps @ shares[1].T).flatten(1)


def _covered(patches: int, cells: int, span: tuple[float, float]) -> Tensor:
    """What share of each patch each cell covers, along one side: (patches, cells)."""
    borders = torch.linspace(0, 1, patches + 1, dtype=torch.float64)[:, None]
    edges = torch.linspace(*span, cells + 1, dtype=torch.float64)
    both = torch.minimum(borders[1:], edges[1:]) - torch.maximum(borders[:-1], edges[:-1])
    return patches * both.clamp(min=0)


def randomized(model: nn.Module, seed: int) -> nn.Module:
    """A copy of `model` with new random weights, the same for the same seed on any device; in its mode.

    A map that stays the same shows the image, not what was learnt. Each layer draws as torch does when it makes one, so
    a network that sets other start values of its own (ResNet18) starts a little differently.
    Source: Adebayo et al. 2018, section 3 (all layers at once).
    Raises TypeError for a layer that cannot be drawn anew.
    """
    fresh = copy.deepcopy(model).cpu()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for layer in fresh.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
            elif isinstance(layer, VisionTransformer):
                for parameter in layer.parameters(recurse=False):  # class token, learned positions
                    parameter.normal_(std=0.02)
            elif next(layer.parameters(recurse=False), None) is not None:
                raise TypeError(
                    f"{type(layer).__name__} has parameters and no reset_parameters() to draw them anew."
                )
    return fresh.to(model_device(model))


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of each pair of maps, (...,) float64 for two of (..., patches), from -1 to 1.

    1: the same order of patches. nan where a map is the same all over, which has no order.
    """
    if first.shape != second.shape or first.ndim < 1 or first.shape[-1] < 2:
        raise ValueError(
            "both must be maps (..., patches) of the same shape and at least two patches; "
            f"got {tuple(first.shape)} and {tuple(second.shape)}."
        )
    size = first.shape[-1]
    pairs = (maps.detach().cpu().double().reshape(-1, size).numpy() for maps in (first, second))
    values = [
        float("nan") if np.ptp(one) == 0 or np.ptp(other) == 0 else stats.spearmanr(one, other)[0]
        for one, other in zip(*pairs, strict=True)
    ]
    return torch.tensor(values, dtype=torch.float64).view(first.shape[:-1])
