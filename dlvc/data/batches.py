"""Batches of a training: which images each has, and the images themselves, cut out and augmented."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dlvc.config import TrainConfig
from dlvc.data.augment import Draws, crop_and_mirror

IMAGES_AHEAD = 512  # cut out and augmented at once; 256 to 2,048 made no difference beyond noise


def prepare_batches(
    images: Tensor, labels: Tensor, indices: list[Tensor], draws: Draws, config: TrainConfig
) -> Iterator[tuple[Tensor, Tensor]]:
    """For each of `indices` (B,) its augmented images (B, 3, H, W) uint8 and labels (B,).

    Several batches are cut out and augmented at once: for a small model, starting these operations anew for each batch
    took about a twentieth of its step. What each image becomes does not depend on that.
    """
    at_once = max(1, IMAGES_AHEAD // config.batch_size)
    for start in range(0, len(indices), at_once):
        group = indices[start : start + at_once]
        index = torch.cat(group)
        # index_select copies whole images; images[index] would look up each pixel, eight times as slow on a CPU.
        batch, targets = images.index_select(0, index), labels[index]
        if config.augmentation == "crop-and-mirror":
            batch = crop_and_mirror(batch, draws.take(index), padding=config.largest_shift)
        sizes = [len(chunk) for chunk in group]
        yield from zip(batch.split(sizes), targets.split(sizes), strict=True)


def split_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """An order (N,), or anything in it (N, ...), in batches; a last batch of a single image joins the one before it.

    Batch normalisation cannot train on one image: it has no variance.
    """
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
