"""Pixels as numbers: bytes in 0..255 as they are stored, or floats in [0, 1] as models take them."""

from __future__ import annotations

import torch
from torch import Tensor

from dlvc.arguments import check_kind


def check_pixels(images: Tensor, name: str = "images") -> None:
    """Raise ValueError unless `images` (N, 3, H, W) are uint8, or floats in [0, 1]. Looks at every value.

    `name` is what the error calls them.
    """
    check_kind(name, images, Tensor, "Convert an array with torch.as_tensor.")
    floats = images.is_floating_point()
    if images.ndim != 4 or images.shape[1] != 3 or not (floats or images.dtype == torch.uint8):
        raise ValueError(
            f"{name} must be uint8, or floats in [0, 1], of shape (N, 3, H, W); got {images.dtype} of shape "
            f"{tuple(images.shape)}. Add a batch axis with images[None], or move the channels with permute(0, 3, 1, 2)."
        )
    # A little beyond is rounding; more means 0..255 or normalised values. nan fails both comparisons.
    if floats and images.numel() and not (images.min() >= -1e-3 and images.max() <= 1 + 1e-3):
        raise ValueError(
            f"{name} given as floats must lie in [0, 1]; got {images.min():.3g} to {images.max():.3g}. "
            "Divide what lies in 0..255 by 255, and do not normalise: the models do."
        )


def to_float(images: Tensor, layout: torch.memory_format = torch.contiguous_format) -> Tensor:
    """Float32 images in [0, 1] from uint8 images in 0..255; of float images only the layout changes."""
    if images.dtype == torch.uint8:
        return images.to(torch.float32, memory_format=layout).div_(255)
    return images.to(memory_format=layout)
