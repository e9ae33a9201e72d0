"""Augmentation of a batch of images, on whatever device the batch is.

The random numbers are drawn apart from their use: once an epoch for all images, on the CPU, from (seed, epoch) alone.
So image i gets the same crop in epoch e whatever the batch size, the device or the order.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from dlvc.arguments import check_kind, check_whole

MOST_SEED = 2**31 - 1  # as in TrainConfig
PADDING = 4  # pixels; the usual amount for 32 x 32 images since He et al. 2015, section 4.2


class Draws(NamedTuple):
    """Random numbers for N images: where to cut (0 ... 2 * padding) and whether to mirror."""

    rows: Tensor  # (N,) int64
    columns: Tensor  # (N,) int64
    mirrored: Tensor  # (N,) bool

    def take(self, index: Tensor) -> Draws:
        """The draws of the images at `index` (B,)."""
        return Draws(self.rows[index], self.columns[index], self.mirrored[index])

    def to(self, device: torch.device) -> Draws:
        """The same draws on `device`."""
        return Draws(*(numbers.to(device) for numbers in self))


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """A random generator that depends on (seed, epoch) alone. `epoch` counts from 1 and stays below 100,003.

    Raises ValueError for a seed or an epoch outside of its range.
    """
    check_whole("seed", seed, low=0, high=MOST_SEED, hint="Try 0.")
    check_whole("epoch", epoch, low=1, high=100_002, hint="The first epoch is 1.")
    return torch.Generator().manual_seed(seed * 100_003 + epoch)


def random_draws(count: int, generator: torch.Generator, *, padding: int = PADDING) -> Draws:
    """Draws for `count` images: every cut equally likely, mirrored with probability one half.

    Raises ValueError for no images, a negative padding, or without a generator.
    """
    check_whole("count", count, low=1, hint="It is the number of images.")
    check_whole("padding", padding, low=0, hint=f"Try {PADDING}.")
    # Without one torch would draw from its global numbers, and nothing would repeat.
    check_kind(
        "generator", generator, torch.Generator, "Make one with epoch_generator(seed, epoch)."
    )
    cuts = torch.randint(0, 2 * padding + 1, (2, count), generator=generator)
    return Draws(cuts[0], cuts[1], torch.rand(count, generator=generator) < 0.5)


def crop_and_mirror(images: Tensor, draws: Draws, *, padding: int = PADDING) -> Tensor:
    """Images (B, C, H, W), each padded by zeros, cut back to (H, W) at its own place and maybe mirrored.

    Any dtype. A cut at (padding, padding) without mirroring leaves an image as it was.
    Raises ValueError if there is not one draw for each image, or (on a CPU) one for another padding.
    """
    check_kind("images", images, Tensor, "Convert an array with torch.as_tensor.")
    check_kind("draws", draws, Draws, "Make them with random_draws(len(images), generator).")
    check_whole("padding", padding, low=0, hint=f"Try {PADDING}.")
    if images.ndim != 4:
        raise ValueError(
            f"crop_and_mirror needs images (B, C, H, W); got {tuple(images.shape)}. "
            "Add a batch axis to a single image with image[None]."
        )
    count, channels, height, width = images.shape
    if len(draws.rows) != count:
        raise ValueError(
            f"crop_and_mirror needs one draw an image; got {len(draws.rows)} for {count} images. "
            "Pick those of a batch with draws.take(index)."
        )
    # On a CPU the values are there at once; a GPU would have to be waited for at each step.
    if count and draws.rows.device.type == "cpu":
        largest = int(torch.maximum(draws.rows, draws.columns).max())
        if largest > 2 * padding:
            raise ValueError(
                f"draws must lie between 0 and {2 * padding} for padding {padding}; got {largest}. "
                "Draw and cut with the same padding."
            )
    padded = pad(images, (padding, padding, padding, padding))
    row = torch.arange(height, device=images.device)
    column = torch.arange(width, device=images.device)
    columns = torch.where(
        draws.mirrored[:, None], column.flip(0), column
    )  # (B, W): mirrored reads right to left
    rows = row + draws.rows[:, None]  # (B, H)
    columns = columns + draws.columns[:, None]
    # One gather over flattened pixels: index (B, 1, H * W), the same for each channel.
    flat = (rows[:, :, None] * padded.shape[3] + columns[:, None, :]).view(count, 1, height * width)
    cut = padded.flatten(2).gather(2, flat.expand(-1, channels, -1))
    return cut.view(count, channels, height, width)
