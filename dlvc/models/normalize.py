"""What happens to images before a model's first layer: a check of their shape, and normalisation.

Normalisation is a layer of each model, so images stay in [0, 1] everywhere else.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlvc.arguments import check_kind

# Mean and standard deviation of the RGB channels of ImageNet's training images in [0, 1], as used by torchvision's
# weights and named in the report (section 5).
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Images (B, 3, H, W) in [0, 1], minus the mean and divided by the standard deviation of each channel."""

    def __init__(
        self,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        # Buffers move with the model to its device, but are not saved: they are constants of the code.
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if images.dtype == torch.float64 != self.mean.dtype:
            raise ValueError("a model needs float32 images; got torch.float64. Use images.float().")
        return (images - self.mean) / self.std


def check_images(images: Tensor, *, multiple_of: int = 1) -> None:
    """Raise ValueError unless `images` is a float batch (B, 3, H, W) whose sides `multiple_of` divides.

    The range [0, 1] is not looked at here: that would wait for the GPU at each step.
    """
    check_kind("images", images, Tensor, "Convert an array with torch.as_tensor.")
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(
            f"a model needs float images (B, 3, H, W) in [0, 1]; got {tuple(images.shape)} of {images.dtype}. "
            "For uint8 images (N, 3, H, W) use images.float() / 255; for (N, H, W, 3) also images.permute(0, 3, 1, 2)."
        )
    height, width = images.shape[2:]
    if height % multiple_of or width % multiple_of:
        raise ValueError(
            f"the patch size {multiple_of} must divide both sides of an image; got {height} x {width} pixels. "
            f"Resize the images or take another patch size."
        )


def check_size(images: Tensor) -> None:
    """Raise ValueError unless `images` is a float batch (B, 3, 32, 32): a fully connected layer fixes the size."""
    check_images(images)
    if images.shape[2:] != (32, 32):
        size = " x ".join(map(str, images.shape[2:]))
        raise ValueError(
            f"this model needs images of 32 x 32 pixels; got {size}. Resize them first."
        )
